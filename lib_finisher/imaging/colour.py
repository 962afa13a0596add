"""Colour: holding a redraw to the colours that were there, and the gentle corrections of the grade."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.linear import to_linear

_LOW_FREQUENCY_SCALE = 16
_RING_PIXELS = 64
_VIVID = 80.0
# The hue of skin (49 degrees) as a direction, and how far it reaches: 35 degrees, as one minus their cosine.
_SKIN, _SKIN_REACH = (0.66, 0.75), 0.18
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


def to_lab(pixels: Pixels) -> Pixels:
    """CIE L*a*b* (D65) of an sRGB picture: L 0..100, a and b about -128..127."""
    # OpenCV's own way from sRGB interpolates a coarse table: greys come back up to half an 8-bit level off, in bands.
    return lab_of_light(to_linear(pixels))


def lab_of_light(light: Pixels) -> Pixels:
    """CIE L*a*b* of linear light, 0..1."""
    return np.asarray(cv2.cvtColor(light, cv2.COLOR_LRGB2LAB), dtype=np.float32)


def from_lab(lab: Pixels) -> Pixels:
    """The sRGB picture (0..1) of an L*a*b* one."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(lab), cv2.COLOR_LAB2RGB), dtype=np.float32)


def luminance(pixels: Pixels) -> Mask:
    """Luma (Rec. 709 weights) of an sRGB picture, shape (height, width)."""
    # A sum in a fixed order: a matrix product's last bits depend on the processor and on the picture's size.
    red, green, blue = (pixels[..., channel] * weight for channel, weight in enumerate(_LUMA.astype(np.float32)))
    return np.asarray((red + green) + blue, dtype=np.float32)


def low_frequencies(pixels: Pixels, strength: float = 1.0, into: Pixels | None = None) -> Pixels:
    """What is left of a picture at a sixteenth of its size: its colours without its detail, times `strength`.

    `into`, maybe the picture itself, is an array of its shape that may be written to; what counts is the result.
    """
    size = size_of(pixels)
    small = Size(-(-size.width // _LOW_FREQUENCY_SCALE), -(-size.height // _LOW_FREQUENCY_SCALE))
    reduced = cv2.resize(pixels, (small.width, small.height), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(reduced, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT) * np.float32(strength)
    whole = cv2.resize(blurred, (size.width, size.height), dst=into, interpolation=cv2.INTER_CUBIC)
    return np.asarray(whole, dtype=np.float32)


def lock_low_frequencies(redrawn: Pixels, reference: Pixels, strength: float) -> Pixels:
    """`redrawn` with the low frequencies of `reference`, by `strength` (0..1); same shapes."""
    drift = np.subtract(reference, redrawn, order="C")
    drift = low_frequencies(drift, strength, into=drift)
    drift += redrawn
    return drift


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


def lighter(pixels: Pixels, change: Mask) -> Pixels:
    """A picture with `change` (height, width) added to all three channels."""
    result = np.asarray(cv2.merge([change, change, change]), dtype=np.float32)
    result += pixels
    return result


def mixed(pixels: Pixels, matrix: npt.NDArray[np.float32]) -> Pixels:
    """Every pixel's three values times a matrix (3, 3), or (3, 4) with a fourth column to be added."""
    # OpenCV's transform rounds the last pixels of an array differently: a strip's would not be the whole picture's.
    planes = [np.ascontiguousarray(pixels[..., channel]) for channel in range(3)]
    result = np.empty_like(pixels)
    for channel, row in enumerate(matrix):
        total = planes[0] * row[0] + planes[1] * row[1]
        total += planes[2] * row[2]
        result[..., channel] = total + row[3] if len(row) == 4 else total
    return result


def more_colour(lab: Pixels, saturation: float, vibrance: float) -> Pixels:
    """An L*a*b* picture with its chroma multiplied, by controls of -1..1; lightness and hues are kept.

    Saturation spares what is already strong, so that nothing glows. Vibrance is for what is pale, and half of it for
    the hues of skin.
    """
    first, second = lab[..., 1], lab[..., 2]
    chroma = np.sqrt(first * first + second * second)
    factor = np.ones_like(chroma)
    if saturation > 0:
        factor += np.float32(saturation) / (1.0 + (chroma / np.float32(60.0)) ** 2)
    elif saturation < 0:
        factor += np.float32(saturation)
    if vibrance != 0:
        pale = np.maximum(1.0 - chroma / np.float32(_VIVID), 0.0) ** 2
        # The cosine of the angle between a hue and skin's.
        near = (first * np.float32(_SKIN[0]) + second * np.float32(_SKIN[1])) / np.maximum(chroma, np.float32(1e-3))
        away = np.minimum((1.0 - near) / np.float32(_SKIN_REACH), 1.0)
        factor *= 1.0 + np.float32(vibrance) * pale * (0.5 + 0.5 * away)
    return np.asarray(cv2.merge([lab[..., 0], first * factor, second * factor]), dtype=np.float32)


def clipped(pixels: Pixels) -> tuple[int, int]:
    """How many pixels are crushed (all channels at black) and how many blown (all channels at white)."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    brightest, darkest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return int(np.count_nonzero(brightest <= 1.0 / 255.0)), int(np.count_nonzero(darkest >= 254.0 / 255.0))
