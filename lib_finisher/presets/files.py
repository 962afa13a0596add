"""Files of presets: names that every system can have, and writing that leaves a whole file whatever happens."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path

from lib_finisher.presets.preset import key_of

SUFFIX, PART = ".json", ".part"
_MOST_BYTES = 100
_DIGITS = 8
_FREE = " .-_()+,'&"
_PORTS = [f"{kind}{number}" for kind in ("com", "lpt") for number in range(10)]
_RESERVED = frozenset(["con", "prn", "aux", "nul", "conin$", "conout$", *_PORTS])
_TRIES, _PAUSE_SECONDS = 20, 0.05
_ABANDONED_SECONDS = 3600.0


def file_name(name: str) -> str:
    """The file name of the preset of that name: letters, digits and a few signs, at most 114 bytes.

    Names that differ have files that differ, and names that `key_of` takes for one have one.
    """
    key = key_of(name)
    plain = "".join(letter if letter.isalnum() or letter in _FREE else "_" for letter in key).strip(" .")
    while len(plain.encode("utf-8", "replace")) > _MOST_BYTES:
        plain = plain[:-1]
    plain = plain.rstrip(" .")
    if plain.split(".")[0] in _RESERVED:
        plain = plain.replace(".", "_") + "_"
    if plain != key:
        # Two names may become alike; what they were still tells them apart.
        plain += "-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return plain + SUFFIX


def write_whole(file: Path, text: str) -> None:
    """Write a file so that it is the old one or the whole new one, even if the power fails. Raises OSError."""
    part = file.with_name(f".{uuid.uuid4().hex}{PART}")
    try:
        with part.open("wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    _settle(file.parent)


def replace(source: Path, target: Path) -> None:
    """Give a file another name, in the place of what has it. Raises OSError."""
    for number in range(_TRIES):
        try:
            source.replace(target)
            return
        except PermissionError:
            # Windows refuses for as long as another program reads the file.
            if os.name != "nt" or number == _TRIES - 1:
                raise
            time.sleep(_PAUSE_SECONDS)


def stamp() -> str:
    """Now, for a file's name: the order of names is the order in time."""
    return datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-%f")


def today() -> str:
    """Now, for people: UTC, as in 2026-11-21T10:00:00Z."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def sweep(folder: Path) -> None:
    """Delete parts that a process left behind when it was killed."""
    for part in folder.glob(f".*{PART}"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                part.unlink()


def _settle(folder: Path) -> None:
    """Make the new name itself survive a power failure, where a folder can be flushed."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
