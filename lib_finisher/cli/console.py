"""How the command line prints."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TextIO


def program() -> str:
    """How the user calls this program, for examples that can be typed as they stand."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "lib_finisher":
        return "python -m lib_finisher"
    if called.stem != "finisher":
        return "finisher"
    found = shutil.which("finisher")
    return "finisher" if found and os.path.realpath(found) == os.path.realpath(called) else str(called)


def tell(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tell_along(text: str) -> None:
    """A line on standard output about what goes on, whether or not somebody can still read it."""
    write_along(sys.stdout, text + "\n")


def warn(text: str) -> None:
    """A line on standard error, where somebody can still read it: a terminal may be closed, a disk full."""
    write_along(sys.stderr, text + "\n")


def give_up(stream: TextIO) -> None:
    """Let a stream that nobody can read swallow what is written: what waits in it must not fail again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_along(stream: TextIO, text: str) -> None:
    """Write a text for whoever still reads; the run goes on where nobody does."""
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        give_up(stream)
