"""Extensions are folders: this repository, and whatever `--extension` names."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

from modules import paths_internal

ScriptFile = namedtuple("ScriptFile", ["basedir", "filename", "path"])


class Extension:
    def __init__(self, path: str) -> None:
        self.path = str(Path(path).resolve())
        self.name = Path(self.path).name
        # Hosts know an extension by its folder's name and by nothing else.
        self.canonical_name = self.name.lower()
        self.is_builtin = False
        self.enabled = True

    def list_files(self, subdir: str, extension: str) -> list[ScriptFile]:
        folder = Path(self.path) / subdir
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return [ScriptFile(self.path, file.name, str(file)) for file in files if file.suffix.lower() == extension]


extensions: list[Extension] = []


def list_extensions(more: list[str]) -> None:
    extensions.clear()
    found = [Extension(path) for path in [paths_internal.repository, *more]]
    extensions.extend(sorted(found, key=lambda item: item.canonical_name))


def active() -> list[Extension]:
    return [item for item in extensions if item.enabled]


def find_extension(filename: str) -> Extension | None:
    return next((item for item in extensions if Path(filename).is_relative_to(item.path)), None)
