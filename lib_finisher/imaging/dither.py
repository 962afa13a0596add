"""From float to 8 bits without bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.strips import in_strips

# Steps of the R2 sequence (Roberts 2018): places near each other get values far from each other.
_ACROSS, _DOWN = 0.7548776662466927, 0.5698402909980532
_CHANNELS = (0.0, 1.0 / 3.0, 2.0 / 3.0)
# Below half a level, so that a value that is a level stays that level whatever float makes of it.
_WIDTH = 0.998
# Channels as near as the steps of 16 bits are one grey.
_GREY = np.float32(1.5 / 65535.0)
_ROWS = 128


def dithered(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """A float picture (height, width, 3), 0..1, clipped, in 8 bits: rounded up or down by its place, right on average.

    Every value that is a multiple of 1/255 stays just that, and grey stays grey. The same picture gives the same bytes.
    """
    height, width = pixels.shape[:2]
    result = np.empty(pixels.shape, dtype=np.uint8)
    across = np.stack([(np.arange(width) * _ACROSS + shift) % 1.0 for shift in _CHANNELS], axis=-1).astype(np.float32)
    down = ((np.arange(height) * _DOWN) % 1.0).astype(np.float32)
    for top, bottom in in_strips(height, _ROWS):
        threshold = across[None] + down[top:bottom, None, None]
        threshold -= threshold >= 1.0
        threshold -= np.float32(0.5)
        threshold *= np.float32(_WIDTH)
        levels = np.clip(pixels[top:bottom], 0.0, 1.0)
        first, second, third = levels[..., 0], levels[..., 1], levels[..., 2]
        grey = (np.abs(first - second) < _GREY) & (np.abs(first - third) < _GREY)
        levels *= np.float32(255.0)
        levels += threshold
        if grey.any():
            np.copyto(second, first, where=grey)
            np.copyto(third, first, where=grey)
        result[top:bottom] = np.rint(levels, out=levels)
    return result
