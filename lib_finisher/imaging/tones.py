"""Light: exposure in linear light; on the lightness, monotone and smooth curves and an edge-preserving base."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Size, size_of

_KNEE = 0.5
_STRUCTURE = 12.0
_MOST_DETAIL = 8.0
_BASE_REACH = 0.03
_STRONG, _GENTLE = 1.5, 0.9


def exposed(light: Pixels, stops: float) -> Pixels:
    """Linear light (0..1) times 2 ** `stops`; above half of white a shoulder bends it, so that white stays white."""
    gain = np.float32(2.0**stops)
    if stops <= 0:
        return light * gain
    result = light * gain
    over = np.maximum(result - np.float32(_KNEE), 0.0)
    bend = np.float32(1.0 / (1.0 - _KNEE) - 1.0 / (float(gain) - _KNEE))
    return np.minimum(result, np.float32(_KNEE)) + over / (1.0 + over * bend)


def between_points(light: Mask, black: float, white: float) -> Mask:
    """Lightness (0..100) stretched so that `black` and below become black, 1 - `white` and above white.

    Each -0.3..0.3; below 0 a point flattens that end instead. A point is soft: what is lost lies beyond half of it.
    """
    room = 1.0 - black - white
    level = (light / np.float32(100.0) - np.float32(black)) / np.float32(room)
    if black > 0:
        level = _soft(level, black / room / 2.0)
    if white > 0:
        level = 1.0 - _soft(1.0 - level, white / room / 2.0)
    return np.asarray(level * np.float32(100.0), dtype=np.float32)


def contrasted(light: Mask, amount: float) -> Mask:
    """An S-curve about middle grey on the lightness (0..100), by -1..1; black and white stay."""
    level = light / np.float32(100.0)
    curve = level * level * (np.float32(3.0) - np.float32(2.0) * level)
    return np.asarray(np.float32(100.0) * (level + np.float32(amount) * (curve - level)), dtype=np.float32)


def opened(base: Mask, shadows: float, highlights: float) -> Mask:
    """How much lighter what has this base lightness (0..100) becomes, by controls of -1..1 each."""
    level = np.clip(base / np.float32(100.0), 0.0, 1.0)
    rest = 1.0 - level
    dark = np.float32(100.0 * shadows * (_STRONG if shadows > 0 else _GENTLE)) * level * rest * rest * rest
    bright = np.float32(100.0 * highlights * (_STRONG if highlights < 0 else _GENTLE)) * level * level * level * rest
    return np.asarray(dark + bright, dtype=np.float32)


def local_contrast(light: Mask, base: Mask, contour: Mask, amount: float) -> Mask:
    """Lightness with what stands out from its base lifted by -1..1, at most by 8 of 100 levels; -1 leaves the base.

    The more of a contour there is around a pixel (0..1), the less it is lifted, so that contours get no halo.
    """
    detail = light - base
    if amount < 0:
        return light + np.float32(amount) * detail
    lift = np.float32(_MOST_DETAIL) * np.tanh(np.float32(amount / _MOST_DETAIL) * detail * (1.0 - contour))
    return np.asarray(np.clip(light + lift, 0.0, 100.0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class LocalBase:
    """What a picture's lightness is in large, found in a reduced picture (fast guided filter, He and Sun 2015).

    The base of a pixel is `slope` times its lightness plus `offset`, both (height, width) of the reduced picture.
    """

    slope: Mask
    offset: Mask

    @staticmethod
    def of(light: Mask) -> LocalBase:
        """The base of a lightness plane (0..100); structure below about 12 levels is smoothed, edges stay."""
        reach = max(2, round(_BASE_REACH * max(light.shape)))
        window = (2 * reach + 1,) * 2
        mean = cv2.blur(light, window, borderType=cv2.BORDER_REFLECT)
        spread = np.maximum(cv2.blur(light * light, window, borderType=cv2.BORDER_REFLECT) - mean * mean, 0.0)
        slope = spread / (spread + np.float32(_STRUCTURE**2))
        offset = mean - slope * mean
        return LocalBase(
            np.asarray(cv2.blur(slope, window, borderType=cv2.BORDER_REFLECT), dtype=np.float32),
            np.asarray(cv2.blur(offset, window, borderType=cv2.BORDER_REFLECT), dtype=np.float32),
        )

    def under(self, light: Mask, size: Size, top: int) -> tuple[Mask, Mask]:
        """The base of the rows of lightness from `top` on, of a picture of `size`, and how much contour is there."""
        bottom = top + light.shape[0]
        slope = _rows(self.slope, size, top, bottom)
        return slope * light + _rows(self.offset, size, top, bottom), slope


def _rows(plane: Mask, size: Size, top: int, bottom: int) -> Mask:
    """Rows of a plane enlarged to `size`, bilinear; the same whichever rows are asked for."""
    small = size_of(plane)
    place = np.clip((np.arange(top, bottom) + 0.5) * (small.height / size.height) - 0.5, 0.0, small.height - 1.0)
    upper = place.astype(np.int64)
    share = (place - upper).astype(np.float32)[:, None]
    rows = plane[upper] * (1.0 - share) + plane[np.minimum(upper + 1, small.height - 1)] * share
    return np.asarray(cv2.resize(rows, (size.width, bottom - top), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _soft(level: Mask, reach: float) -> Mask:
    """`level`, bent within `reach` of 0 so that it never goes below it; from `-reach` down it is 0."""
    bent = np.square(np.maximum(level + np.float32(reach), 0.0)) / np.float32(max(4.0 * reach, 1e-9))
    return np.where(level < np.float32(reach), bent, level)
