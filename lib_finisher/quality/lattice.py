"""Lattice: a pattern that repeats every few pixels, as networks and blocks leave it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels

# Strides of networks and of JPEG.
_PERIODS = (2, 4, 8)
# The blur that a pattern is looked for above, in periods; two pixels at least.
_HIGH = 0.4
# What is looked at: pixels whose surroundings are the calmest half. A pattern on rough ground is not seen.
_CALM, _AROUND = 0.5, 15
_LEAST = 64
# Neighbouring pixels are not independent: chance leaves more than it would of noise.
_CHANCE = 4.0

Plane = npt.NDArray[np.float32]


def lattice(pixels: Pixels) -> float:
    """The strength of a periodic pattern in the calm half of a picture (height, width, 3), in levels of 255.

    The picture's detail is averaged over all pixels that lie at one place of a cell of p × p pixels; what is left of
    that mean is the pattern, since anything else averages out (synchronous averaging). Its root mean square, without
    what chance leaves, for the strongest of the periods 2, 4 and 8.
    """
    grey = np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels, dtype=np.float32), cv2.COLOR_RGB2GRAY)) * np.float32(
        255.0
    )
    return max(_repeating(grey, period) for period in _PERIODS)


def _repeating(grey: Plane, period: int) -> float:
    height, width = (side // period * period for side in grey.shape)
    if height < 4 * period or width < 4 * period:
        return 0.0
    detail = (grey - cv2.GaussianBlur(grey, (0, 0), max(2.0, _HIGH * period)))[:height, :width]
    around = cv2.blur(detail * detail, (_AROUND, _AROUND))
    cells = (height // period, period, width // period, period)
    weight = (around <= np.quantile(around, _CALM)).astype(np.float64).reshape(cells)
    part = detail.astype(np.float64).reshape(cells)
    count = weight.sum(axis=(0, 2))
    if count.min() < _LEAST:
        return 0.0
    mean = (weight * part).sum(axis=(0, 2)) / count
    spread = (weight * part * part).sum(axis=(0, 2)) / count - mean * mean
    pattern = mean - mean.mean()
    return float(np.sqrt(max(0.0, float((pattern * pattern).mean()) - _CHANCE * float((spread / count).mean()))))
