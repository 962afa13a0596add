"""The files that settings name: lookup tables and reference pictures, in folders that the user fills."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from lib_finisher.imaging.files import EXTENSIONS

logger = logging.getLogger(__name__)

LUT, REFERENCE = "LUT", "reference picture"
_SUFFIXES = {LUT: frozenset({".cube"}), REFERENCE: EXTENSIONS}


class AssetError(ValueError):
    """A file that is not there. The message names it and says where files of its kind belong."""


@dataclass(frozen=True)
class Assets:
    """Folders of .cube files and of reference pictures; without any, nothing is found."""

    luts: tuple[Path, ...] = ()
    references: tuple[Path, ...] = ()

    def names(self, kind: str) -> list[str]:
        """The files of a kind (`LUT` or `REFERENCE`), sorted by name."""
        return list(self._files(kind))

    def find(self, kind: str, name: str) -> Path:
        """The file of that name, whatever its case; the ending may be left out where one file fits. Raises AssetError.

        A name is only ever compared with what lies in the folders, so it cannot lead out of them.
        """
        files = {path.name.casefold(): path for path in self._files(kind).values()}
        asked = name.strip().casefold()
        if asked in files:
            return files[asked]
        alike = [path for path in files.values() if path.stem.casefold() == asked]
        if len(alike) == 1:
            return alike[0]
        folders = self._folders(kind)
        where = " or ".join(folder.name for folder in folders)
        place = f"put it into the folder {where!r}" if folders else "no folder for these was given"
        raise AssetError(f"there is no {kind} {name[:80]!r}; {place}")

    def identity(self, kind: str, name: str) -> str:
        """A text that changes when the file's contents do; "" where it is not there."""
        try:
            with self.find(kind, name).open("rb") as file:
                return hashlib.blake2b(file.read(), digest_size=16).hexdigest()
        except (AssetError, OSError):
            return ""

    def _folders(self, kind: str) -> tuple[Path, ...]:
        return self.luts if kind == LUT else self.references

    def _files(self, kind: str) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self._folders(kind):
            for path in sorted(_below(folder), key=lambda item: (len(item.parts), str(item).casefold(), str(item))):
                if path.suffix.lower() in _SUFFIXES[kind]:
                    found.setdefault(path.name.casefold(), path)
        return {path.name: path for _, path in sorted(found.items())}


def _below(folder: Path) -> list[Path]:
    """The files in a folder and in what lies below it; hidden ones, and links that lead nowhere, are left out."""
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
        paths += [path for name in names if not name.startswith(".") and (path := Path(where, name)).is_file()]
    return paths


def _unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        logger.warning("The files of %s are left out: %s.", error.filename, error.strerror or error)
