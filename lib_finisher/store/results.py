"""A folder of arrays by key: bounded in size, safe to delete at any time, never half written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lib_finisher.checked_json import Damaged, opened, read_checked, write_checked
from lib_finisher.whole_files import set_aside, sweep, whole

logger = logging.getLogger(__name__)

DEFAULT_LIMIT = 8 * 1024**3
_BLOCK = 1 << 20


def digest(*parts: Any) -> str:
    """A key from arrays and JSON data: equal parts, equal key."""
    result = hashlib.blake2b(digest_size=20)
    for part in parts:
        if isinstance(part, np.ndarray):
            result.update(f"{part.shape}{part.dtype}".encode())
            result.update(np.ascontiguousarray(part).data)
        else:
            result.update(json.dumps(part, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        result.update(b"\0")
    return result.hexdigest()


def digest_of_files(folder: Path, patterns: tuple[str, ...]) -> str:
    """A key from the contents of the files below a folder whose names match."""
    result = hashlib.blake2b(digest_size=16)
    for file in sorted(file for pattern in patterns for file in folder.rglob(pattern)):
        result.update(file.name.encode() + b"\0" + file.read_bytes())
    return result.hexdigest()


class ResultStore:
    """Arrays with a JSON note each. What cannot be read counts as absent; what cannot be written is only logged."""

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._size: int | None = None
        self._complained = self._swept = False

    def get(self, key: str) -> tuple[npt.NDArray[Any], dict[str, Any]] | None:
        """The array and the note stored under `key`, or None; what is not as it was stored is set aside."""
        self._delete_abandoned()
        array_file, note_file = self._files(key)
        try:
            note = read_checked(note_file)
            with opened(array_file) as stream:
                # Before anything in it is believed; of the same file, whatever another program puts in its place.
                if note.get("array") != _digest_of_stream(stream):
                    raise Damaged("its checksum is another")
                stream.seek(0)
                array = np.load(stream, allow_pickle=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            logger.warning("The stored result %s cannot be used (%s); it is made again.", array_file.name, error)
            for file in (array_file, note_file):
                set_aside(file)
            return None
        # Its time of last use decides what is deleted first; on a read-only cache nothing is.
        with contextlib.suppress(OSError):
            os.utime(array_file)
        return array, dict(note["note"])

    def put(self, key: str, array: npt.NDArray[Any], note: dict[str, Any]) -> bool:
        """Store an array and its note, the note last; whether that worked."""
        self._delete_abandoned()
        array_file, note_file = self._files(key)
        try:
            array_file.parent.mkdir(parents=True, exist_ok=True)
            with whole(array_file) as part, part.open("w+b") as stream:
                np.save(stream, array, allow_pickle=False)
                stream.seek(0)
                checksum = _digest_of_stream(stream)
            write_checked(note_file, {"array": checksum, "note": note})
            self._keep_within_limit(array.nbytes)
        except OSError as error:
            if not self._complained:
                logger.warning("Stage results cannot be stored in %s: %s.", self._folder, error)
            self._complained = True
            return False
        return True

    def discard(self, key: str) -> None:
        """Forget what is stored under `key`, if anything is."""
        for file in self._files(key):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)

    def _files(self, key: str) -> tuple[Path, Path]:
        folder = self._folder / key[:2]
        return folder / f"{key}.npy", folder / f"{key}.json"

    def _keep_within_limit(self, added: int) -> None:
        """Count what is stored; past the limit, delete what has not been used for longest."""
        if self._size is None:
            self._size = sum(size for _, size, _ in self._stored())
        else:
            self._size += added
        if self._size <= self._limit:
            return
        stored = sorted(self._stored())
        self._size = sum(size for _, size, _ in stored)
        for _, size, file in stored:
            if self._size <= self._limit:
                return
            self.discard(file.stem)
            self._size -= size

    def _stored(self) -> list[tuple[float, int, Path]]:
        found = []
        for file in self._folder.glob("??/*.npy"):
            # Another process may delete it in this moment.
            with contextlib.suppress(OSError):
                found.append((file.stat().st_mtime, file.stat().st_size, file))
        return found

    def _delete_abandoned(self) -> None:
        """Parts that a killed process left behind, and what was set aside."""
        if not self._swept:
            self._swept = True
            for folder in self._folder.glob("??"):
                sweep(folder)


class PatchStore:
    """Finished patches of stages that are not finished yet, so that an interrupted upscale can be taken up."""

    def __init__(self, store: ResultStore, code: str) -> None:
        """`code` changes with the code that patches are made by."""
        self._store = store
        self._code = code
        self._kept: list[str] = []

    def recall(self, key: str) -> npt.NDArray[np.float32] | None:
        """The finished patch of that key, or None."""
        own = digest(self._code, key)
        found = self._store.get(own)
        if found is None:
            return None
        self._kept.append(own)
        return np.asarray(found[0], dtype=np.float32)

    def keep(self, key: str, pixels: npt.NDArray[np.float32]) -> None:
        """Store a finished patch."""
        own = digest(self._code, key)
        if self._store.put(own, pixels, {"patch": True}):
            self._kept.append(own)

    def clear(self) -> None:
        """Forget every patch kept or recalled: their stage is complete."""
        for key in self._kept:
            self._store.discard(key)
        self._kept.clear()


def _digest_of_stream(stream: IO[bytes]) -> str:
    result = hashlib.blake2b(digest_size=20)
    while block := stream.read(_BLOCK):
        result.update(block)
    return result.hexdigest()
