"""Between the sRGB encoding and linear light."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels

_LEVELS = 65535


def to_linear(pixels: Pixels) -> Pixels:
    """The linear light (0..1) of an sRGB picture, to 16 bits of the encoding; what is outside 0..1 is clipped."""
    levels = np.clip(pixels, 0.0, 1.0)
    levels *= np.float32(_LEVELS)
    levels += np.float32(0.5)
    return np.asarray(_decoding().take(levels.astype(np.uint16)), dtype=np.float32)


def from_linear(light: Pixels) -> Pixels:
    """The sRGB picture of linear light, clipped to 0..1."""
    clipped = np.clip(light, 0.0, 1.0)
    powers = np.asarray(cv2.pow(clipped, 1.0 / 2.4), dtype=np.float32).reshape(clipped.shape)
    powers *= np.float32(1.055)
    powers -= np.float32(0.055)
    return np.where(clipped <= np.float32(0.0031308), clipped * np.float32(12.92), powers)


@functools.cache
def _decoding() -> npt.NDArray[np.float32]:
    encoded = np.arange(_LEVELS + 1, dtype=np.float64) / _LEVELS
    low = encoded <= 0.04045
    return np.where(low, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)
