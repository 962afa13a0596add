"""Which detectors are here and which are known, without loading anything that they need to run."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lib_finisher.detect import known
from lib_finisher.detect.known import KNOWN, MODEL_SUFFIXES, Known, find_known, stem
from lib_finisher.detect.mediapipe_here import available
from lib_finisher.named_files import named_files

FETCH_COMMAND = 'finisher detectors fetch "{name}"'

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Listed:
    """A detector as lists show it. Texts are "" and `size` is 0 where nobody knows.

    `present` says that it can be asked for; `why_not` why it would fail or is not here. `size` is that of the file here
    or, where it is not here, of the file to fetch, in bytes; `sha256` is what a fetched file must have: the one here
    may be another version. `fetchable` says that Finisher can fetch the file.
    """

    name: str
    target: str
    style: str
    trade_off: str
    present: bool
    why_not: str
    size: int
    source: str
    sha256: str
    licence: str
    fetchable: bool


def listed_in(folders: Sequence[Path]) -> tuple[Listed, ...]:
    """Every detector that is here, with the files of those folders, then every other one that Finisher knows of."""
    needs_no_file = [item for item in KNOWN if not item.is_file]
    makers = [item.name for item in needs_no_file if item.needs != known.MEDIAPIPE or available()]
    return listed_of(makers, files_in(folders, makers))


def listed_of(makers: Iterable[str], files: Mapping[str, Path]) -> tuple[Listed, ...]:
    """The same, of the names of those that need no file and of the files by name."""
    here = [_listed_here(name, None) for name in makers]
    here += [_listed_here(name, path) for name, path in files.items()]
    folded = {item.name.casefold() for item in here}
    return (*here, *(_listed_elsewhere(item) for item in KNOWN if item.name.casefold() not in folded))


def files_in(folders: Sequence[Path], makers: Iterable[str]) -> dict[str, Path]:
    """The detectors' files of folders by name, but for those that have the name of one that needs no file."""
    taken = {name.casefold() for name in makers}
    found = named_files(folders, MODEL_SUFFIXES)
    return {name: path for name, path in found.items() if name.casefold() not in taken}


def trusted_hashes(text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """(the sha256 in a text, separated by spaces or commas, in lower case; the words of it that are none)."""
    words = [word.lower() for word in re.split(r"[\s,;]+", text) if word]
    return frozenset(filter(_SHA256.fullmatch, words)), tuple(word for word in words if not _SHA256.fullmatch(word))


def pickled(name: str) -> bool:
    """Whether a file of that name is one that PyTorch has pickled."""
    return name.casefold().endswith(".pt")


def _listed_here(name: str, path: Path | None) -> Listed:
    entry = find_known(name) or _exported(name)
    size = 0
    if path is not None:
        try:
            size = path.stat().st_size
        except OSError:
            return _listed(entry, name, True, "its file cannot be read", entry.size)
    return _listed(entry, name, True, _lacks(entry), size)


def _listed_elsewhere(entry: Known) -> Listed:
    if not entry.is_file:
        return _listed(entry, entry.name, False, _lacks(entry) or "not here", entry.size)
    reasons = ["not here" if entry.fetchable else "not here; put the file into a folder of detectors", _lacks(entry)]
    return _listed(entry, entry.name, False, ", ".join(filter(None, reasons)), entry.size)


def _listed(entry: Known, name: str, present: bool, why_not: str, size: int) -> Listed:
    return Listed(
        name, entry.target, entry.style, entry.trade_off, present, why_not, size, entry.source, entry.sha256,
        entry.licence, entry.fetchable,
    )  # fmt: skip


def _exported(name: str) -> Known:
    """What is known of a file that is nobody's by its name: an ONNX export is for what its original is for."""
    original = None if pickled(name) else find_known(stem(name))
    if original is None:
        return Known(name, "", "", "", known.ULTRALYTICS if pickled(name) else "", "", "")
    return replace(original, name=name, needs="", url="", size=0, sha256="")


def _lacks(entry: Known) -> str:
    return f"needs {entry.needs}" if entry.needs and importlib.util.find_spec(entry.needs) is None else ""
