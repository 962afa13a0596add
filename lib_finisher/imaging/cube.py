"""Reading .cube files: lookup tables as Adobe specifies them, with the input ranges that Resolve writes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

LARGEST_1D = 65536
# A table of 129 a side has 2.1 million entries, and its file nears the limit below; editors write 17 to 65.
LARGEST_3D = 129
MOST_BYTES = 64 * 1024 * 1024

_SIZES = {"LUT_1D_SIZE": LARGEST_1D, "LUT_3D_SIZE": LARGEST_3D}
_RANGES = ("LUT_1D_INPUT_RANGE", "LUT_3D_INPUT_RANGE")
_DOMAINS = ("DOMAIN_MIN", "DOMAIN_MAX")

Triple = tuple[float, float, float]


class CubeError(ValueError):
    """A file that is no usable .cube. The message names the file, and the line where there is one to blame."""


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
    title: str = ""


def read_cube(path: Path) -> Cube:
    """The table of a file of at most 64 MiB, 2 to 129 entries a side (3D) or 2 to 65536 (1D). Raises CubeError."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise CubeError(f"{path.name}: {size / 2**20:.0f} MiB are too many; at most {MOST_BYTES >> 20} are read.")
        data = path.read_bytes()
    except OSError as error:
        raise CubeError(f"{path.name}: cannot be read ({error.strerror or error}).") from error
    return parse_cube(data, path.name)


def parse_cube(data: bytes, name: str) -> Cube:
    """The table in a file's contents; `name` is for messages. Raises CubeError."""
    if b"\0" in data[:4096]:
        raise CubeError(f"{name}: not a text file, so not a .cube.")
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    head = _Head(name)
    first = next((at for at, line in enumerate(lines) if _is_entry(line)), len(lines))
    for number, line in enumerate(lines[:first], 1):
        head.take(number, line)
    entries = head.entries()
    table = _fast(lines[first:], entries)
    if table is None:
        table = _checked(lines, first, entries, name)
    lowest, highest = head.domain()
    return Cube(table, head.size, head.solid, lowest, highest, head.title)


class _Head:
    """The keywords before the first entry."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = ""
        self.size = 0
        self.solid = False
        self.bounds: dict[str, tuple[int, Triple]] = {}

    def take(self, number: int, line: str) -> None:
        """Understand one line, or say that it cannot be."""
        words = line.split()
        if not words or words[0].startswith("#"):
            return
        key = words[0].upper()
        if key == "TITLE":
            self.title = line.strip()[5:].strip().strip('"')
        elif key in _SIZES:
            self.take_size(number, key, words[1:])
        elif key in _DOMAINS:
            self.bounds[key] = number, self.numbers(number, key, words[1:], 3)
        elif key in _RANGES:
            low, high, _ = self.numbers(number, key, words[1:], 2)
            self.bounds["DOMAIN_MIN"], self.bounds["DOMAIN_MAX"] = (number, (low,) * 3), (number, (high,) * 3)
        else:
            raise CubeError(f"{self.name}, line {number}: {line.strip()[:40]!r} is no keyword and no entry of a .cube.")

    def take_size(self, number: int, key: str, words: list[str]) -> None:
        """The size, of which there is one."""
        if self.size:
            raise CubeError(f"{self.name}, line {number}: a second size; a table has one, 1D or 3D.")
        most = _SIZES[key]
        # Digits only: a number as long as the line would be slow to convert.
        if len(words) != 1 or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 6:
            raise CubeError(f"{self.name}, line {number}: {key} must be one whole number from 2 to {most}.")
        self.size, self.solid = int(words[0]), key == "LUT_3D_SIZE"
        if not 2 <= self.size <= most:
            raise CubeError(f"{self.name}, line {number}: {key} {self.size} is not accepted; 2 to {most} are.")

    def numbers(self, number: int, key: str, words: list[str], count: int) -> Triple:
        """`count` finite numbers, a third being 0 where two are wanted."""
        values = [_number(word) for word in words]
        if len(values) != count or not all(map(math.isfinite, values)):
            raise CubeError(f"{self.name}, line {number}: {key} must be {count} numbers.")
        return values[0], values[1], values[2] if count == 3 else 0.0

    def entries(self) -> int:
        """How many entries there must be."""
        if not self.size:
            raise CubeError(f"{self.name}: neither LUT_1D_SIZE nor LUT_3D_SIZE stands before the first entry.")
        return self.size**3 if self.solid else self.size

    def domain(self) -> tuple[Triple, Triple]:
        """From where to where inputs run."""
        number, lowest = self.bounds.get("DOMAIN_MIN", (0, (0.0, 0.0, 0.0)))
        other, highest = self.bounds.get("DOMAIN_MAX", (0, (1.0, 1.0, 1.0)))
        if any(high - low < 1e-6 for low, high in zip(lowest, highest)):
            raise CubeError(
                f"{self.name}, line {max(number, other)}: the inputs' range is empty or the wrong way round."
            )
        return lowest, highest


def _fast(lines: list[str], entries: int) -> npt.NDArray[np.float32] | None:
    """The entries, if all of them are in order; whatever is wrong is then looked for line by line."""
    kept = [line for line in lines if line and not line.isspace() and not line.lstrip().startswith("#")]
    if len(kept) != entries:
        return None
    text = " ".join(kept)
    if "_" in text or not text.isascii() or any(len(line.split()) != 3 for line in kept):
        return None
    try:
        table = np.array(text.split(), dtype=np.float64).reshape(entries, 3)
    except ValueError:
        return None
    return _single(table) if np.isfinite(table).all() else None


def _checked(lines: list[str], first: int, entries: int, name: str) -> npt.NDArray[np.float32]:
    found: list[tuple[float, ...]] = []
    for number, line in enumerate(lines[first:], first + 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        values = tuple(_number(word) for word in words)
        if len(values) != 3 or any(map(math.isnan, values)):
            raise CubeError(f"{name}, line {number}: {line.strip()[:40]!r} is no entry; an entry is three numbers.")
        if any(map(math.isinf, values)):
            raise CubeError(f"{name}, line {number}: an entry must be finite.")
        if len(found) == entries:
            raise CubeError(f"{name}, line {number}: one entry too many; the size asks for {entries}.")
        found.append(values)
    if len(found) < entries:
        raise CubeError(f"{name}: cut short or of another size: {entries} entries expected, {len(found)} found.")
    return _single(np.array(found, dtype=np.float64))


def _single(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    # No picture needs more, and squares of what is near a float's limit would not be finite.
    return np.clip(table, -1e6, 1e6).astype(np.float32)


def _is_entry(line: str) -> bool:
    """Whether a line is meant for an entry, be it a broken one: it begins with a number, or with NaN."""
    word = (line.split() or ["#"])[0]
    return word[0] in "+-.0123456789" or word.lower() in ("nan", "inf", "infinity")


def _number(word: str) -> float:
    """The number that a word is, NaN where it is none."""
    if "_" in word or not word.isascii():
        return math.nan
    try:
        return float(word)
    except ValueError:
        return math.nan
