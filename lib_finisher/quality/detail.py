"""Fine detail: how much of what was there is left, and how much is new."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels

# Fine texture lies between blurs of these deviations, in pixels.
_FINE, _COARSE = 0.6, 1.5

Plane = npt.NDArray[np.float32]


def band(pixels: Pixels) -> Plane:
    """The fine texture of a picture (height, width, 3): its luma (BT.601) between Gaussians of 0.6 and 1.5 pixels."""
    grey = np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels, dtype=np.float32), cv2.COLOR_RGB2GRAY))
    blurred = (cv2.GaussianBlur(grey, (0, 0), deviation) for deviation in (_FINE, _COARSE))
    return np.asarray(next(blurred) - next(blurred), dtype=np.float32)


def detail_sums(before: Pixels, after: Pixels) -> tuple[float, float, float]:
    """(energy before, what both have in common, energy after) of the fine texture of two pictures of one size, as sums
    over pixels: those of many windows add up."""
    was, now = band(before), band(after)
    return float(np.vdot(was, was)), float(np.vdot(was, now)), float(np.vdot(now, now))


def detail_kept(energy: float, common: float) -> float:
    """How much of the fine texture before is there after: the projection on it, 1 for all of it, more where lifted.

    Grain and other texture do not count, since they do not correlate. 1 where there was none.
    """
    return common / energy if energy > 0 else 1.0


def detail_new(energy: float, common: float, after: float) -> float:
    """How much fine texture is there that was not before: the energy of what does not correlate, as a share of that
    before; 0 where there was none."""
    return max(0.0, after - common * common / energy) / energy if energy > 0 else 0.0
