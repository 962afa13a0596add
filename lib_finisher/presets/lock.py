"""One process at a time: a lock on a folder that ends with the process that holds it, however that ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lib_finisher.presets.errors import PresetError

_WAIT_SECONDS = 15.0
_PAUSE_SECONDS = 0.01
# Where the file system knows no locks, a file that is there stands for one; nobody saves for as long as this.
_STALE_SECONDS = 60.0


@contextlib.contextmanager
def locked(folder: Path, wait: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold the folder's lock. Raises PresetError when another process does not let go of it within `wait` seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + wait
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            while not _take(descriptor):
                _pause(until, folder)
        except OSError:
            with _by_file(folder, until):
                yield
            return
        try:
            yield
        finally:
            _release(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _by_file(folder: Path, until: float) -> Iterator[None]:
    """For file systems without locks: whoever creates the file has it."""
    file = folder / ".lock-file"
    while True:
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            break
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > _STALE_SECONDS:
                    file.unlink()
                    continue
            _pause(until, folder)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _pause(until: float, folder: Path) -> None:
    if time.monotonic() > until:
        raise PresetError(f"another program is writing presets in {folder} and does not end. Close it and try again.")
    time.sleep(_PAUSE_SECONDS)


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> bool:
        """Whether the lock is held now. Raises OSError where there are no locks."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _release(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> bool:
        """Whether the lock is held now. Raises OSError where there are no locks."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _release(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
