"""The archives that torch.save writes: a pickle and the records that it speaks of, all stored as they are."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import Any

MAGIC = b"PK\x03\x04"
LARGEST_PICKLE = 64 << 20

BROKEN = (
    zipfile.BadZipFile, EOFError, IndexError, KeyError, NotImplementedError, OverflowError, RecursionError, TypeError,
    ValueError, AttributeError, MemoryError, OSError,
)  # fmt: skip
"""What is raised where an archive, or the pickle in it, is damaged."""


def pickle_of(archive: zipfile.ZipFile, size: int) -> tuple[bytes, Mapping[str, zipfile.ZipInfo]]:
    """(the pickle, the records under data/ by key) of a file of `size` bytes.

    Raises ValueError where the archive is not torch.save's, or any of BROKEN.
    """
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    named = {entry.filename: entry for entry in entries}
    if len(named) != len(entries):
        raise ValueError("two of its records have one name")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise ValueError("its records are compressed or encrypted")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("its records are larger than the file")
    tops = {name.partition("/")[0] for name in named}
    top = next(iter(tops), "")
    if len(tops) != 1 or f"{top}/data.pkl" not in named:
        raise ValueError("it has no data.pkl in one folder")
    if f"{top}/constants.pkl" in named:
        raise ValueError("it is a TorchScript program, which is not supported: export it as ONNX")
    if f"{top}/byteorder" in named and archive.read(f"{top}/byteorder") != b"little":
        raise ValueError("its numbers are big-endian")
    if named[f"{top}/data.pkl"].file_size > LARGEST_PICKLE:
        raise ValueError("its data.pkl is too large")
    within = f"{top}/data/"
    records = {name[len(within) :]: entry for name, entry in named.items() if name.startswith(within)}
    return archive.read(f"{top}/data.pkl"), records


def read_records(archive: zipfile.ZipFile, records: Mapping[str, zipfile.ZipInfo]) -> dict[str, Any]:
    """The records' contents by key."""
    return {key: archive.read(entry) for key, entry in records.items()}
