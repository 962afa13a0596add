"""What was used lately, in memory: bounded in size, gone with the program, safe for several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """Values by key with a size each; past `limit` together, what has not been used for longest is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[_Value, int]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> _Value | None:
        """The value kept under `key`, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: str, value: _Value, size: int = 1) -> None:
        """Keep a value, in the place of an earlier one. One that is larger than the limit is not kept."""
        with self._lock:
            _, before = self._kept.pop(key, (None, 0))
            self._size -= before
            if size > self._limit:
                return
            self._kept[key] = (value, size)
            self._size += size
            while self._size > self._limit:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size -= gone


class RecentPatches:
    """Finished patches of the latest runs, so that a picture is composed again without sampling what has not changed.

    `limit` is in bytes. See `redraw.watching.PatchMemory`.
    """

    def __init__(self, limit: int) -> None:
        self._patches: Recent[npt.NDArray[np.float32]] = Recent(limit)

    def recall(self, key: str) -> npt.NDArray[np.float32] | None:
        """The finished patch of that key, or None; not to be written to."""
        return self._patches.get(key)

    def keep(self, key: str, pixels: npt.NDArray[np.float32]) -> None:
        """Keep a finished patch."""
        kept = pixels.copy()
        kept.flags.writeable = False
        self._patches.put(key, kept, kept.nbytes)
