"""16-bit PNG with text chunks: Pillow writes no 16-bit colour, and OpenCV writes no text."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import cv2
import numpy as np
from PIL import PngImagePlugin

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint16

# The signature and the header chunk, which has to be the first.
_HEADER_BYTES = 8 + 25
_COMPRESSION = 3


def text_chunks(texts: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """Texts by their keywords, as chunks that every reader of PNG understands."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text) if not text.isascii() else info.add_text(key, text)
    return info


def png16(pixels: Pixels, alpha: Mask | None = None, texts: Mapping[str, str] | None = None) -> bytes:
    """A picture (height, width, 3), 0..1, and its transparency as the bytes of a 16-bit PNG. Raises OSError."""
    levels = to_uint16(pixels)[..., ::-1]
    if alpha is not None:
        levels = np.dstack([levels, to_uint16(alpha)])
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(levels), [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not done:
        raise OSError(f"{levels.shape[1]} × {levels.shape[0]} pixels cannot be written as a 16-bit PNG")
    data = encoded.tobytes()
    chunks = b"".join(_chunk(item[0], item[1]) for item in text_chunks(texts or {}).chunks)
    return data[:_HEADER_BYTES] + chunks + data[_HEADER_BYTES:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
