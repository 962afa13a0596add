"""The shape of an object from its landmarks: the box around them, and the silhouette in that box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box
from lib_finisher.imaging.masks import smoothstep

Points = npt.NDArray[Any]
"""Landmarks: shape (number, 2), x and y in pixels of the picture."""

# The longer side of a silhouette at most: it is stretched over the box, and soft.
_DETAIL = 256
# Polygons are drawn with coordinates in so many fractions of a pixel, as powers of two.
_FRACTION = 4


def box_around(points: Points, margin: float) -> Box:
    """The smallest box around points with `margin` pixels (0 or more) on every side.

    Raises ValueError where there are none or one is not finite.
    """
    if not len(points) or not np.isfinite(points).all():
        raise ValueError("A box needs at least one point, and each must be finite.")
    left, top = np.floor(points.min(axis=0) - margin)
    right, bottom = np.ceil(points.max(axis=0) + margin)
    return Box(int(left), int(top), max(int(left) + 1, int(right)), max(int(top) + 1, int(bottom)))


def silhouette(parts: Sequence[Points], box: Box, margin: float) -> Mask:
    """The convex hulls of several sets of points, each grown by `margin` pixels, as an array that covers `box`.

    1 on the hulls, falling to 0 over the last half of the margin; the longer side has 256 pixels at most. The points
    lie in the box: one outside is taken for the nearest inside.
    """
    scale = min(1.0, _DETAIL / max(box.width, box.height))
    height, width = max(1, round(box.height * scale)), max(1, round(box.width * scale))
    stretch = np.array([width / box.width, height / box.height])
    shape = np.zeros((height, width), np.float32)
    for points in parts:
        shape = np.maximum(shape, _grown(_hull(points, box, stretch), shape.shape, margin * float(stretch.mean())))
    return shape


def _hull(points: Points, box: Box, stretch: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    placed = ((np.asarray(points, dtype=np.float64) - (box.left, box.top)) * stretch).astype(np.float32)
    hull: Any = cv2.convexHull(placed)
    # OpenCV finds none around 0 and -0, which are one point.
    return placed if hull is None else np.asarray(hull).reshape(-1, 2)


def _grown(hull: npt.NDArray[np.float32], shape: tuple[int, ...], margin: float) -> Mask:
    """A hull that is grown by `margin` pixels in an array of that shape; distances from it, not a blur of it."""
    height, width = shape
    rim = math.ceil(margin) + 2
    inside = np.zeros((height + 2 * rim, width + 2 * rim), np.uint8)
    # Pixel centres lie at halves, and OpenCV's at whole numbers.
    placed = np.clip(hull - 0.5, 0, (width - 1, height - 1))
    corners = np.rint((placed + rim) * (1 << _FRACTION)).astype(np.int32)
    cv2.fillPoly(inside, [corners.reshape(-1, 1, 2)], 1, shift=_FRACTION)
    away = np.asarray(cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    soft = max(margin / 2, 0.5)
    return smoothstep((margin + 0.5 - away) / soft)[rim : rim + height, rim : rim + width].astype(np.float32)
