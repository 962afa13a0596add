"""The command line, ended by itself at a point of its writing below a folder; see `bench/kills.py`.

Arguments: the point's number from 1 (0 counts them), 1 to end in the middle of the writing where the point is an
opening for that, the folder, a file for the count, and those of the command line.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

_WRITES = os.O_WRONLY | os.O_RDWR
# Smaller than any result and any report of one.
_HALF = 300


class Points:
    """Counts the points as Python tells of them, before what they are points of is done."""

    def __init__(self, at: int, in_the_middle: bool, below: str) -> None:
        self.count, self._at, self._in_the_middle, self._below = 0, at, in_the_middle, below

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """See `sys.addaudithook`."""
        if event not in ("open", "os.rename", "os.link", "os.remove"):
            return
        if not isinstance(arguments[0], (str, os.PathLike)) or not os.fspath(arguments[0]).startswith(self._below):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
            return
        self.count += 1
        if self.count != self._at:
            return
        if event == "open" and self._in_the_middle and arguments[1] is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (_HALF, _HALF))
            return
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """The command line's exit status."""
    at, in_the_middle, below, told = int(sys.argv[1]), sys.argv[2] == "1", sys.argv[3], sys.argv[4]
    from lib_finisher.cli import main as finisher

    points = Points(at, in_the_middle, below)
    sys.addaudithook(points)
    status = finisher(sys.argv[5:])
    if told:
        Path(told).write_text(str(points.count))
    return status


if __name__ == "__main__":
    sys.exit(main())
