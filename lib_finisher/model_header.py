"""The header of a model file: tensor names, shapes and metadata, read without touching a tensor."""

from __future__ import annotations

import os
import stat
import struct
from typing import Any, BinaryIO, ClassVar

from lib_finisher.json_text import parse_json

HEADER_LIMIT = 8 * 1024 * 1024  # bytes; the format allows 100 million, which take 4 s to parse
GGUF_LIMIT = 32 * 1024 * 1024  # bytes of tables in front of the tensors of a .gguf file
GGUF_VALUES = 1_000_000  # texts in the lists of a .gguf file; a text encoder's vocabulary and merges are 300,000


class HeaderError(ValueError):
    """A model file whose header cannot be read; the text names the file, the fault and a way out."""


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The header of a ``.safetensors`` or ``.gguf`` file as a dict; no tensor is read.

    Raises ``HeaderError`` for anything else: absent, a folder, pickled, cut short, malformed.
    """
    name = os.path.basename(os.fspath(path)) or str(path)
    try:
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            raise HeaderError(f"{name}: not a file. Choose the .safetensors file inside the folder.")
        with open(path, "rb", buffering=0) as raw:
            start = raw.read(8)
            if start[:4] != b"GGUF":
                return _safetensors(raw, start, name, info.st_size)
        with open(path, "rb") as file:
            return _Gguf(file, name, info.st_size).header()
    except HeaderError:
        raise
    except FileNotFoundError as error:
        raise HeaderError(f"{name}: no such file. Check its name and its folder.") from error
    except (OSError, ValueError) as error:
        fault = getattr(error, "strerror", None) or error  # without the path
        raise HeaderError(f"{name}: cannot be opened ({fault}). Check its path and permissions.") from error


def _safetensors(raw: Any, start: bytes, name: str, size: int) -> dict[str, Any]:
    """Format: u64 little-endian length n, n bytes of JSON object, tensor data [safetensors README]."""
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= min(HEADER_LIMIT, size - 8):
        pickled = name.lower().endswith((".ckpt", ".pt", ".pth", ".bin")) or start[:2] in (b"PK", b"\x80\x02")
        if pickled:
            fault, cure = (
                "a pickle, whose keys cannot be read without running it",
                "Convert it to .safetensors",
            )
        elif len(start) == 8 and 2 <= length <= HEADER_LIMIT:
            fault, cure = f"cut short, its header takes {length} bytes of {size}", "Download it again"
        else:
            fault, cure = (
                f"not a safetensors file ({size} bytes, header length {length})",
                "Check the download",
            )
        raise HeaderError(f"{name}: {fault}. {cure}.")
    text = bytearray()
    while len(text) < length and (piece := raw.read(length - len(text))):
        text += piece
    try:
        header = parse_json(text.decode("utf-8")) if text[:1] == b"{" else None
    except ValueError as error:
        fault = str(error)[:80]
        raise HeaderError(f"{name}: its header is no valid JSON ({fault}). Download it again.") from error
    if not isinstance(header, dict):
        raise HeaderError(f"{name}: its header is no JSON object. Download it again or convert it anew.")
    ends = (e.get("data_offsets") for e in header.values() if isinstance(e, dict))
    last = max((e[1] for e in ends if isinstance(e, list) and len(e) == 2 and type(e[1]) is int), default=0)
    if 8 + length + last > size:
        needed = 8 + length + last
        raise HeaderError(f"{name}: cut short, it has {size} of {needed} bytes. Download it again.")
    return header


class _Gguf:
    """The front of a GGUF file, version 2 or 3: counts, key/value pairs, tensor infos [ggml docs/gguf.md].

    Sizes are stored fastest first and turned round here; ``comfy.gguf.orig_shape.*`` holds the true
    shape of tensors folded for quantisation [ComfyUI-GGUF tools/convert.py].
    """

    KINDS: ClassVar = {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "B",
        10: "Q",
        11: "q",
        12: "d",
    }
    TEXT, LIST, LONGEST_SHAPE = 8, 9, 64

    def __init__(self, file: BinaryIO, name: str, size: int) -> None:
        self.file, self.name, self.left, self.values = file, name, min(size, GGUF_LIMIT), GGUF_VALUES
        self.take(4)

    def fail(self, fault: str) -> HeaderError:
        return HeaderError(f"{self.name}: not a readable GGUF file ({fault}). Download it again.")

    def take(self, count: int) -> bytes:
        self.left -= count
        if self.left < 0:
            raise self.fail("its tables are cut short")
        return self.file.read(count)

    def number(self, code: str) -> Any:
        try:
            return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]
        except struct.error as error:
            raise self.fail("its tables are cut short") from error

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == self.TEXT:
            return self.text()
        if kind in self.KINDS:
            return self.number(self.KINDS[kind])
        inner, count = (self.number("I"), self.number("Q")) if kind == self.LIST else (kind, 0)
        if kind != self.LIST or inner == self.LIST or count > self.left:
            raise self.fail(f"value type {inner}, {count} values")
        if inner in self.KINDS and count > self.LONGEST_SHAPE:
            # No shape: a vocabulary's scores, of which nobody asks.
            self.take(count * struct.calcsize("<" + self.KINDS[inner]))
            return []
        self.values -= count
        if self.values < 0:
            raise self.fail(f"more than {GGUF_VALUES} values in its lists")
        return [self.value(inner) for _ in range(count)]

    def header(self) -> dict[str, Any]:
        version, tensors, pairs = self.number("I"), self.number("Q"), self.number("Q")
        if version not in (2, 3) or max(tensors, pairs) > 100_000:
            raise self.fail(f"version {version}, {tensors} tensors, {pairs} values")
        meta = {self.text(): self.value(self.number("I")) for _ in range(pairs)}
        header: dict[str, Any] = {"__metadata__": {k: v for k, v in meta.items() if isinstance(v, str)}}
        for _ in range(tensors):
            key, rank = self.text(), self.number("I")
            sizes = [self.number("Q") for _ in range(min(rank, 8))][::-1]
            kind, _offset = self.number("I"), self.number("Q")
            header[key] = {"dtype": f"GGML_{kind}", "shape": meta.get(f"comfy.gguf.orig_shape.{key}", sizes)}
        return header
