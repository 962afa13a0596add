"""Which picture files a call means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lib_finisher.imaging.files import EXTENSIONS


def pictures_in(inputs: Sequence[Path]) -> list[Path]:
    """The files named, and for a folder the pictures directly in it, by name."""
    files: list[Path] = []
    for item in inputs:
        if item.is_dir():
            found = (file for file in item.iterdir() if file.suffix.lower() in EXTENSIONS and file.is_file())
            files += sorted(found)
        else:
            files.append(item)
    return files
