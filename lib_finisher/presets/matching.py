"""Which presets are for a checkpoint, and why: by its hash, its file's name, its variant, its family. Never by a part
of a name that nobody asked for."""

from __future__ import annotations

import fnmatch
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache

from lib_finisher.model_titles import hash_fits, split_title
from lib_finisher.presets.pattern import Pattern, PatternError
from lib_finisher.presets.preset import Preset
from lib_finisher.variants import look_at, variants_in

_SHORT = 10


class Level(IntEnum):
    """How a preset was found for a checkpoint; a higher one is more specific."""

    EVERYTHING = 1
    FAMILY = 2
    VARIANT = 3
    PATTERN = 4
    NAME = 5
    SHORTHASH = 6
    SHA256 = 7


@dataclass(frozen=True)
class Checkpoint:
    """What is known of a checkpoint without reading a tensor.

    `name` is the host's, with its folder ("sdxl/juggernaut.safetensors"); `sha256` is "" until the host has it, and so
    is `shorthash`, its first ten digits. `part_hash` is the hosts' older hash, of a part of the file. `family` and
    `variants` are ids, and `reason` says how they were told.
    """

    name: str
    sha256: str = ""
    shorthash: str = ""
    family: str = ""
    variants: tuple[str, ...] = ()
    reason: str = ""
    part_hash: str = ""

    def names(self) -> tuple[str, ...]:
        """What a rule may call it: the file, the file without its ending, and both with the folder."""
        path = _path(self.name)
        file = path.rpartition("/")[2]
        return tuple(dict.fromkeys((file, _bare(file), path, _bare(path))))


@dataclass(frozen=True)
class Entry:
    """A preset as it is at hand: whether it comes with Finisher."""

    preset: Preset
    built_in: bool = False

    @property
    def source(self) -> str:
        """Whose it is, in words."""
        return "built in" if self.built_in else "yours"


@dataclass(frozen=True)
class Candidate:
    """A preset that is for a checkpoint: by which rule, and whether it is used or which one is used before it.

    `place` is the position of the variant among the checkpoint's, 0 for another rule.
    """

    entry: Entry
    level: Level
    reason: str
    place: int = 0
    before: str = ""

    @property
    def used(self) -> bool:
        """Whether it takes part."""
        return not self.before


def read_checkpoint(path: str | os.PathLike[str], name: str = "", sha256: str = "", family: str = "") -> Checkpoint:
    """What the header and the name of a model file tell: milliseconds, no tensor, no hash.

    `family` is used where the header cannot be read (a pickle, a file cut short); `reason` says so then.
    """
    file = os.fspath(path)
    seen = look_at(file)
    named = name or os.path.basename(file)
    if seen.family:
        return Checkpoint(named, sha256, sha256[:_SHORT], seen.family, seen.variants, seen.reason)
    return Checkpoint(named, sha256, sha256[:_SHORT], family, variants_in(named, family), seen.reason)


def explain(checkpoint: Checkpoint, entries: Iterable[Entry]) -> tuple[Candidate, ...]:
    """Every preset that is for the checkpoint, the most specific first, and which of them are used.

    One is used of those for everything, one for the family, one for each variant, and one for the checkpoint itself:
    the most specific, then the user's own before one that is built in, a locked one before others, the newest, and the
    first by name.
    """
    found = [item for entry in entries if (item := _candidate(checkpoint, entry)) is not None]
    # Stable sorts, the least important first.
    found.sort(key=lambda item: item.entry.preset.key)
    found.sort(key=lambda item: item.entry.preset.changed, reverse=True)
    found.sort(key=lambda item: (-item.level, -item.place, item.entry.built_in, not item.entry.preset.locked))
    winners: dict[tuple[int, int], str] = {}
    told = []
    for item in found:
        # All ways to name one checkpoint are one layer.
        layer = (min(item.level, Level.PATTERN), item.place)
        told.append(replace(item, before=winners.get(layer, "")))
        winners.setdefault(layer, item.entry.preset.name)
    return tuple(told)


def _candidate(checkpoint: Checkpoint, entry: Entry) -> Candidate | None:
    found = _fits(checkpoint, entry.preset)
    return None if found is None else Candidate(entry, *found)


def _fits(checkpoint: Checkpoint, preset: Preset) -> tuple[Level, str, int] | None:
    """The most specific rule that holds: its level, why, and the place of the variant."""
    match, names = preset.match, checkpoint.names()
    full, short = checkpoint.sha256.lower(), (checkpoint.shorthash or checkpoint.sha256[:_SHORT]).lower()
    if full and full in map(str.lower, match.sha256):
        return Level.SHA256, f"its sha256 is {full}", 0
    if short and short in map(str.lower, match.shorthash):
        return Level.SHORTHASH, f"its short hash is {short}", 0
    for rule in match.names:
        if _is_named(rule, checkpoint):
            return Level.NAME, f"its name is {rule!r}", 0
    for rule in match.globs:
        if _glob_fits(_folded(rule), names):
            return Level.PATTERN, f"its name fits {rule!r}", 0
    for rule in match.regexes:
        if _regex_fits(_normal(rule), names):
            return Level.PATTERN, f"its name fits the expression {rule!r}", 0
    wanted = {rule.lower() for rule in match.variants}
    places = [place for place, variant in enumerate(checkpoint.variants) if variant in wanted]
    if places:
        return Level.VARIANT, f"its variant is {checkpoint.variants[places[-1]]}", places[-1]
    if checkpoint.family and checkpoint.family in {rule.lower() for rule in match.families}:
        return Level.FAMILY, f"its family is {checkpoint.family}", 0
    return (Level.EVERYTHING, "it is for every checkpoint", 0) if match.everything else None


def _is_named(rule: str, checkpoint: Checkpoint) -> bool:
    """Whether a rule is the checkpoint's name, or its title with a hash that does not contradict."""
    name, digest = split_title(rule)
    known = (checkpoint.sha256, checkpoint.shorthash, checkpoint.part_hash)
    names = checkpoint.names()
    return _path(rule) in names or (bool(digest) and _path(name) in names and hash_fits(digest, known))


def _glob_fits(rule: str, names: Sequence[str]) -> bool:
    # A * does not reach into folders, so a rule without / is about the file alone.
    deep = "/" in rule
    return any(_glob(rule).matches(name) for name in names if ("/" in name) == deep)


def _regex_fits(rule: str, names: Sequence[str]) -> bool:
    try:
        pattern = _pattern(rule)
    except PatternError:
        return False
    return any(pattern.matches(name) for name in names)


@lru_cache(maxsize=256)
def _pattern(rule: str) -> Pattern:
    return Pattern(rule)


class _Glob:
    def __init__(self, rule: str) -> None:
        self._parts = [re.compile(fnmatch.translate(part)) for part in rule.replace("\\", "/").split("/")]

    def matches(self, name: str) -> bool:
        parts = name.split("/")
        return len(parts) == len(self._parts) and all(rx.match(part) for rx, part in zip(self._parts, parts))


@lru_cache(maxsize=256)
def _glob(rule: str) -> _Glob:
    return _Glob(rule)


def _bare(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem if dot and ending in ("safetensors", "ckpt", "gguf", "pt", "pth", "bin", "sft") else name


def _path(name: str) -> str:
    return _folded(name).replace("\\", "/").strip("/")


def _folded(text: str) -> str:
    return _normal(text).casefold()


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)
