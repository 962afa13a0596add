"""Titles of models as web UIs write them: a name, and behind it in brackets what a hash of the file begins with."""

from __future__ import annotations

import re
from collections.abc import Iterable

# The hosts write 8 digits of a part's hash, 10 of the sha256, and tools all 64; fewer are a word or a number.
_HASH = re.compile(r"[0-9a-fA-F]{8,64}")


def split_title(title: str) -> tuple[str, str]:
    """(name, hash in lower case) of a title; brackets that hold no hash belong to the name, and the hash is ""."""
    whole = title.rstrip()
    name, bracket, digest = whole[:-1].rpartition("[")
    name = name.rstrip()
    is_hash = bracket and whole.endswith("]") and _HASH.fullmatch(digest)
    return (name, digest.lower()) if name and is_hash else (title, "")


def hash_fits(digest: str, known: Iterable[str | None]) -> bool:
    """Whether a hash of a title does not contradict those that are known of a file: one of them begins as it does.

    Where either is not known nothing contradicts.
    """
    there = [item.lower() for item in known if item]
    return not digest or not there or any(item.startswith(digest) or digest.startswith(item) for item in there)
