"""Float masks: ramps, feathered shapes and the dilation that goes before them."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels


def smoothstep(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """3t² - 2t³ of `values` clipped to 0..1; smoothstep(t) + smoothstep(1 - t) = 1."""
    t = np.clip(np.asarray(values, dtype=np.float64), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def mixed_in(before: Pixels, after: Pixels, weight: Mask) -> Pixels:
    """`after` where the weight (height, width; 0..1) is 1, `before` bit for bit where it is 0, between them mixed."""
    share = weight[..., None]
    return np.asarray(np.where(share >= 1.0, after, before + share * (after - before)), dtype=np.float32)


def rounded_box(height: int, width: int, inset: tuple[int, int, int, int], feather: float) -> Mask:
    """A feathered rectangle in an array of (height, width).

    `inset` is (left, top, right, bottom): how far the full-strength rectangle stays from each edge, in pixels.
    The mask falls from 1 to 0 over `feather` pixels outside that rectangle, evenly around its corners.
    """
    left, top, right, bottom = inset
    y = np.arange(height, dtype=np.float64)
    x = np.arange(width, dtype=np.float64)
    outside_y = np.maximum(np.maximum(top - y, y - (height - 1 - bottom)), 0.0)
    outside_x = np.maximum(np.maximum(left - x, x - (width - 1 - right)), 0.0)
    distance = np.hypot(outside_y[:, None], outside_x[None, :])
    return smoothstep(1.0 - distance / max(feather, 1e-6)).astype(np.float32)


def ellipse(
    height: int, width: int, centre: tuple[float, float], radii: tuple[float, float], feather: float, turn: float = 0.0
) -> Mask:
    """A feathered ellipse: 1 inside, falling to 0 over about `feather` pixels outside it.

    `centre` and `radii` are (x, y) in pixels; the ellipse is turned clockwise about its centre by `turn` degrees.
    """
    down = (np.arange(height, dtype=np.float64) - centre[1])[:, None]
    right = (np.arange(width, dtype=np.float64) - centre[0])[None, :]
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    along, across = right * cosine + down * sine, down * cosine - right * sine
    distance = (np.hypot(across / max(radii[1], 1e-6), along / max(radii[0], 1e-6)) - 1.0) * min(radii)
    return smoothstep(1.0 - distance / max(feather, 1e-6)).astype(np.float32)


def outlined(inside: npt.NDArray[np.bool_], grow: float, feather: float) -> Mask:
    """A shape (height, width), grown by `grow` pixels (shrunk below 0), falling to 0 over `feather` pixels beyond.

    The array's border is no edge of the shape: what touches it goes on there.
    """
    if not inside.any():
        return np.zeros(inside.shape, dtype=np.float32)
    if inside.all():
        return np.ones(inside.shape, dtype=np.float32)
    filled = inside.astype(np.uint8)
    outwards = cv2.distanceTransform(1 - filled, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inwards = cv2.distanceTransform(filled, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) if grow < 0 else np.zeros((1, 1))
    # The outermost pixel of the shape lies at 0, the first one beyond it at 1.
    signed = np.asarray(outwards, dtype=np.float64) - np.maximum(np.asarray(inwards, dtype=np.float64) - 1.0, 0.0)
    return smoothstep(1.0 - (signed - grow) / max(feather, 1e-6)).astype(np.float32)


def fading_to(height: int, width: int, open_sides: tuple[bool, bool, bool, bool]) -> Mask:
    """1, falling to 0 over the last pixels before each open side (left, top, right, bottom) of an array."""
    reach = max(4.0, min(height, width) * 0.06)
    left, top, right, bottom = open_sides
    down, across = np.ones(height), np.ones(width)
    y, x = np.arange(height) + 0.5, np.arange(width) + 0.5
    if top:
        down = np.minimum(down, y / reach)
    if bottom:
        down = np.minimum(down, (height - y) / reach)
    if left:
        across = np.minimum(across, x / reach)
    if right:
        across = np.minimum(across, (width - x) / reach)
    return np.outer(down, across).astype(np.float32)


def feathered(mask: npt.NDArray[Any], grow: int, feather: float) -> Mask:
    """Grow a mask by `grow` pixels (shrink when negative), then blur its edge over about `feather` pixels."""
    result = np.clip(mask, 0.0, 1.0).astype(np.float32)
    if grow:
        side = 2 * abs(grow) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        result = np.asarray((cv2.dilate if grow > 0 else cv2.erode)(result, kernel), dtype=np.float32)
    if feather >= 0.1:
        result = np.asarray(
            cv2.GaussianBlur(result, (0, 0), feather / 2.0, borderType=cv2.BORDER_REPLICATE), dtype=np.float32
        )
    return np.clip(result, 0.0, 1.0)
