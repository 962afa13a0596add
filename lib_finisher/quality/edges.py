"""Halo and fringe: light, or colour, beside edges that neither side of the edge had."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.colour import to_lab

# Steps of lightness (0..100) that count as edges, and how near to one its halo lies, in pixels of the picture before.
_EDGE = 10.0
_NEAR, _BESIDE = 3, 7

Plane = npt.NDArray[np.float32]


def beyond_edges(plain: Pixels, made: Pixels, scale: float) -> tuple[float, float, int]:
    """(sum of the halo, sum of the fringe, number of pixels) near edges, of pictures of one size.

    `plain` is the picture before, enlarged by `scale` without overshoot. Near an edge of it, what lies between the
    lowest and the highest values nearby is the edge's own; by how much `made` goes beyond is a halo in L* and a fringe
    in a* and b* (CIE 1976), as overshoot is measured in camera tests (ISO 12233) but over a whole picture.
    """
    before, after = to_lab(plain), to_lab(made)
    lowest, highest = _range(before, _side(_NEAR, scale))
    beside = _range(before[..., 0], _side(_BESIDE, scale))
    near = (beside[1] - beside[0]) > _EDGE
    over = np.maximum(after - highest, 0.0) + np.maximum(lowest - after, 0.0)
    chroma = np.hypot(over[..., 1], over[..., 2])
    return float(over[..., 0][near].sum()), float(chroma[near].sum()), int(np.count_nonzero(near))


def _side(pixels: int, scale: float) -> int:
    return 2 * max(1, round(pixels * scale / 2)) + 1


def _range(planes: Plane, side: int) -> tuple[Plane, Plane]:
    window = np.ones((side, side), dtype=np.uint8)
    planes = np.ascontiguousarray(planes)
    return np.asarray(cv2.erode(planes, window)), np.asarray(cv2.dilate(planes, window))
