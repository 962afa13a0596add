"""Reading PyTorch's pickled files as data: nothing in the file is run, imported, constructed or looked up.

The pickle's instructions are followed by a machine of our own, see `pickle_machine`. What is made of the names and
calls that it writes down is the caller's to decide, from a list of exact names.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.pickle_machine import Machine, Name, Refused

_MAGIC = b"PK\x03\x04"
_LARGEST_PICKLE = 64 << 20
_BROKEN = (
    zipfile.BadZipFile, EOFError, IndexError, KeyError, NotImplementedError, OverflowError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip


class UnsafeModel(DetectorError):
    """A model file that wants more than Finisher lets a file do. The message says what, and how to allow this file."""

    def __init__(self, file: str, wanted: str, sha256: str) -> None:
        super().__init__(
            f"{file} was not loaded, because it wants {wanted}. A model file that is given such a thing can run any "
            "program with your rights. If you trust whoever made it, allow this one file: put its sha256 into the "
            f'setting "Finisher: trusted model files (sha256)", or give --trust-model {sha256}'
        )
        self.wanted = wanted
        self.sha256 = sha256


@dataclass(frozen=True)
class Archive:
    """A PyTorch file: its pickle as plain values, `Name`, `Call`, `Made` and `Stored`, and its records by key."""

    root: Any
    records: Mapping[str, bytes]


def read_archive(data: bytes, file: str, sha256: str, allowed: Collection[Name], called: Collection[Name]) -> Archive:
    """A file as torch.save writes it, wherever its pickle names nothing but `allowed` and calls nothing but `called`.

    Raises UnsafeModel where it wants anything else, and DetectorError where it is no such file or broken.
    """
    if not data.startswith(_MAGIC):
        raise _unchecked(data, file, sha256)
    try:
        pickled, records = _records(data)
        return Archive(Machine(allowed, called).run(pickled), records)
    except Refused as refused:
        raise UnsafeModel(file, str(refused), sha256) from None
    except _BROKEN as error:
        raise DetectorError(f"{file} cannot be read as a PyTorch file: {error}. Fetch it again.") from error


def _unchecked(data: bytes, file: str, sha256: str) -> DetectorError:
    if data[:1] == b"\x80":
        return UnsafeModel(file, "to be read as PyTorch files were before 2020, which cannot be checked", sha256)
    return DetectorError(f"{file} is not a PyTorch file. Fetch it again, or use its ONNX export.")


def _records(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The pickle and the records under data/, by key. Raises ValueError where the archive is not torch.save's."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        names = {entry.filename for entry in entries}
        if len(names) != len(entries):
            raise ValueError("two of its records have one name")
        if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
            raise ValueError("its records are compressed or encrypted")
        if sum(entry.file_size for entry in entries) > len(data):
            raise ValueError("its records are larger than the file")
        tops = {name.partition("/")[0] for name in names}
        top = next(iter(tops), "")
        if len(tops) != 1 or f"{top}/data.pkl" not in names:
            raise ValueError("it has no data.pkl in one folder")
        if f"{top}/constants.pkl" in names:
            raise ValueError("it is a TorchScript program, which is not supported: export it as ONNX")
        if f"{top}/byteorder" in names and archive.read(f"{top}/byteorder") != b"little":
            raise ValueError("its numbers are big-endian")
        if archive.getinfo(f"{top}/data.pkl").file_size > _LARGEST_PICKLE:
            raise ValueError("its data.pkl is too large")
        within = f"{top}/data/"
        records = {name[len(within) :]: archive.read(name) for name in names if name.startswith(within)}
        return archive.read(f"{top}/data.pkl"), records
