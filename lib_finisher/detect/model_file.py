"""A model's file, and a text that changes when it does."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lib_finisher.detect.detection import DetectorError

MOST_BYTES = 1 << 30
_BLOCK = 1 << 20


class ModelFile:
    """Where a detector's model lies. Its contents are hashed once, and again only when the file has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hashed: tuple[tuple[int, int], str] | None = None

    def identity(self) -> str:
        """The hash of the file's contents, as 16 hexadecimal digits.

        Raises OSError where it cannot be read, and DetectorError where it is larger than any detector.
        """
        facts = self.path.stat()
        if facts.st_size > MOST_BYTES:
            raise DetectorError(
                f"{self.path.name} has {facts.st_size / 2**20:.0f} MiB; detectors have at most {MOST_BYTES >> 20}. "
                "Choose another file."
            )
        stamp = facts.st_size, facts.st_mtime_ns
        if self._hashed is None or self._hashed[0] != stamp:
            result = hashlib.blake2b(digest_size=8)
            with self.path.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    result.update(block)
            self._hashed = stamp, result.hexdigest()
        return self._hashed[1]
