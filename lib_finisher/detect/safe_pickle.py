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
from lib_finisher.pickle_machine import Machine, Name, Refused
from lib_finisher.torch_archive import BROKEN, MAGIC, pickle_of, read_records


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
    if not data.startswith(MAGIC):
        raise _unchecked(data, file, sha256)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            pickled, records = pickle_of(archive, len(data))
            return Archive(Machine(allowed, called).run(pickled), read_records(archive, records))
    except Refused as refused:
        raise UnsafeModel(file, str(refused), sha256) from None
    except BROKEN as error:
        raise DetectorError(f"{file} cannot be read as a PyTorch file: {error}. Fetch it again.") from error


def _unchecked(data: bytes, file: str, sha256: str) -> DetectorError:
    if data[:1] == b"\x80":
        return UnsafeModel(file, "to be read as PyTorch files were before 2020, which cannot be checked", sha256)
    return DetectorError(f"{file} is not a PyTorch file. Fetch it again, or use its ONNX export.")
