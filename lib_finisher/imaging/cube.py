"""Reading .cube files: lookup tables as Adobe specifies them, with what DaVinci Resolve adds, as loosely as they come.

Resolve's README of its format (18): a 1D table before the 3D one, LUT_1D_INPUT_RANGE and LUT_3D_INPUT_RANGE, and
LUT_IN_VIDEO_RANGE and LUT_OUT_VIDEO_RANGE, which mean that values run from 64 to 940 of 1023.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lib_finisher.plain_files import read_file

LARGEST_1D = 65536
# A table of 129 a side has 2.1 million entries, and its file nears the limit below; editors write 17 to 65.
LARGEST_3D = 129
MOST_BYTES = 64 * 1024 * 1024
# Twice the entries of the largest tables, for comments and empty lines between them.
MOST_LINES = 2 * (LARGEST_3D**3 + LARGEST_1D)
LONGEST_LINE = 100_000

_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_SIZES = {"LUT_1D_SIZE": LARGEST_1D, "LUT_3D_SIZE": LARGEST_3D}
_RANGES = {"LUT_1D_INPUT_RANGE": "LUT_1D_SIZE", "LUT_3D_INPUT_RANGE": "LUT_3D_SIZE"}
_DOMAINS = ("DOMAIN_MIN", "DOMAIN_MAX")
_VIDEO_IN, _VIDEO_OUT = "LUT_IN_VIDEO_RANGE", "LUT_OUT_VIDEO_RANGE"
_WRITTEN_WITH_0 = 4096
# How many lines a title may run over, and how many unknown lines are named.
_TITLE_LINES, _NAMED = 10, 3

Triple = tuple[float, float, float]
_Line = tuple[int, str]


class LutError(ValueError):
    """A file that is no usable lookup table. The message names the file, and the line where there is one to blame."""


@dataclass(frozen=True, eq=False)
class Cube:
    """A lookup table: `table` is (entries, 3), red varying fastest; inputs run from `lowest` to `highest`.

    A 1D table has `size` entries, a 3D one `size` ** 3.
    """

    table: npt.NDArray[np.float32]
    size: int
    solid: bool
    lowest: Triple = (0.0, 0.0, 0.0)
    highest: Triple = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class LutFile:
    """What a file holds: one table, or a 1D one (a shaper) and a 3D one that come one after the other.

    `video_in` says that the tables want inputs of video range, `video_out` that they give such outputs.
    """

    tables: tuple[Cube, ...]
    title: str = ""
    video_in: bool = False
    video_out: bool = False
    notes: tuple[str, ...] = field(default=())


def read_cube(path: Path) -> LutFile:
    """The tables of a file of at most 64 MiB, 2 to 129 entries a side (3D) or 2 to 65536 (1D). Raises LutError."""
    try:
        data = read_file(path, MOST_BYTES)
    except OSError as error:
        raise LutError(f"{path.name}: cannot be read ({error.strerror or error}).") from error
    return parse_cube(data, path.name)


def parse_cube(data: bytes, name: str) -> LutFile:
    """The tables in a file's contents; `name` is for messages. Raises LutError."""
    lines = _lines(_text(data, name), name)
    head = _Head(name)
    first = head.read(lines)
    rows = _rows(lines[first:])
    if not head.sizes:
        head.guess(len(rows))
    counts = [size**3 if key == "LUT_3D_SIZE" else size for key, size in head.sizes.items()]
    table = _fast(rows, sum(counts))
    if table is None:
        numbered = [(number, text) for number, line in enumerate(lines[first:], first + 1) if (text := _entry(line))]
        table = _checked(numbered, sum(counts), name)
    tables, at = [], 0
    for (key, size), count in zip(head.sizes.items(), counts):
        lowest, highest = head.domain(key)
        tables.append(Cube(table[at : at + count], size, key == "LUT_3D_SIZE", lowest, highest))
        at += count
    return LutFile(tuple(tables), head.title, _VIDEO_IN in head.flags, _VIDEO_OUT in head.flags, head.told())


def _text(data: bytes, name: str) -> str:
    """The text of a file in UTF-8 or UTF-16, without the end mark of DOS and zeros behind it."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[2:].decode(encoding, errors="replace").rstrip("\0\x1a")
    start = data[:_WRITTEN_WITH_0]
    if b"\0" in start.rstrip(b"\0"):
        for place, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            if len(start) > 1 and not any(start[place::2]) and all(start[1 - place :: 2]):
                return data.decode(encoding, errors="replace").rstrip("\0\x1a")
        raise LutError(f"{name}: not a text file, so not a .cube.")
    return data.rstrip(b"\0\x1a").decode("utf-8-sig", errors="replace")


def _lines(text: str, name: str) -> list[str]:
    """The lines of a file, which are counted before they are made. Raises LutError."""
    count = sum(map(text.count, _LINE_ENDS))
    if count > MOST_LINES:
        raise LutError(f"{name}: {count} lines are too many; at most {MOST_LINES} are read, and a table needs fewer.")
    lines = text.splitlines()
    longest = max(map(len, lines), default=0)
    if longest > LONGEST_LINE:
        raise LutError(f"{name}: a line of {longest} characters is too long; an entry is three numbers.")
    return lines


class _Head:
    """The keywords before the first entry. `sizes` are those of the tables, in the order of their entries."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = ""
        self.sizes: dict[str, int] = {}
        self.flags: set[str] = set()
        self.bounds: dict[str, tuple[int, Triple]] = {}
        self.unknown = 0
        self.named: list[str] = []
        self.guessed = ""

    def read(self, lines: Sequence[str]) -> int:
        """Understand the lines before the first entry; how many they are."""
        at = 0
        while at < len(lines):
            line = lines[at].strip()
            if _is_entry(line):
                break
            at += self.take_title(lines, at) if line[:5].upper() == "TITLE" else self.take(at + 1, line)
        # Resolve's order, whichever size is named first: a shaper comes before what it shapes for.
        self.sizes = {key: self.sizes[key] for key in _SIZES if key in self.sizes}
        return at

    def take_title(self, lines: Sequence[str], at: int) -> int:
        """A title, which may run over lines where it is in quotes; over how many it does."""
        begun = lines[at].strip()[5:].strip()
        if begun.startswith('"') and '"' not in begun[1:]:
            for more in range(1, _TITLE_LINES):
                if at + more < len(lines) and lines[at + more].rstrip().endswith('"'):
                    inner = " ".join(line.strip() for line in lines[at + 1 : at + more + 1])
                    self.title = f"{begun[1:]} {inner[:-1]}".strip()
                    return more + 1
        self.title = begun[1:].partition('"')[0] if begun.startswith('"') else begun
        return 1

    def take(self, number: int, line: str) -> int:
        """Understand one line, or note that it is unknown; it is one."""
        words = line.partition("#")[0].replace("=", " ").split()
        if not words or words[0].startswith("//"):
            return 1
        key = words[0].upper().rstrip(":")
        if key in _SIZES:
            self.take_size(number, key, words[1:])
        elif key in _DOMAINS:
            self.bounds[key] = number, self.numbers(number, key, words[1:], 3)
        elif key in _RANGES:
            low, high, _ = self.numbers(number, key, words[1:], 2)
            for domain, value in zip(_DOMAINS, (low, high)):
                self.bounds[_RANGES[key] + domain] = number, (value,) * 3
        elif key in (_VIDEO_IN, _VIDEO_OUT):
            self.flags.add(key)
        else:
            self.unknown += 1
            if self.unknown <= _NAMED:
                self.named.append(f"line {number}, {line[:40]!r}")
        return 1

    def take_size(self, number: int, key: str, words: list[str]) -> None:
        """A size, of which a table has one."""
        most = _SIZES[key]
        # Digits only: a number as long as the line would be slow to convert.
        if len(words) != 1 or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 6:
            raise LutError(f"{self.name}, line {number}: {key} must be one whole number from 2 to {most}.")
        size = int(words[0])
        if not 2 <= size <= most:
            raise LutError(f"{self.name}, line {number}: {key} {size} is not accepted; 2 to {most} are.")
        if self.sizes.setdefault(key, size) != size:
            raise LutError(f"{self.name}, line {number}: a second {key}; a table has one.")

    def numbers(self, number: int, key: str, words: list[str], count: int) -> Triple:
        """`count` finite numbers, a third being 0 where two are wanted."""
        values = [_number(word) for word in _entry(" ".join(words)).split()]
        if len(values) != count or not all(map(math.isfinite, values)):
            raise LutError(f"{self.name}, line {number}: {key} must be {count} numbers.")
        return values[0], values[1], values[2] if count == 3 else 0.0

    def guess(self, entries: int) -> None:
        """The size where none is told and the number of entries leaves no doubt. Raises LutError."""
        side = round(entries ** (1 / 3))
        is_power = entries & (entries - 1) == 0
        if side**3 == entries and 2 < side <= LARGEST_3D and not is_power:
            self.sizes = {"LUT_3D_SIZE": side}
            self.guessed = f"it tells no size; its {entries} entries were taken for a 3D table of {side} a side"
        elif side**3 != entries and 256 <= entries <= LARGEST_1D and is_power:
            self.sizes = {"LUT_1D_SIZE": entries}
            self.guessed = f"it tells no size; its {entries} entries were taken for a 1D table"
        else:
            raise LutError(f"{self.name}: neither LUT_1D_SIZE nor LUT_3D_SIZE stands before the first entry.")

    def domain(self, key: str) -> tuple[Triple, Triple]:
        """From where to where the inputs of a table run. DOMAIN is that of the first one."""
        number, ends = 0, []
        for domain, usual in zip(_DOMAINS, (0.0, 1.0)):
            at, end = self.bounds.get(key + domain) or (
                self.bounds.get(domain, (0, (usual,) * 3)) if key == next(iter(self.sizes)) else (0, (usual,) * 3)
            )
            number = max(number, at)
            ends.append(end)
        lowest, highest = ends
        if any(high - low < 1e-6 for low, high in zip(lowest, highest)):
            raise LutError(f"{self.name}, line {number}: the inputs' range is empty or the wrong way round.")
        return lowest, highest

    def told(self) -> tuple[str, ...]:
        """What a person should know of how the file was read."""
        notes = [f"{self.name}: {self.guessed}"] if self.guessed else []
        if self.unknown:
            more = f" and {self.unknown - _NAMED} more" if self.unknown > _NAMED else ""
            what = "; ".join(self.named)
            notes.append(f"{self.name}: unknown and passed over: {what}{more}")
        return tuple(notes)


def _rows(lines: Sequence[str]) -> list[str]:
    """The lines with numbers in them. Most files need no look at each."""
    text = " ".join(lines)
    if any(mark in text for mark in ("#", "//", ",", ";")):
        return [row for line in lines if (row := _entry(line))]
    return [line for line in lines if line and not line.isspace()]


def _fast(rows: Sequence[str], entries: int) -> npt.NDArray[np.float32] | None:
    """The entries, if all of them are in order; whatever is wrong is then looked for line by line."""
    if len(rows) != entries:
        return None
    text = " ".join(rows)
    if "_" in text or not text.isascii() or any(len(line.split()) != 3 for line in rows):
        return None
    try:
        table = np.array(text.split(), dtype=np.float64).reshape(entries, 3)
    except ValueError:
        return None
    return _single(table) if np.isfinite(table).all() else None


def _checked(rows: Sequence[_Line], entries: int, name: str) -> npt.NDArray[np.float32]:
    kept: list[tuple[float, ...]] = []
    for number, line in rows:
        values = tuple(_number(word) for word in line.split())
        if len(values) != 3 or any(map(math.isnan, values)):
            raise LutError(f"{name}, line {number}: {line.strip()[:40]!r} is no entry; an entry is three numbers.")
        if any(map(math.isinf, values)):
            raise LutError(f"{name}, line {number}: an entry must be finite.")
        if len(kept) == entries:
            raise LutError(f"{name}, line {number}: one entry too many; the size asks for {entries}.")
        kept.append(values)
    if len(kept) < entries:
        raise LutError(f"{name}: cut short or of another size: {entries} entries expected, {len(kept)} found.")
    return _single(np.array(kept, dtype=np.float64))


def _single(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    # No picture needs more, and squares of what is near a float's limit would not be finite.
    return np.clip(table, -1e6, 1e6).astype(np.float32)


def _entry(line: str) -> str:
    """A line's numbers with blanks between them and points for decimals; "" for a comment and a blank line."""
    text = line.partition("#")[0].partition("//")[0].replace(";", " ").strip()
    if "," not in text:
        return text
    words = text.split()
    if "." in text or len(words) == 1:
        return text.replace(",", " ")
    return " ".join(word.rstrip(",").replace(",", ".") for word in words)


def _is_entry(line: str) -> bool:
    """Whether a line is meant for an entry, be it a broken one: it begins with a number, or with NaN."""
    word = (line.split() or ["#"])[0]
    return word[0] in "+-.0123456789" or word.lower().rstrip(",;") in ("nan", "inf", "infinity")


def _number(word: str) -> float:
    """The number that a word is, NaN where it is none."""
    if "_" in word or not word.isascii():
        return math.nan
    try:
        return float(word)
    except ValueError:
        return math.nan
