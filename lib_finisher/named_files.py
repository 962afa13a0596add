"""The files that users put into folders, by their names."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)


def named_files(folders: Sequence[Path], suffixes: Collection[str]) -> dict[str, Path]:
    """The files with those endings in folders and in what lies below them, by file name, sorted by name.

    `suffixes` are in lower case, with their dots. Of several files of one name the first folder's counts, and in a
    folder the one that lies less deep. Names are the same whatever their case. What is no file, hidden, or gone behind
    a link is left out; so is a folder that is not there.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(
            _below(folder, suffixes), key=lambda item: (len(item.parts), str(item).casefold(), str(item))
        ):
            found.setdefault(path.name.casefold(), path)
    return {path.name: path for _, path in sorted(found.items())}


def _below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    paths: list[Path] = []
    seen: set[str] = set()
    for where, folders, names in os.walk(folder, followlinks=True, onerror=_unreadable):
        # A link to a folder above would otherwise be followed for ever.
        real = os.path.realpath(where)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [path for name in names if _is_meant(path := Path(where, name), suffixes)]
    return paths


def _is_meant(path: Path, suffixes: Collection[str]) -> bool:
    name = path.name
    # A backslash separates folders on some systems: such a name means different files on different machines.
    if name.startswith(".") or "\\" in name or path.suffix.lower() not in suffixes:
        return False
    try:
        return path.is_file()
    except OSError:
        return False


def _unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        logger.warning("The files of %s are left out: %s.", error.filename, error.strerror or error)
