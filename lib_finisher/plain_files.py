"""Reading files that anybody may have put there: a pipe, a device or a file larger than any of its kind is not read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip
_BLOCK = 1 << 20


class OddFile(OSError):
    """What lies under a name is not to be read; `strerror` says why."""


def opened_file(path: Path) -> IO[bytes]:
    """A file to read from. Raises OSError, and OddFile for what is no file: a pipe would be waited for, a device has no
    end."""
    # Looked at before as well: only opening some devices does something.
    _must_be_a_file(path.stat().st_mode, path)
    stream = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)), "rb")
    try:
        _must_be_a_file(os.fstat(stream.fileno()).st_mode, path)
    except OSError:
        stream.close()
        raise
    return stream


def read_file(path: Path, most: int) -> bytes:
    """A file's contents. Raises OSError, and OddFile for what is no file or has more than `most` bytes."""
    with opened_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        # No more than there should be: room is made for all that is asked for.
        data = b"" if size > most else stream.read(size + 1)
    if size > most or len(data) > most:
        raise OddFile(errno.EFBIG, f"it has {_told(max(size, len(data)))}, more than the {_told(most)} that are read")
    return data


def _must_be_a_file(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "no file")
        raise OddFile(errno.EINVAL, f"it is {kind}, not a file", str(path))


def _told(size: int) -> str:
    return f"{-(-size // _BLOCK)} MiB" if size >= _BLOCK else f"{size} bytes"
