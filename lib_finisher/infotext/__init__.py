"""Infotexts: what they say of a picture's making, and what Finisher writes into them."""
