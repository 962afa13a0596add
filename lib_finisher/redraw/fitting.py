"""Between the picture and the canvas: what is sampled of a crop, and what comes back of it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import lock_low_frequencies, match_ring
from lib_finisher.imaging.geometry import Box, paste_region, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.strips import in_strips
from lib_finisher.redraw.patch import ColourLock, Patch, Request

Array = npt.NDArray[np.float32]

# As much as stays near a processor.
_ROWS = 32


def canvas_of(request: Request, patch: Patch, crop: Pixels) -> Pixels:
    """A patch's crop (box height, box width, 3) at the size of its canvas."""
    if request.prepare is not None:
        return request.prepare(patch, crop)
    return crop if patch.unscaled else resize(crop, patch.canvas)


def turned(array: Array, turn: int) -> Array:
    """A picture or a mask turned counter-clockwise by quarters."""
    return np.ascontiguousarray(np.rot90(array, turn)) if turn % 4 else array


def locked_to(result: Pixels, sampled: Pixels, patch: Patch, lock: ColourLock) -> Pixels:
    """`result` with its colours held to those of `sampled`, both at the size of the canvas."""
    if lock.strength <= 0:
        return result
    if lock.kind == "tile":
        return lock_low_frequencies(result, sampled, lock.strength)
    if lock.kind == "ring":
        weight = np.asarray(patch.weight())
        if patch.mask is not None:
            weight = np.maximum(weight, patch.mask)
        return match_ring(result, sampled, resize(weight, patch.canvas, "bilinear"), lock.strength)
    return result


def change_in(result: Pixels, sampled: Pixels | None, before: Pixels, patch: Patch) -> Pixels:
    """What the redraw changes in the box. An enlarged crop brings back its change, so resampling loses nothing.

    `sampled` is None where the canvas was made in another way than by interpolation: that belongs to the change.
    """
    if patch.unscaled:
        return result - before
    if sampled is not None and patch.canvas.area >= patch.box.area:
        return resize(result - sampled, patch.box.size)
    return resize(result, patch.box.size) - before


def weigh(change: Pixels, weight: Mask) -> None:
    """Multiply a change (height, width, 3) by a weight (height, width), in place."""
    for top, bottom in in_strips(len(change), _ROWS):
        # A third of the time of broadcasting over a last axis of three.
        strip = np.ascontiguousarray(weight[top:bottom], dtype=np.float32)
        change[top:bottom] *= cv2.cvtColor(strip, cv2.COLOR_GRAY2RGB)


def mix_in(picture: Pixels, box: Box, result: Pixels, before: Pixels, weight: Mask) -> None:
    """Add to the picture, in place, what `result` changes in its box, where it was `before`, times a weight; all are of
    the box's size. As `change_in`, `weigh` and an addition would, strip by strip: no array of the size is made."""
    region = paste_region(size_of(picture), box)
    if region is None:
        return
    into, of_box = region
    part, result, before, weight = picture[into], result[of_box], before[of_box], weight[of_box]
    for top, bottom in in_strips(len(part), _ROWS):
        change = result[top:bottom] - before[top:bottom]
        weigh(change, weight[top:bottom])
        part[top:bottom] += change
