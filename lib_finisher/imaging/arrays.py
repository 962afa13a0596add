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

# As much at once as stays near a processor.
_STRIP_VALUES = 3 << 16


def from_uint16(rounded: Rounded) -> Pixels:
    """The float picture of a 16-bit one. Exact for every value that came from 8 bits."""
    return np.divide(rounded, np.float32(65535.0), dtype=np.float32)


def from_uint8(levels: npt.NDArray[np.uint8]) -> Pixels:
    """The float picture (0..1) of an 8-bit one."""
    return np.divide(levels, np.float32(255.0), dtype=np.float32)


def to_uint16(pixels: npt.NDArray[Any]) -> Rounded:
    """Round a float picture (0..1, clipped) to 16 bits, the lossless currency between stages."""
    return _rounded(pixels, np.empty(pixels.shape, dtype=np.uint16), 65535.0)


def to_uint8(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Round a float picture (0..1, clipped) to 8 bits."""
    return _rounded(pixels, np.empty(pixels.shape, dtype=np.uint8), 255.0)


def as_stored(pixels: Pixels, own: bool = False) -> Pixels:
    """A float picture as it comes back from 16 bits: the array itself where that changes nothing, or where it is the
    caller's `own`, which is then changed in place; no second picture is held beside it."""
    result = pixels if own and pixels.flags.writeable else None
    for strip in _strips(pixels):
        part = from_uint16(to_uint16(pixels[strip]))
        if result is None and not np.array_equal(part, pixels[strip]):
            result = pixels.astype(np.float32)
        if result is not None:
            result[strip] = part
    return pixels if result is None else result


def _rounded(pixels: npt.NDArray[Any], into: npt.NDArray[Any], levels: float) -> npt.NDArray[Any]:
    # In strips: a picture of 16384 × 16384 would take twice 3 GB on the way, and it is three times as fast.
    for strip in _strips(pixels):
        part = np.clip(pixels[strip], 0.0, 1.0)
        part = np.multiply(part, np.float32(levels), dtype=np.float32)
        into[strip] = np.rint(part, out=part)
    return into


def _strips(pixels: npt.NDArray[Any]) -> list[slice]:
    """Of rows, all together the picture; an array of less than two dimensions is one."""
    if pixels.ndim < 2:
        return [slice(None)] if pixels.ndim else []
    rows = max(1, _STRIP_VALUES // max(1, pixels[:1].size))
    return [slice(top, top + rows) for top in range(0, len(pixels), rows)]
