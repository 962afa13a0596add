"""Upscaler and face restoration models: what one gives back is held against what it was given before it is used."""

from __future__ import annotations

import cv2
import numpy as np

from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import size_of
from lib_finisher.stages.stage import Tools

# A cell is so many pixels a side of what the model was given; a small picture has at least so many along a side.
_CELL, _FEWEST = 16, 8
# A mean so close to 0 or 1 is black or white, and where it was is then further away than any model takes it. Models
# that clean paper make light grey white, so white has to be further.
_END, _NEAR_BLACK, _FROM_BLACK, _FROM_BRIGHT = 0.5 / 255, 8.0 / 255, 16.0 / 255, 64.0 / 255
_FLAT, _LIVELY = 1.0 / 255, 6.0 / 255
_ADVICE = "half precision is the usual cause, so full precision or another model may help"


def upscaled(name: str, pixels: Pixels, tools: Tools) -> Pixels:
    """`pixels` through an upscaler model, at the model's own scale. Raises like `Host.upscale`, and HostError too where
    what came back is no picture of the same (see `spoilt`) or not a whole multiple of its size."""
    made = tools.upscale(name, pixels)
    scale = max(1, round(made.shape[1] / pixels.shape[1]))
    _check(f"upscaler {name}", pixels, made, scale)
    return made


def restored(name: str, pixels: Pixels, tools: Tools) -> Pixels:
    """`pixels` with faces restored. Raises like `Host.restore_faces`, and HostError too where what came back is no
    picture of the same (see `spoilt`) or of another size."""
    made = tools.restore(name, pixels)
    _check(f"face restoration {name}", pixels, made, 1)
    return made


def spoilt(given: Pixels, made: Pixels) -> str:
    """What a model made instead of the picture it was given, of any two sizes: values that are not numbers, or black,
    flat or burnt out where that was not; "" where it may be used. Smaller than a cell nothing but the first is seen."""
    rows, columns = (max(1, -(-side // _side(given))) for side in given.shape[:2])
    before, after = _means(given, rows, columns), _means(made, rows, columns)
    if not np.isfinite(after).all():
        return "values that are not numbers"
    black = (after < _END).all(axis=-1)
    if black.all() and float(before.max()) > _NEAR_BLACK:
        return "a black picture"
    if float(after.std(axis=(0, 1)).max()) < _FLAT and float(before.std(axis=(0, 1)).max()) > _LIVELY:
        return "a flat picture"
    stuck = ((after < _END) | (after > 1 - _END)).all(axis=-1)
    dead = stuck & (np.abs(after - before).max(axis=-1) > np.where(black, _FROM_BLACK, _FROM_BRIGHT))
    if dead.any():
        return f"a picture with black or burnt out areas that were not there ({float(dead.mean()):.1%} of it)"
    return ""


def _check(model: str, given: Pixels, made: Pixels, scale: int) -> None:
    height, width = given.shape[:2]
    if made.shape != (height * scale, width * scale, 3):
        raise HostError(f"The {model} made {size_of(made)} of {size_of(given)}, a wrong size; choose another.")
    why = spoilt(given, made)
    if why:
        raise HostError(f"The {model} gave {why}; {_ADVICE}.")


def _side(given: Pixels) -> int:
    return min(_CELL, max(1, min(given.shape[:2]) // _FEWEST))


def _means(pixels: Pixels, rows: int, columns: int) -> Pixels:
    """The mean of each cell (rows, columns, 3); one value that is no number makes its cell none."""
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), (columns, rows), interpolation=cv2.INTER_AREA))
