"""The names of results: free ones, that replace nothing a run reads, and short enough for the folder."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

# What a name may get at its end: ".interrupted", ".without-upscale", a number, its ending, and that of its report.
_RESERVED = len(".without-upscale") + len("-99999") + len(".jpeg") + len(".json")
_USUAL_MOST = 255
# Of a whole path on Windows, unless its user has lifted the limit.
_WINDOWS_MOST = 259
_FEWEST = 16


class Taken:
    """Files that nothing may be saved over, by whatever name they are called."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._names: set[str] = set()
        self._files: set[tuple[int, int]] = set()
        for file in files:
            self.add(file)

    def add(self, file: Path) -> None:
        """Nothing may be saved over this file from now on."""
        self._names.add(_full_name(file))
        self._files |= _identity(file)

    def __contains__(self, file: Path) -> bool:
        return _full_name(file) in self._names or not self._files.isdisjoint(_identity(file))


def _full_name(file: Path) -> str:
    # Not Path.resolve, which raises at links that lead in a circle.
    return os.path.normcase(os.path.realpath(file))


def _identity(file: Path) -> set[tuple[int, int]]:
    """What `os.path.samefile` compares: on some file systems A.png is a.png. Empty where there is no such file."""
    try:
        found = os.stat(file)
    except OSError:
        return set()
    return {(found.st_dev, found.st_ino)}


def fitting_stem(stem: str, folder: Path) -> str:
    """The stem, cut where a name of that length and what comes after it would not go into the folder."""
    most = max(_most_bytes(folder) - _RESERVED, _FEWEST)
    if len(os.fsencode(stem)) <= most:
        return stem
    cut = len(stem)
    while len(os.fsencode(stem[:cut])) > most or (cut < len(stem) and unicodedata.combining(stem[cut])):
        # A letter keeps its accents or goes with them.
        cut -= 1
    return stem[:cut].rstrip(" .")


def _most_bytes(folder: Path) -> int:
    """How long a name may be in a folder that need not be there yet."""
    if os.name == "nt":
        return min(_USUAL_MOST, _WINDOWS_MOST - len(str(folder.absolute())) - 1)
    for place in (folder, *folder.absolute().parents):
        try:
            return os.pathconf(place, "PC_NAME_MAX")
        except (OSError, ValueError, AttributeError):
            continue
    return _USUAL_MOST
