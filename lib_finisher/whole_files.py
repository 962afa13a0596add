"""Files that are the old one or the whole new one at any time, whatever ends the program while they are written."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from lib_finisher.part_names import left_behind, new_part_beside

_SET_ASIDE = re.compile(r"\..+\.[0-9a-f]{8}\.damaged")
_TRIES, _PAUSE_SECONDS = 20, 0.05
_KEPT_SECONDS = 3600.0


@contextlib.contextmanager
def whole(file: Path, *, synced: bool = False, anew: bool = False) -> Iterator[Path]:
    """A path to write to, which takes the file's name when the block ends; nothing is left of it otherwise.

    `synced`: it is on the disk before it gets the name, so that it is whole after a power failure, too. `anew`: a file
    of that name stays. Raises OSError; FileExistsError where there is one and it is to be `anew`.
    """
    part = new_part_beside(file)
    try:
        yield part
        if synced:
            # Some systems flush only what is open for writing.
            _flush(part, os.O_RDWR | getattr(os, "O_BINARY", 0))
        if anew:
            _name_anew(part, file)
        else:
            replace(part, file)
        if synced:
            # The new name itself; not every system can open a folder.
            with contextlib.suppress(OSError):
                _flush(file.parent, os.O_RDONLY)
    finally:
        part.unlink(missing_ok=True)


def write_whole(file: Path, data: bytes, *, synced: bool = False, anew: bool = False) -> None:
    """Write a file as `whole` says. Raises OSError."""
    with whole(file, synced=synced, anew=anew) as part:
        part.write_bytes(data)


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


def set_aside(file: Path) -> None:
    """Take what cannot be used out of the way of a new file, whatever it is; where that is refused, it stays."""
    with contextlib.suppress(OSError):
        aside = file.with_name(f".{file.name}.{os.urandom(16).hex()[:8]}.damaged")
        file.rename(aside)
        # From now on it is kept for a while.
        os.utime(aside)


def sweep(folder: Path) -> None:
    """Delete what programs that were killed have left of files of ours, and what was set aside more than an hour ago.

    By name and owner: nothing of a program that still runs, nothing of anybody else, no folder and no link.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for item in found:
            with contextlib.suppress(OSError):
                if item.name.startswith(".") and item.is_file(follow_symlinks=False) and _is_over(item):
                    Path(item.path).unlink()


def _is_over(item: os.DirEntry[str]) -> bool:
    modified = item.stat(follow_symlinks=False).st_mtime
    if _SET_ASIDE.fullmatch(item.name):
        return time.time() - modified > _KEPT_SECONDS
    return left_behind(item.name, modified)


def _name_anew(part: Path, file: Path) -> None:
    """Give a complete file its name unless there is one of that name, also when two do so at once."""
    try:
        os.link(part, file)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: reserve the name first.
        file.open("xb").close()
        replace(part, file)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # A file system that cannot flush; anything else means that it is not on the disk.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
