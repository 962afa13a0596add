"""Files whose last bytes are missing: what is there of the picture is read, and what is not is said.

As browsers and most editors do. Half of the rows must be there; a picture with more missing is better fetched again.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image

from lib_finisher.imaging.limits import MOST_SIDE
from lib_finisher.imaging.png_chunks import SIGNATURE, chunk, chunks_of

_LEAST_SHARE = 0.5
_PIECE = 1 << 16
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# The seven passes of Adam7: (first column, first row, step across, step down).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_END_OF_JPEG = b"\xff\xd9"
# Tables and scans, of which a progressive file has several.
_SCAN_BEGINS = (0xC4, 0xDA)
# What libjpeg fills rows with of which it has nothing.
_FILLED = 128
_ONLY_END = "the end of the file is missing; all of the picture is there"


class TooLittleLeft(ValueError):
    """A file of which too little is left. The message says how much."""


def completed_png(data: bytes) -> tuple[bytes, str]:
    """(the PNG with its end put back, what is missing), "" where nothing is; rows that are missing are black.

    Raises TooLittleLeft.
    """
    chunks = list(chunks_of(data))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) < 13 or chunks[-1][0] == b"IEND":
        return data, ""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", chunks[0][1])
    if colour not in _CHANNELS or width * height > MOST_SIDE * MOST_SIDE:
        return data, ""
    expected = _bytes_of_rows(width, height, depth * _CHANNELS[colour], bool(interlaced))
    rows, whole = _inflated(b"".join(body for kind, body, _ in chunks if kind == b"IDAT"), expected)
    share = len(rows) / expected
    if share < _LEAST_SHARE:
        raise TooLittleLeft(f"only {100 * share:.0f} % of the picture are there")
    kept = [raw for kind, _, raw in chunks if kind[:1].isupper() and kind not in (b"IDAT", b"IEND")]
    kept += [raw for kind, _, raw in chunks if kind == b"tRNS"]
    packed = zlib.compress(rows + bytes(expected - len(rows)), 1)
    pixels = b"".join([SIGNATURE, *kept, chunk(b"IDAT", packed), chunk(b"IEND", b"")])
    if whole or len(rows) == expected:
        return pixels, _ONLY_END
    missing = max(1, round(height * (1 - share)))
    where = "finer detail everywhere is coarser" if interlaced else f"the last {missing} of {height} rows are black"
    return pixels, f"the file is cut short: {100 * share:.0f} % of the picture are there, {where}"


def completed_jpeg(data: bytes) -> tuple[bytes, ...]:
    """Ways to put an end to a JPEG that has none, the one that loses least first."""
    # The beginning of a scan may itself be cut short, and then nothing but what came before it can be read.
    last = max((data.rfind(bytes((0xFF, kind))) for kind in _SCAN_BEGINS), default=-1)
    return (data + _END_OF_JPEG, data[:last] + _END_OF_JPEG) if last > 0 else (data + _END_OF_JPEG,)


def told_of_jpeg(image: Image.Image) -> str:
    """What is missing of a JPEG that was completed and decoded. Raises TooLittleLeft."""
    levels = np.asarray(image)
    filled = ((levels == _FILLED) | (levels == _FILLED - 1)).reshape(len(levels), -1).all(axis=1)
    missing = len(levels) if filled.all() else int(np.argmin(filled[::-1]))
    share = 1 - missing / len(levels)
    if share < _LEAST_SHARE:
        raise TooLittleLeft(f"only {100 * share:.0f} % of the picture are there")
    if not missing:
        return "the end of the file is missing; the last rows of the picture may be coarser"
    return f"the file is cut short: the last {missing} of {len(levels)} rows of the picture are grey"


def _bytes_of_rows(width: int, height: int, bits: int, interlaced: bool) -> int:
    """How many bytes the rows of a PNG have before they are compressed, each with one for its filter."""
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, lines = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and lines > 0:
            total += lines * (1 + -(-columns * bits // 8))
    return total


def _inflated(packed: bytes, expected: int) -> tuple[bytes, bool]:
    """(what comes of a stream that may end anywhere, at most `expected` bytes; whether it has come to its end)."""
    engine, parts, left = zlib.decompressobj(), [], expected
    try:
        for at in range(0, len(packed), _PIECE):
            if left <= 0:
                break
            # No piece can become longer than what is still expected.
            parts.append(engine.decompress(engine.unconsumed_tail + packed[at : at + _PIECE], left))
            left -= len(parts[-1])
    except zlib.error:
        # What came before the damage stays.
        pass
    return b"".join(parts), engine.eof
