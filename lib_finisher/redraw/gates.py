"""The gate that every redraw passes, whatever else a stage hands in: it must be a picture at all."""

from __future__ import annotations

import numpy as np

from lib_finisher.imaging.arrays import Pixels

_BLACK = 2.0 / 255.0
_FLAT = 1.0 / 255.0
_LIVELY = 6.0 / 255.0


def broken(before: Pixels, after: Pixels, made: str = "the engine returned") -> str:
    """Why `after` cannot be a redraw of `before`: NaN, black or flat where the picture was not; "" when it can.

    `made` says who made it, for the words. The pictures may differ in size.
    """
    # In single precision, which is three times as fast: no picture's sum is too large for that.
    if not np.isfinite(float(after.sum())):
        return f"{made} values that are not numbers (NaN)"
    if float(after.max()) < _BLACK <= float(before.max()):
        return f"{made} a black picture"
    # Every fourth row and column tell as much, at a sixteenth of the time.
    if _spread(after) < _FLAT and _spread(before) > _LIVELY:
        return f"{made} a flat picture"
    return ""


def _spread(pixels: Pixels) -> float:
    return float(np.ascontiguousarray(pixels[::4, ::4]).std())
