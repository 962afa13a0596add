"""Bytes and JSON that are nearly right: what is right, changed in a few places."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

# Numbers at which lengths, counts and offsets go wrong.
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)  # noqa: E501  # fmt: skip

LEAF = (
    st.none() | st.booleans() | st.integers(-3, 200) | st.sampled_from([10**18, -(10**18), 10**400, 1e308, -0.0])
    | st.floats() | st.text(max_size=12)
)  # fmt: skip
JSON = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@st.composite
def mutated(draw: st.DrawFn, originals: Sequence[bytes], most: int = 6) -> bytes:
    """One of the originals with up to `most` changes: bits, bytes, numbers, pieces taken out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(list(originals))))
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.integers(0, 6))
        if how == 0 and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == 1 and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif how == 2:
            width = draw(st.sampled_from([2, 4, 8]))
            number = draw(st.sampled_from(EDGES)) & ((1 << 8 * width) - 1)
            data[at : at + width] = number.to_bytes(width, draw(st.sampled_from(["little", "big"])))
        elif how == 3:
            del data[at : at + draw(st.integers(1, 40))]
        elif how == 4:
            piece = bytes(data[at : at + draw(st.integers(1, 60))])
            data[at:at] = piece * draw(st.integers(1, 4))
        elif how == 5:
            data[at:at] = draw(st.binary(min_size=1, max_size=12))
        else:
            del data[at:]
    return bytes(data)


@st.composite
def mutated_json(draw: st.DrawFn, originals: Sequence[Any], most: int = 4) -> Any:
    """One of the originals with some of its values, keys or items replaced by any."""
    data = draw(st.sampled_from(list(originals)))
    for _ in range(draw(st.integers(0, most))):
        data = _changed(draw, data)
    return data


def _changed(draw: st.DrawFn, data: Any) -> Any:
    if isinstance(data, dict) and data and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(data)))
        how = draw(st.integers(0, 6))
        if how == 0:
            return {name: value for name, value in data.items() if name != key}
        if how == 1:
            return {**data, draw(st.text(max_size=8)): data[key]}
        return {**data, key: _changed(draw, data[key])}
    if isinstance(data, list) and data and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(data) - 1))
        if draw(st.integers(0, 6)) == 0:
            return [*data, data[at]]
        return [*data[:at], _changed(draw, data[at]), *data[at + 1 :]]
    return draw(JSON)


def words(*pieces: str, most: int = 12) -> st.SearchStrategy[str]:
    """Texts put together of pieces and of anything."""
    return st.lists(st.sampled_from(pieces) | st.text(max_size=6), max_size=most).map("".join)


def sized(data: bytes) -> bytes:
    """With its length before it, in eight bytes."""
    return struct.pack("<Q", len(data)) + data
