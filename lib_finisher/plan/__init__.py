"""What a run will do, and what it will cost, before the first pixel is touched."""
