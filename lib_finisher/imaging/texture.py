"""Fine texture: lifting detail that is there without drawing haloes, and taking over that of another picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import from_lab, low_frequencies, luminance, to_lab
from lib_finisher.imaging.masks import mixed_in, smoothstep
from lib_finisher.imaging.strips import in_strips

_MOST_LIFT = 6.0
_NOISE = 4.0
_EDGE = 10.0
# Fine detail of less than half an 8-bit level, as an energy.
_FLAT = (0.5 / 255) ** 2
_LEAST_WEIGHT = np.float32(1e-3)
_ROWS = 128


def lift_detail(pixels: Pixels, strength: float, radius: float, mask: Mask | None = None, rows: int = _ROWS) -> Pixels:
    """Strengthen the fine texture of the lightness by `strength` (0..2), finer than about `radius` pixels, where `mask`
    (height, width; 0..1) is. So many `rows` at once, which the result does not depend on.

    Detail is what an edge-preserving base (guided filter, He et al. 2010) leaves over, less where the neighbourhood
    varies as only contours do (over about 10 of 100 lightness levels), so contours get no halo; the lift
    is limited to 6 of 100 lightness levels and fades in the deepest shadows.
    """
    if strength <= 0:
        return pixels
    # Two box filters, one after the other.
    height, reach = len(pixels), 2 * round(max(1.0, radius))
    result = np.empty_like(pixels)
    for top, bottom in in_strips(height, rows):
        first, last = max(0, top - reach), min(height, bottom + reach)
        lifted = _lifted(pixels[first:last], strength, radius)[top - first : bottom - first]
        if mask is not None:
            lifted = mixed_in(pixels[top:bottom], lifted, mask[top:bottom])
        result[top:bottom] = lifted
    return result


def _lifted(pixels: Pixels, strength: float, radius: float) -> Pixels:
    lab = to_lab(pixels)
    light = np.ascontiguousarray(lab[..., 0])
    base, spread = _guided(light, max(1.0, radius), _NOISE)
    detail = (light - base) * (_EDGE**2 / (spread + _EDGE**2))
    lift = _MOST_LIFT * np.tanh(np.float32(strength) * detail / _MOST_LIFT)
    lab[..., 0] = np.clip(light + lift * _away_from_black(light), 0.0, 100.0)
    return from_lab(lab)


def blend_detail(pixels: Pixels, other: Pixels, strength: float, mask: Mask | None = None, own: bool = False) -> Pixels:
    """`pixels` with the fine detail of `other`, a picture of the same size, by `strength` (0..1), where `mask` is.

        new = old + strength · mask · (D - low(mask · D) / low(mask)),  D = other - old

    `low` is what is left at a sixteenth of the size, so colours and tones of the other picture, whatever they are, do
    not come over; what it has beyond the mask counts for nothing. Where the mask (height, width; 0..1) is 0, the pixels
    stay bit for bit. In place where `other` is the caller's `own` and nobody else's.
    """
    detail = np.subtract(other, pixels, out=other if own and other.flags.writeable else None)
    weight = None if mask is None else np.maximum(low_frequencies(mask), _LEAST_WEIGHT)
    for channel in range(3):
        # One channel after the other: a third of the memory.
        plane = np.ascontiguousarray(detail[..., channel])
        if mask is None or weight is None:
            plane -= low_frequencies(plane)
            plane *= np.float32(strength)
        else:
            plane -= low_frequencies(plane * mask) / weight
            plane *= np.float32(strength) * mask
        old = pixels[..., channel]
        detail[..., channel] = np.where(plane == 0, old, np.clip(plane + old, 0.0, 1.0))
    return detail


def calm_detail_lost(before: Pixels, after: Pixels, where: npt.NDArray[np.bool_]) -> float:
    """The share of the energy of what is finer than about 4 pixels that is gone; below 0 where there is more.

    Judged in the calmer half of `where` (height, width), since contours that are sharpened outweigh skin that is
    smoothed. 0 where there is nothing to judge.
    """
    was, now = (np.square(_fine(luminance(pixels))) for pixels in (before, after))
    if not where.any():
        return 0.0
    around = cv2.GaussianBlur(was, (0, 0), 3.0)
    calm = where & (around <= np.median(around[where]))
    energy = float(was[calm].mean())
    return 1.0 - float(now[calm].mean()) / energy if energy > _FLAT else 0.0


def _fine(plane: Mask) -> Mask:
    return np.asarray(plane - cv2.GaussianBlur(plane, (0, 0), 2.0), dtype=np.float32)


def _guided(plane: Mask, radius: float, noise: float) -> tuple[Mask, Mask]:
    """Guided filter of a plane by itself (structure below about `noise` levels is smoothed), and local variance."""
    window = (2 * round(radius) + 1,) * 2
    mean = cv2.blur(plane, window, borderType=cv2.BORDER_REFLECT)
    spread = np.maximum(cv2.blur(plane * plane, window, borderType=cv2.BORDER_REFLECT) - mean * mean, 0.0)
    gain = spread / (spread + np.float32(noise * noise))
    offset = mean - gain * mean
    smooth_gain = cv2.blur(gain, window, borderType=cv2.BORDER_REFLECT)
    smooth_offset = cv2.blur(offset, window, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth_gain * plane + smooth_offset, dtype=np.float32), np.asarray(spread, dtype=np.float32)


def _away_from_black(light: Mask) -> Mask:
    return smoothstep(light / 15.0).astype(np.float32)
