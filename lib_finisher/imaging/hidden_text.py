"""Infotexts hidden in the last bits of a picture: "stealth PNG info" of the web UIs, and what NovelAI writes.

Bits run down the columns from the left, most significant first: 15 letters that say how, 32 bits that say how many bits
follow, then the text in UTF-8, by itself or as gzip.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from lib_finisher.imaging.png_chunks import MOST_TEXT

_MARK_BYTES, _LENGTH_BYTES = 15, 4
_GZIP = 16 + zlib.MAX_WBITS
# (letters at the beginning, whether they stand in the transparency, whether what follows is gzip)
_WAYS = (
    (b"stealth_pnginfo", True, False), (b"stealth_pngcomp", True, True),
    (b"stealth_rgbinfo", False, False), (b"stealth_rgbcomp", False, True),
)  # fmt: skip


def hidden_text(image: Image.Image) -> tuple[str, bool]:
    """(the text, whether it stands in the transparency, which then tells nothing else); "" where there is none."""
    if image.mode not in ("RGB", "RGBA") or image.format not in ("PNG", "WEBP", None):
        return "", False
    levels = np.asarray(image)
    if levels[..., :1].size * 3 < 8 * (_MARK_BYTES + _LENGTH_BYTES):
        return "", False
    for in_alpha in (True, False) if image.mode == "RGBA" else (False,):
        planes = levels[..., 3:] if in_alpha else levels[..., :3]
        mark = _bytes_at(planes, 0, _MARK_BYTES)
        for letters, alpha, packed in _WAYS:
            if mark == letters and alpha == in_alpha:
                return _text(planes, packed), in_alpha
    return "", False


def _text(planes: npt.NDArray[np.uint8], packed: bool) -> str:
    length = int.from_bytes(_bytes_at(planes, _MARK_BYTES, _LENGTH_BYTES), "big") // 8
    first = _MARK_BYTES + _LENGTH_BYTES
    if length > min(planes.size // 8 - first, MOST_TEXT):
        return ""
    data = _bytes_at(planes, first, length)
    try:
        if packed:
            engine = zlib.decompressobj(_GZIP)
            data = engine.decompress(data, MOST_TEXT)
            if not engine.eof:
                return ""
        return data.decode("utf-8")
    except (zlib.error, UnicodeDecodeError):
        return ""


def _bytes_at(planes: npt.NDArray[np.uint8], first: int, count: int) -> bytes:
    """Bytes made of last bits, of which a pixel of `planes` (height, width, channels) holds one a channel."""
    column = planes.shape[0] * planes.shape[2]
    left, right = first * 8 // column, -(-(first + count) * 8 // column)
    bits = (planes[:, left:right] & 1).transpose(1, 0, 2).ravel()
    begin = first * 8 - left * column
    return np.packbits(bits[begin : begin + count * 8]).tobytes()
