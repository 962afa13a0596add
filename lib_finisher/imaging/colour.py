"""Colour: holding a redraw to the colours that were there, and the gentle corrections of the grade."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Size, size_of

_LOW_FREQUENCY_SCALE = 16
_RING_PIXELS = 64
_MOST_GAIN = 0.15
_SHADES_OF_GREY_NORM = 6.0
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


def to_lab(pixels: Pixels) -> Pixels:
    """CIE L*a*b* (D65) of an sRGB picture: L 0..100, a and b about -128..127."""
    return np.asarray(cv2.cvtColor(np.clip(pixels, 0.0, 1.0), cv2.COLOR_RGB2LAB), dtype=np.float32)


def from_lab(lab: Pixels) -> Pixels:
    """The sRGB picture (0..1) of an L*a*b* one."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(lab), cv2.COLOR_LAB2RGB), dtype=np.float32)


def luminance(pixels: Pixels) -> Mask:
    """Luma (Rec. 709 weights) of an sRGB picture, shape (height, width)."""
    return np.asarray(pixels @ _LUMA, dtype=np.float32)


def low_frequencies(pixels: Pixels) -> Pixels:
    """What is left of a picture at a sixteenth of its size: its colours without its detail."""
    size = size_of(pixels)
    small = Size(-(-size.width // _LOW_FREQUENCY_SCALE), -(-size.height // _LOW_FREQUENCY_SCALE))
    reduced = cv2.resize(pixels, (small.width, small.height), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(reduced, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(blurred, (size.width, size.height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def lock_low_frequencies(redrawn: Pixels, reference: Pixels, strength: float) -> Pixels:
    """`redrawn` with the low frequencies of `reference`, by `strength` (0..1); same shapes."""
    return redrawn + np.float32(strength) * low_frequencies(reference - redrawn)


def match_ring(redrawn: Pixels, reference: Pixels, weight: Mask, strength: float) -> Pixels:
    """`redrawn` with the mean colour that `reference` has where `weight` is 0, by `strength` (0..1).

    What lies outside the mask went through the same model and should not have changed: the difference there is the
    model's colour shift. Works in L*a*b*; gives `redrawn` back where fewer than 64 pixels lie outside.
    """
    ring = weight < 0.02
    if int(ring.sum()) < _RING_PIXELS:
        return redrawn
    was, now = to_lab(reference), to_lab(redrawn)
    shift = (was[ring].mean(axis=0) - now[ring].mean(axis=0)) * np.float32(strength)
    return redrawn if float(np.abs(shift).max()) < 1e-3 else from_lab(now + shift)


def white_balance(pixels: Pixels, strength: float) -> Pixels:
    """Neutralise a colour cast by "shades of grey" (Finlayson & Trezzi 2004, norm 6), gains within ±15 %.

    `strength` 0..1. Pixels near black or white, which say little about the light, are left out of the estimate.
    """
    light = luminance(pixels)
    telling = (light > 0.02) & (light < 0.98)
    if strength <= 0 or int(telling.sum()) < _RING_PIXELS:
        return pixels
    values = np.clip(pixels[telling].astype(np.float64), 0.0, 1.0)
    norms = np.mean(values**_SHADES_OF_GREY_NORM, axis=0) ** (1.0 / _SHADES_OF_GREY_NORM)
    gains = np.clip(norms.mean() / np.maximum(norms, 1e-6), 1.0 - _MOST_GAIN, 1.0 + _MOST_GAIN)
    return pixels * (1.0 + np.float32(strength) * (gains.astype(np.float32) - 1.0))


def tone(pixels: Pixels, contrast: float, saturation: float) -> Pixels:
    """Contrast and saturation, each -1..1; with both at 0 nothing changes.

    Contrast is an S-curve about middle grey on the lightness, colours kept. Saturation multiplies the chroma by
    1 + `saturation`, less where a colour is already strong, so that nothing glows.
    """
    if contrast == 0 and saturation == 0:
        return pixels
    lab = to_lab(pixels)
    if contrast != 0:
        level = lab[..., 0] / np.float32(100.0)
        curve = level * level * (np.float32(3.0) - np.float32(2.0) * level)
        lab[..., 0] = np.float32(100.0) * (level + np.float32(contrast) * (curve - level))
    if saturation != 0:
        chroma = np.hypot(lab[..., 1], lab[..., 2])
        room = 1.0 / (1.0 + (chroma / np.float32(60.0)) ** 2) if saturation > 0 else np.ones_like(chroma)
        lab[..., 1:] *= (1.0 + np.float32(saturation) * room)[..., None]
    return from_lab(lab)


def clipped_shares(pixels: npt.NDArray[Any]) -> tuple[float, float]:
    """The shares (0..1) of crushed (all channels at black) and blown (all channels at white) pixels."""
    crushed = np.all(pixels <= 1.0 / 255.0, axis=-1).mean()
    blown = np.all(pixels >= 254.0 / 255.0, axis=-1).mean()
    return float(crushed), float(blown)
