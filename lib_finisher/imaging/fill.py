"""Filling what a picture does not show from what it does: its colours carried on, and texture of its own kind."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import luminance
from lib_finisher.imaging.geometry import Box, size_of

Known = npt.NDArray[np.bool_]
"""Which pixels of a picture are there: shape (height, width)."""

_SMOOTHINGS = 4
_BANDS = (1.0, 2.0, 4.0)
_REACH = 12.0
_MOST_AMPLITUDE = 0.02
_WIDE = 3.0
_TEXTURE = 0.4
# How fast the lines that go on beyond an edge dissolve: deviation of the blur per pixel of distance.
_DISSOLVING = 0.2
# A frame line, or one bright pixel, is not carried far: soon what lies within this deviation of the edge goes on.
_EDGE = 4.0


def filled(pixels: Pixels, known: Known, seed: int) -> Pixels:
    """`pixels` (height, width, 3) with what is not `known` continued and textured; what is known stays, bit for bit.

    Where nothing or everything is known it comes back as it is. The texture follows from `seed`.
    """
    if known.all() or not known.any():
        return pixels.copy()
    return _textured(pixels, continued(pixels, known), known, seed)


def extended(pixels: Pixels, box: Box, seed: int) -> Pixels:
    """What a `box` that holds the whole picture (height, width, 3) shows: the picture, bit for bit, and beyond it its
    edges going on, dissolving into each other with distance, with texture of the picture's own kind.

    Nothing of the picture is shown twice, as a mirror would. The texture follows from `seed`.
    """
    size = size_of(pixels)
    around = ((-box.top, box.bottom - size.height), (-box.left, box.right - size.width))
    known = np.pad(np.ones(pixels.shape[:2], dtype=bool), around)
    if known.all():
        return pixels.copy()
    # Mirrored: an edge that is repeated would count for half of the blur there.
    inside: Pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), _EDGE, borderType=cv2.BORDER_REFLECT_101), np.float32)
    drawn_out, beneath = (np.pad(item, (*around, (0, 0)), mode="edge") for item in (pixels, inside))
    distance = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    away = np.clip(distance / np.float32(4.0 * _EDGE), 0.0, 1.0)[..., None]
    drawn_out = np.asarray(drawn_out + away * (beneath - drawn_out), dtype=np.float32)
    return _textured(drawn_out, _blurred_by(drawn_out, distance * np.float32(_DISSOLVING)), known, seed)


def continued(pixels: Pixels, known: Known) -> Pixels:
    """`pixels` (height, width, channels) with what is not `known` filled smoothly from its edges.

    Near an edge the picture's lines go on; the farther away, the more they dissolve into the colours around. This is
    the solution of Laplace's equation, to the precision of a few rounds at each scale.
    """
    if not known.any():
        return pixels.copy()
    return np.asarray(_continued(np.where(known[..., None], pixels, 0.0), known.astype(np.float32)), dtype=np.float32)


def spread(pixels: Pixels, weights: Mask) -> Pixels:
    """`pixels` (height, width, channels) with what has the weight 0 filled smoothly from what has one, 0..1, the more
    the heavier that is. What has a weight stays bit for bit."""
    return np.asarray(_continued(np.where(weights[..., None] > 0, pixels, 0.0), weights), dtype=np.float32)


def texture_like(pixels: Pixels, known: Known, seed: int) -> Pixels:
    """Noise (height, width, 3) as strong, at three scales, as the fine detail of the nearest known part of `pixels`."""
    height, width = known.shape
    noise = np.random.Generator(np.random.Philox(seed % 2**64)).standard_normal((height, width), dtype=np.float32)
    weight = known.astype(np.float32)
    light = luminance(pixels) * weight
    result = np.zeros((height, width), dtype=np.float32)
    finer, grain = light, noise
    for scale in _BANDS:
        share = _blurred(weight, scale)
        coarser = _blurred(light, scale) / np.maximum(share, 1e-3)
        detail = np.where(known, finer - coarser, 0.0).astype(np.float32)
        # Near the edge of what is known the blur is lopsided and would be taken for detail.
        sound = cv2.erode(weight, np.ones((3, 3), np.uint8), iterations=max(1, round(2 * scale))) > 0
        amplitude = _amplitude(detail, sound if sound.any() else known)
        rougher = _blurred(noise, scale)
        band = grain - rougher
        result += amplitude * band / max(float(band.std()), 1e-6)
        finer, grain = np.where(known, coarser, 0.0).astype(np.float32), rougher
    return np.repeat(result[..., None], 3, axis=-1)


def _textured(pixels: Pixels, smooth: Pixels, known: Known, seed: int) -> Pixels:
    made = np.clip(smooth + np.float32(_TEXTURE) * texture_like(pixels, known, seed), 0.0, 1.0)
    return np.asarray(np.where(known[..., None], pixels, made), dtype=np.float32)


def _blurred_by(pixels: Pixels, deviations: Mask) -> Pixels:
    """`pixels` blurred by another deviation at each pixel, in pixels: between blurs an octave apart."""
    result, sigma, previous = pixels, 0.5, pixels
    largest = float(deviations.max())
    while sigma / 2 < largest:
        now = _blurred(pixels, sigma)
        below = 0.0 if sigma == 0.5 else sigma / 2
        share = np.clip((deviations - below) / (sigma - below), 0.0, 1.0)[..., None]
        result = np.where(deviations[..., None] > below, previous + share * (now - previous), result)
        previous, sigma = now, sigma * 2
    return np.asarray(result, dtype=np.float32)


def _amplitude(detail: Mask, sound: Known) -> Mask:
    """How strong detail is about each pixel: the median-like mean of its size, so that single edges count little."""
    weight = sound.astype(np.float32)
    size = _blurred(np.sqrt(np.abs(detail)) * weight, _REACH) / np.maximum(_blurred(weight, _REACH), 1e-3)
    carried = continued(np.asarray(size * weight, dtype=np.float32)[..., None], sound)[..., 0]
    # The mean of the root, squared, is 0.68 of a normal deviation.
    return np.minimum(carried * carried / np.float32(0.68), np.float32(_MOST_AMPLITUDE))


def _blurred(array: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    """Blurred by a deviation in pixels; a wide blur is done on a reduced copy, and costs no more than a narrow one."""
    if sigma <= 2 * _WIDE:
        return np.asarray(cv2.GaussianBlur(array, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)
    height, width = array.shape[:2]
    shrink = sigma / _WIDE
    small = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    reduced = cv2.resize(array, small, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(reduced, (0, 0), _WIDE, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _continued(values: Pixels, weights: Mask) -> Pixels:
    """`values` where `weights` are above 0; elsewhere what half the resolution makes of it, smoothed."""
    height, width = weights.shape
    hole = weights <= 0
    if not hole.any() or (height == 1 and width == 1):
        return values
    half = ((width + 1) // 2, (height + 1) // 2)
    less = np.asarray(cv2.resize(weights, half, interpolation=cv2.INTER_AREA), dtype=np.float32)
    sums = _planes(cv2.resize(values * weights[..., None], half, interpolation=cv2.INTER_AREA))
    means = np.asarray(sums / np.where(less > 0, less, 1.0)[..., None], dtype=np.float32)
    coarse = _continued(means, less)
    fine = _planes(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
    result = np.where(hole[..., None], fine, values)
    for _ in range(_SMOOTHINGS):
        mean = _planes(cv2.blur(result, (3, 3), borderType=cv2.BORDER_REPLICATE))
        result = np.where(hole[..., None], mean, result)
    return np.asarray(result, dtype=np.float32)


def _planes(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """OpenCV drops the axis of a single channel."""
    made = np.asarray(array, dtype=np.float32)
    return made[..., None] if made.ndim == 2 else made
