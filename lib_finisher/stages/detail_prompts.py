"""Which finding gets which part of a pass's prompt.

The text is divided by [SEP] into entries. An entry may begin with a selector, [FOR …] (or [CLASS=…]), with one or
more of these, separated by commas: a label, a class of the detector by number ("#0"), a number in the order (1 is the
first), or "largest", "smallest", "leftmost", "rightmost", "topmost", "lowest" or "surest". The first entry whose
selector picks a finding serves it. The entries without a selector serve the other findings in their order; the last of
them serves all that are left, as in ADetailer. An empty entry, and a finding that no entry serves, has the base prompt.
[SKIP] as a whole entry leaves its findings alone. [SEED 123] at the beginning of an entry, after a selector, is the
seed of its findings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lib_finisher.detect.detection import Detection

SEPARATOR, SKIP = "[SEP]", "[SKIP]"

_SEED = re.compile(r"\[SEED\s+(\d{1,10})\]")
_ADDED = re.compile(r"(\d{1,10})\s*=\s*(-?\d{1,10})")
_SELECTOR = re.compile(r"\[(?:FOR |CLASS=)([^\[\]]*)\]")

_EXTREMES: Mapping[str, Callable[[Detection], float]] = {
    "largest": lambda item: item.box.area,
    "smallest": lambda item: -item.box.area,
    "leftmost": lambda item: -item.box.centre[0],
    "rightmost": lambda item: item.box.centre[0],
    "topmost": lambda item: -item.box.centre[1],
    "lowest": lambda item: item.box.centre[1],
    "surest": lambda item: item.confidence,
}


@dataclass(frozen=True)
class Chosen:
    """Names and numbers of a text separated by commas; names are compared without regard to case."""

    names: frozenset[str]
    numbers: frozenset[int]

    def named(self, item: Detection) -> bool:
        """Whether the finding's label is among the names, or its class as "#0"."""
        return plain(item.label) in self.names or f"#{item.class_number}" in self.names

    def numbered(self, number: int) -> bool:
        """Whether a number, counted from 0, is among the numbers, which people count from 1."""
        return number + 1 in self.numbers


def chosen(text: str) -> Chosen:
    """What a text like "face, 2" names. Whatever consists of digits alone is a number."""
    words = [plain(word) for word in text.split(",")]
    # Ten digits are more than any number of findings, and quick to read.
    numbers = frozenset(int(word) for word in words if word.isdecimal() and len(word) <= 10)
    return Chosen(frozenset(word for word in words if word and not word.isdecimal()), numbers)


def plain(name: str) -> str:
    """A name as it is compared: without case, spaces made single."""
    return " ".join(name.casefold().split())


def entries_for(text: str, findings: Sequence[Detection]) -> list[str]:
    """The entry of a prompt for each of the findings, which are in their order; see the module."""
    pieces = _pieces(text)
    in_order = [piece for picked, piece in pieces if picked is None] or [""]
    selected = [(picked, piece) for picked, piece in pieces if picked is not None]
    entries, served = [], 0
    for number in range(len(findings)):
        own = next((piece for picked, piece in selected if _picks(picked, number, findings)), None)
        if own is None:
            own = in_order[min(served, len(in_order) - 1)]
            served += 1
        entries.append(own)
    return entries


def own_seed_of(entry: str) -> tuple[str, int | None]:
    """(the entry without its seed, that seed or None)."""
    named = _SEED.match(entry.lstrip())
    return (entry, None) if named is None else (entry.lstrip()[named.end() :].strip(), int(named[1]))


def seeds_added(text: str) -> dict[int, int]:
    """What a text like "2=1, 3=4" adds to the seeds of findings, by their numbers; what is no such pair is left out."""
    pairs = (_ADDED.fullmatch(part.strip()) for part in text.split(","))
    return {int(pair[1]): int(pair[2]) for pair in pairs if pair is not None}


def skips(entry: str) -> bool:
    """Whether an entry says that its findings are left alone."""
    return entry.strip() == SKIP


def _pieces(text: str) -> list[tuple[Chosen | None, str]]:
    """(what its selector picks, the rest) of each entry; None where it has no selector."""
    pieces = text.split(SEPARATOR)
    if len(pieces) == 1 and not _SELECTOR.match(text.lstrip()):
        return [(None, text)]
    found: list[tuple[Chosen | None, str]] = []
    for piece in (piece.strip() for piece in pieces):
        selector = _SELECTOR.match(piece)
        found.append((chosen(selector[1]), piece[selector.end() :].strip()) if selector else (None, piece))
    return found


def _picks(picked: Chosen, number: int, findings: Sequence[Detection]) -> bool:
    item = findings[number]
    if picked.named(item) or picked.numbered(number):
        return True
    # Of equals the first in the order is meant, so that an extreme is always one finding.
    extremes = (_EXTREMES[name] for name in picked.names & _EXTREMES.keys())
    return any(max(range(len(findings)), key=lambda i: key(findings[i])) == number for key in extremes)
