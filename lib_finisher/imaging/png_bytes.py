"""PNG by OpenCV, which takes half of Pillow's time and writes 16-bit colour, too."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint16

# Higher ones take twice the time for files of finished pictures that are no smaller: docs/speed.md.
_COMPRESSION = 1


def png8(levels: npt.NDArray[np.uint8]) -> bytes:
    """Levels (height, width, 3; or 4 with transparency), RGB, as the bytes of an 8-bit PNG. Raises OSError."""
    return _encoded(levels)


def png16(pixels: Pixels, alpha: Mask | None = None) -> bytes:
    """A picture (height, width, 3), 0..1, and its transparency as the bytes of a 16-bit PNG. Raises OSError."""
    levels = to_uint16(pixels)
    return _encoded(levels if alpha is None else np.dstack([levels, to_uint16(alpha)]))


def _encoded(levels: npt.NDArray[Any]) -> bytes:
    order = cv2.COLOR_RGBA2BGRA if levels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    try:
        done, encoded = cv2.imencode(
            ".png", cv2.cvtColor(np.ascontiguousarray(levels), order), [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION]
        )
    except cv2.error as error:
        raise OSError(f"OpenCV could not write the PNG ({error.err})") from error
    if not done:
        raise OSError(f"{levels.shape[1]} × {levels.shape[0]} pixels cannot be written as a PNG")
    return encoded.tobytes()
