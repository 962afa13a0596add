"""Files of presets: names that every system can have, and times."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone

from lib_finisher.presets.preset import key_of

SUFFIX = ".json"
_MOST_BYTES = 100
_DIGITS = 8
_FREE = " .-_()+,'&"
_PORTS = [f"{kind}{number}" for kind in ("com", "lpt") for number in range(10)]
_RESERVED = frozenset(["con", "prn", "aux", "nul", "conin$", "conout$", *_PORTS])


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


def stamp() -> str:
    """Now, for a file's name: the order of names is the order in time."""
    return datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-%f")


def today() -> str:
    """Now, for people: UTC, as in 2026-11-21T10:00:00Z."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
