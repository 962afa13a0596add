"""Model files made in a test: safetensors and GGUF headers, with a hole where the tensors would be."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "facts" / "families"
FIXTURES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
KNOWN = [name for name, fixture in FIXTURES.items() if fixture["expected"]["family"] != "unknown"]
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "U8": 1, "I8": 1}
GGUF = b"GGUF" + struct.pack("<I", 3)


def write_file(path: Path, header: dict[str, Any], real_sizes: bool = os.name != "nt") -> Path:
    """A safetensors file with this header and a hole where the tensors would be."""
    full, offset = {}, 0
    for key, entry in header.items():
        full[key] = entry
        if key != "__metadata__":
            size = SIZES[entry["dtype"]] if real_sizes else 0
            for dim in entry["shape"]:
                size *= dim
            full[key] = {**entry, "data_offsets": [offset, offset + size]}
            offset += size
    text = json.dumps(full).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)
    return path


def gguf_text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def write_gguf(path: Path, header: dict[str, Any], pairs: dict[str, Any] | None = None, version: int = 3) -> Path:
    """A GGUF file with these tensor infos (Q4_0, sizes fastest first) and no tensor data."""
    tensors = {key: entry["shape"] for key, entry in header.items() if key != "__metadata__"}
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs or {}))
    for key, value in (pairs or {}).items():
        if isinstance(value, str):
            out += gguf_text(key) + struct.pack("<I", 8) + gguf_text(value)
        elif isinstance(value, list):
            out += gguf_text(key) + struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
        else:
            out += gguf_text(key) + struct.pack("<If", 6, value)
    for key, shape in tensors.items():
        out += gguf_text(key) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], 2, 0)
    path.write_bytes(out)
    return path


def packed(text: bytes, length: int | None = None) -> bytes:
    """A safetensors file of this header alone, with its length or a wrong one before it."""
    return struct.pack("<Q", len(text) if length is None else length) + text
