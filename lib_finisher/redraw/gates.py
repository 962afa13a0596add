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
    if not np.isfinite(float(after.sum(dtype=np.float64))):
        return f"{made} values that are not numbers (NaN)"
    if float(after.max()) < _BLACK <= float(before.max()):
        return f"{made} a black picture"
    # Every fourth row and column tell as much, at a sixteenth of the time.
    if float(after[::4, ::4].std()) < _FLAT and float(before[::4, ::4].std()) > _LIVELY:
        return f"{made} a flat picture"
    return ""
