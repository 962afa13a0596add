"""JSON files of our own: none is believed that does not hold what was written."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lib_finisher.json_text import parse_json
from lib_finisher.whole_files import set_aside, write_whole

logger = logging.getLogger(__name__)

_CHECKSUM = "checksum"
_MOST_BYTES = 64 * 1024**2


class Damaged(ValueError):
    """A file is not as it was written; the message says in what."""


def write_checked(file: Path, data: Mapping[str, Any]) -> None:
    """Write data, and beside it a checksum over it and the file's name. Raises OSError."""
    # As it will be read: keys are texts then.
    plain = json.loads(json.dumps(dict(data)))
    write_whole(file, json.dumps({**plain, _CHECKSUM: _checksum(file, plain)}, indent=1).encode("ascii"))


def read_checked(file: Path) -> dict[str, Any]:
    """The data of such a file. Raises OSError, FileNotFoundError among it, and Damaged."""
    with opened(file) as stream:
        if os.fstat(stream.fileno()).st_size > _MOST_BYTES:
            raise Damaged(f"it is larger than {_MOST_BYTES} bytes")
        text = stream.read()
    try:
        found = parse_json(text)
    except ValueError as error:
        raise Damaged(f"it is not valid JSON: {str(error)[:80]}") from error
    if not isinstance(found, dict) or found.pop(_CHECKSUM, None) != _checksum(file, found):
        raise Damaged("its checksum is another")
    return found


def kept_in(file: Path) -> dict[str, Any]:
    """The data of such a file, nothing where there is none. A damaged file is set aside, and its data made anew."""
    try:
        return read_checked(file)
    except Damaged as error:
        logger.warning("%s cannot be used (%s); it is made again.", file, error)
        set_aside(file)
    except OSError as error:
        logger.debug("%s is not read: %s", file, error)
    return {}


@contextmanager
def opened(file: Path) -> Iterator[IO[bytes]]:
    """A file to read from; what lies there under its name and is none (a folder, a pipe, which would wait for ever) is
    not opened. Raises OSError and Damaged."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise Damaged("it is no file")
    with file.open("rb") as stream:
        yield stream


def _checksum(file: Path, data: dict[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True)
    # Some file systems spell a name otherwise than it was given.
    name = unicodedata.normalize("NFC", file.name)
    return hashlib.blake2b(f"{name}\0{text}".encode("ascii", "backslashreplace"), digest_size=20).hexdigest()
