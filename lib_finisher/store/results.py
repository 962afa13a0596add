"""A folder of arrays by key: bounded in size, safe to delete at any time, never half written."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

logger = logging.getLogger(__name__)

DEFAULT_LIMIT = 8 * 1024**3


def digest(*parts: Any) -> str:
    """A key from arrays and JSON data: equal parts, equal key."""
    result = hashlib.blake2b(digest_size=20)
    for part in parts:
        if isinstance(part, np.ndarray):
            result.update(f"{part.shape}{part.dtype}".encode())
            result.update(np.ascontiguousarray(part).tobytes())
        else:
            result.update(json.dumps(part, sort_keys=True, ensure_ascii=False).encode())
        result.update(b"\0")
    return result.hexdigest()


class ResultStore:
    """Arrays with a JSON note each. What cannot be read counts as absent; what cannot be written is only logged."""

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT) -> None:
        self._folder = folder
        self._limit = limit

    def get(self, key: str) -> tuple[npt.NDArray[Any], dict[str, Any]] | None:
        """The array and the note stored under `key`, or None."""
        array_file, note_file = self._files(key)
        try:
            note = json.loads(note_file.read_text(encoding="utf-8"))
            array = np.load(array_file, allow_pickle=False)
            os.utime(array_file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError) as error:
            logger.warning("The stored result %s cannot be read (%s); it is made again.", array_file.name, error)
            return None
        return array, note

    def put(self, key: str, array: npt.NDArray[Any], note: dict[str, Any]) -> None:
        """Store an array and its note; the note last, so that a half-written pair is never found."""
        array_file, note_file = self._files(key)
        try:
            array_file.parent.mkdir(parents=True, exist_ok=True)
            part = _part(array_file)
            with part.open("wb") as stream:
                np.save(stream, array, allow_pickle=False)
            part.replace(array_file)
            write_text(note_file, json.dumps(note, ensure_ascii=False))
            self._shrink()
        except OSError as error:
            logger.warning("A stage result could not be stored in %s: %s.", self._folder, error)

    def discard(self, key: str) -> None:
        """Forget what is stored under `key`, if anything is."""
        for file in self._files(key):
            file.unlink(missing_ok=True)

    def _files(self, key: str) -> tuple[Path, Path]:
        folder = self._folder / key[:2]
        return folder / f"{key}.npy", folder / f"{key}.json"

    def _shrink(self) -> None:
        """Delete the results that have not been used for longest until the folder is within its limit."""
        files = [(file.stat().st_mtime, file.stat().st_size, file) for file in self._folder.glob("??/*.npy")]
        total = sum(size for _, size, _ in files)
        for _, size, file in sorted(files):
            if total <= self._limit:
                return
            file.with_suffix(".json").unlink(missing_ok=True)
            file.unlink(missing_ok=True)
            total -= size


class PatchStore:
    """Finished patches of stages that are not finished yet, so that an interrupted upscale can be taken up."""

    def __init__(self, store: ResultStore) -> None:
        self._store = store
        self._kept: list[str] = []

    def recall(self, key: str) -> npt.NDArray[np.float32] | None:
        """The finished patch of that key, or None."""
        found = self._store.get(key)
        if found is None:
            return None
        self._kept.append(key)
        return np.asarray(found[0], dtype=np.float32)

    def keep(self, key: str, pixels: npt.NDArray[np.float32]) -> None:
        """Store a finished patch."""
        self._store.put(key, pixels, {"patch": True})
        self._kept.append(key)

    def clear(self) -> None:
        """Forget every patch kept or recalled: their stage is complete."""
        for key in self._kept:
            self._store.discard(key)
        self._kept.clear()


def write_text(file: Path, text: str) -> None:
    """Write a text file so that it is either the old one or the whole new one."""
    part = _part(file)
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def _part(file: Path) -> Path:
    """Where a file is written before it takes its name; another process has another one."""
    return file.with_name(f".{file.name}.{os.getpid()}.part")
