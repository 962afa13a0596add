"""Pure functions on picture arrays: geometry, masks, resizing, colour, texture, grain and files."""
