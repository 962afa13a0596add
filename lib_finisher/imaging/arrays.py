"""The array types every room of Finisher speaks in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
"""A picture: shape (height, width, 3), RGB in the sRGB encoding, 0..1."""

Mask = npt.NDArray[np.float32]
"""Where a picture may change, and how much: shape (height, width), 0..1."""

Rounded = npt.NDArray[np.uint16]
"""A picture between two stages: shape (height, width, 3), RGB, 0..65535."""

_STRIP = 256


def from_uint16(rounded: Rounded) -> Pixels:
    """The float picture of a 16-bit one. Exact for every value that came from 8 bits."""
    pixels = rounded.astype(np.float32)
    pixels /= np.float32(65535.0)
    return pixels


def to_uint16(pixels: npt.NDArray[Any]) -> Rounded:
    """Round a float picture (0..1, clipped) to 16 bits, the lossless currency between stages."""
    rounded = np.empty(pixels.shape, dtype=np.uint16)
    # In strips: a picture of 16384 × 16384 would take twice 3 GB on the way.
    for top in range(0, len(pixels), _STRIP):
        strip = slice(top, top + _STRIP)
        rounded[strip] = np.rint(np.clip(pixels[strip], 0.0, 1.0) * np.float32(65535.0))
    return rounded


def to_uint8(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Round a float picture (0..1, clipped) to 8 bits."""
    return np.rint(np.clip(pixels, 0.0, 1.0) * np.float32(255.0)).astype(np.uint8)
