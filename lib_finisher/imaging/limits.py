"""Limits of what is read and made."""

from __future__ import annotations

MOST_SIDE = 16384
"""The longest side, in pixels, of a picture that is made; one of as many pixels as its square has is read again."""
