"""Names of files that are being written. They tell whose they are, so that what a killed program left goes at once,
and what a running one is writing stays."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import time
from pathlib import Path

# Of whom it cannot be told whether it still runs: on another machine, on Windows, or written by an older Finisher.
_ABANDONED_SECONDS = 3600.0
_OWNED = re.compile(r"\.finisher-(?P<machine>[0-9a-f]{12})-(?P<process>[0-9]{1,10})-[0-9a-f]{32}\.part")
_OF_OLD = re.compile(r"\.[0-9a-f]{32}\.part")


def new_part_beside(file: Path) -> Path:
    """A path in the folder of `file` that no one else has, named as this process's."""
    return file.with_name(f".finisher-{_machine()}-{os.getpid()}-{os.urandom(16).hex()}.part")


def left_behind(name: str, modified: float) -> bool:
    """Whether a file of that name, last changed then (seconds since 1970), is ours and was left by a program that has
    ended. False for names that are not ours."""
    owned = _OWNED.fullmatch(name)
    if owned is None and _OF_OLD.fullmatch(name) is None:
        return False
    if owned is not None and owned["machine"] == _machine():
        runs = _runs(int(owned["process"]))
        if runs is not None:
            return not runs
    return time.time() - modified > _ABANDONED_SECONDS


def _runs(process: int) -> bool | None:
    """Whether a process of that number runs on this machine; None where that cannot be asked."""
    # On Windows this call would end the process.
    if os.name != "posix" or process <= 0:
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        # It is another user's, or no number of a process at all.
        return True
    return True


@functools.cache
def _machine() -> str:
    """Twelve hexadecimal digits that programs have in common whose process numbers mean the same: this start of this
    machine, and the same container."""
    told = [os.uname().nodename if hasattr(os, "uname") else ""]
    # Linux alone has these.
    with contextlib.suppress(OSError, ValueError):
        told.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        told.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.blake2b("\0".join(told).encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
