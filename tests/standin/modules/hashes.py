"""Hashes of files, remembered while the program runs."""

from __future__ import annotations

import hashlib

from modules import shared

_known: dict[str, str] = {}


def sha256_from_cache(filename, title, use_addnet_hash=False):
    return _known.get(title)


def sha256(filename, title, use_addnet_hash=False):
    if title not in _known:
        if shared.cmd_opts.no_hashing:
            return None
        with open(filename, "rb") as file:
            _known[title] = hashlib.sha256(file.read()).hexdigest()
    return _known[title]
