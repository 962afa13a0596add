"""16-bit PNG: Pillow writes no 16-bit colour."""

from __future__ import annotations

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint16

_COMPRESSION = 3


def png16(pixels: Pixels, alpha: Mask | None = None) -> bytes:
    """A picture (height, width, 3), 0..1, and its transparency as the bytes of a 16-bit PNG. Raises OSError."""
    levels = to_uint16(pixels)[..., ::-1]
    if alpha is not None:
        levels = np.dstack([levels, to_uint16(alpha)])
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(levels), [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not done:
        raise OSError(f"{levels.shape[1]} × {levels.shape[0]} pixels cannot be written as a 16-bit PNG")
    return encoded.tobytes()
