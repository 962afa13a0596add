"""The files that settings name: lookup tables and reference pictures, in folders that the user fills."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lib_finisher.imaging.files import EXTENSIONS
from lib_finisher.imaging.hald import SUFFIXES as HALD_SUFFIXES
from lib_finisher.named_files import named_files
from lib_finisher.plain_files import opened_file

LUT, REFERENCE = "LUT", "reference picture"
_SUFFIXES = {LUT: frozenset({".cube"}) | HALD_SUFFIXES, REFERENCE: EXTENSIONS}


class AssetError(ValueError):
    """A file that is not there. The message names it and says where files of its kind belong."""


@dataclass(frozen=True)
class Assets:
    """Folders of lookup tables and of reference pictures; without any, nothing is found."""

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
            result = hashlib.blake2b(digest_size=16)
            with opened_file(self.find(kind, name)) as file:
                while block := file.read(1 << 20):
                    result.update(block)
        except (AssetError, OSError):
            return ""
        return result.hexdigest()

    def _folders(self, kind: str) -> tuple[Path, ...]:
        return self.luts if kind == LUT else self.references

    def _files(self, kind: str) -> dict[str, Path]:
        return named_files(self._folders(kind), _SUFFIXES[kind])
