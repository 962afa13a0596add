"""EXIF: what is asked of it, and the same block with a few tags changed and every other byte where it was.

Written for blocks as they come: nothing odd, cut short or endless in them raises. TIFF 6.0, section 2; EXIF 2.32, 4.6.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from lib_finisher.imaging.user_comment import user_comment

ORIENTATION, EXIF_IFD, USER_COMMENT = 0x0112, 0x8769, 0x9286
_PREFIX = b"Exif\0\0"
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_BYTES, _SHORT, _LONG, _UNDEFINED = (1, 2, 7, 129), 3, 4, 7
# What holds for the source's pixels alone: size and place of its data, and the size that EXIF tells once more.
_OF_PIXELS = frozenset({0x0100, 0x0101, 0x0111, 0x0115, 0x0117, 0x0201, 0x0202, 0xA002, 0xA003, 0x0103, 0x0102, 0x0106})
_FURTHER = (EXIF_IFD, 0x8825, 0xA005)
_MOST_ENTRIES = 4096


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    count: int
    raw: bytes
    """The four bytes of its value, or of the place where that stands."""


class Exif:
    """A block of EXIF, read without trust in it."""

    def __init__(self, data: bytes) -> None:
        """`data` may begin with "Exif\\0\\0"; anything else that is no TIFF block counts as an empty one."""
        block = data.removeprefix(_PREFIX)
        self.little_endian = block.startswith(b"II")
        self._order = "<" if self.little_endian else ">"
        self._block = block if block[:4] in (b"II*\0", b"MM\0*") and len(block) >= 8 else b""
        self._first = self._directory(self._number(4)) if self._block else []
        self._second = self._directory(self._pointer(self._first, EXIF_IFD))

    @property
    def orientation(self) -> int:
        """How the picture lies, 1 to 8; 1 where that is not told."""
        for item in self._first:
            if item.tag == ORIENTATION and item.kind in (_SHORT, _LONG) and item.count == 1:
                value = int(struct.unpack_from(self._order + ("H" if item.kind == _SHORT else "I"), item.raw)[0])
                return value if 1 <= value <= 8 else 1
        return 1

    @property
    def comment(self) -> str:
        """The text of the UserComment, in its own directory or in the first; "" where there is none."""
        for item in (*self._second, *self._first):
            if item.tag == USER_COMMENT and item.kind in _BYTES:
                text = user_comment(self._value(item), self.little_endian)
                if text:
                    return text
        return ""

    def text(self, tag: int) -> str:
        """A text of the first directory, "" where it is not there or is none."""
        for item in self._first:
            if item.tag == tag and item.kind in _BYTES:
                return self._value(item).rstrip(b"\0").decode("utf-8", "replace")
        return ""

    def for_result(self, comment: str = "", keep_comment: bool = False) -> bytes:
        """The block as it stands beside another picture: upright, without thumbnail and size.

        With `comment` as its UserComment in the way of the web UIs, or without any unless `keep_comment`. b"" where
        nothing is left.
        """
        drop = _OF_PIXELS | {EXIF_IFD} | (set() if keep_comment and not comment else {USER_COMMENT})
        first = [self._upright(item) for item in self._first if item.tag not in drop]
        second = [item for item in self._second if item.tag not in drop]
        if not first and not second and not comment:
            return b""
        block = bytearray(self._block[: self._end((*first, *second))] or b"MM\0*\0\0\0\x08")
        order = self._order if self._block else ">"
        if comment:
            told = b"UNICODE\0" + comment.encode("utf-16-be", "replace")
            place = struct.pack(order + "I", _appended(block, told))
            second.append(_Entry(USER_COMMENT, _UNDEFINED, len(told), place))
        if second:
            place = struct.pack(order + "I", _appended(block, _directory(second, order)))
            first.append(_Entry(EXIF_IFD, _LONG, 1, place))
        struct.pack_into(order + "I", block, 4, _appended(block, _directory(first, order)))
        return bytes(block)

    def _upright(self, item: _Entry) -> _Entry:
        if item.tag != ORIENTATION:
            return item
        return _Entry(ORIENTATION, _SHORT, 1, struct.pack(self._order + "HH", 1, 0))

    def _number(self, at: int) -> int:
        return int(struct.unpack_from(self._order + "I", self._block, at)[0])

    def _pointer(self, entries: Sequence[_Entry], tag: int) -> int:
        for item in entries:
            if item.tag == tag and item.kind in (_LONG, 13) and item.count == 1:
                return int(struct.unpack(self._order + "I", item.raw)[0])
        return 0

    def _directory(self, at: int) -> list[_Entry]:
        """The entries of a directory that lie within the block."""
        if not 8 <= at <= len(self._block) - 2:
            return []
        (count,) = struct.unpack_from(self._order + "H", self._block, at)
        entries = []
        for place in range(at + 2, at + 2 + 12 * min(count, _MOST_ENTRIES), 12):
            if place + 12 > len(self._block):
                break
            tag, kind, length = struct.unpack_from(self._order + "HHI", self._block, place)
            item = _Entry(tag, kind, length, self._block[place + 8 : place + 12])
            if kind in _SIZES and self._extent(item)[1] <= len(self._block):
                entries.append(item)
        return entries

    def _extent(self, item: _Entry) -> tuple[int, int]:
        """Where a value stands in the block that does not fit into its entry; (0, 0) where it does."""
        size = _SIZES.get(item.kind, 1) * item.count
        if size <= 4:
            return 0, 0
        start = int(struct.unpack(self._order + "I", item.raw)[0])
        return start, start + size

    def _value(self, item: _Entry) -> bytes:
        start, end = self._extent(item)
        return self._block[start:end] if end else item.raw[: item.count]

    def _end(self, entries: Sequence[_Entry], depth: int = 0) -> int:
        """How far the block is in use by these entries and by the directories that they lead to."""
        ends = [8, *(self._extent(item)[1] for item in entries)]
        for item in entries:
            if item.tag in _FURTHER and depth < 2:
                at = self._pointer([item], item.tag)
                inner = self._directory(at)
                if inner:
                    ends += [at + 6 + 12 * len(inner), self._end(inner, depth + 1)]
        return max(ends)


def _appended(block: bytearray, data: bytes) -> int:
    """Puts data behind a block; where it begins, which is an even place as TIFF wants it."""
    if len(block) % 2:
        block.append(0)
    at = len(block)
    block += data
    return at


def _directory(entries: Sequence[_Entry], order: str) -> bytes:
    ordered = sorted(entries, key=lambda item: item.tag)
    packed = [struct.pack(order + "HHI", item.tag, item.kind, item.count) + item.raw for item in ordered]
    return struct.pack(order + "H", len(packed)) + b"".join(packed) + bytes(4)
