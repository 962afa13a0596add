"""Model files that are broken, missing or no model files: each is refused with its name and the reason."""

import io
import pickle
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.family import Family
from lib_finisher.family_detection import detect, detect_header
from lib_finisher.model_header import HeaderError, read_header
from tests.model_files import FIXTURES, GGUF, gguf_text, packed, write_file

LIMIT = 0.2  # seconds a file may take


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", b"x" * 4000)
    return out.getvalue()


BROKEN = {
    "empty.safetensors": (b"", "not a safetensors file"),
    "short.safetensors": (b"\x10\0\0", "not a safetensors file"),
    "zero.safetensors": (packed(b"", 0) + bytes(64), "not a safetensors file"),
    "huge.safetensors": (packed(b"{}", 2**63), "not a safetensors file"),
    "all_ones.safetensors": (b"\xff" * 64, "not a safetensors file"),
    "over_limit.safetensors": (packed(b"{}", 100_000_001), "not a safetensors file"),
    "cut_header.safetensors": (packed(b'{"a": {"dtype"', 5000), "cut short"),
    "cut_tensors.safetensors": (
        packed(b'{"a":{"dtype":"F16","shape":[8],"data_offsets":[0,16]}}'),
        "cut short",
    ),
    "no_json.safetensors": (packed(b"{not json at all}"), "no valid JSON"),
    "no_utf8.safetensors": (packed(b'{"\xff\xfe": 1}'), "no valid JSON"),
    "half_json.safetensors": (packed(b'{"a": {"dtype": "F16"'), "no valid JSON"),
    "long_number.safetensors": (packed(b'{"a": ' + b"9" * 9000 + b"}"), None),
    "list.safetensors": (packed(b"[1, 2, 3]"), "no JSON object"),
    "string.safetensors": (packed(b'"header"'), "no JSON object"),
    "deep.safetensors": (packed(b'{"a":' + b"[" * 200_000), "no valid JSON"),
    "deep_closed.safetensors": (packed(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "no valid JSON"),
    "pickled.ckpt": (zipped(), "pickle"),
    "zipped.safetensors": (zipped(), "pickle"),
    "old.pt": (pickle.dumps({"state_dict": {}}, protocol=2) + bytes(64), "pickle"),
    "text.ckpt": (b"just a text file, long enough", "pickle"),
    "page.safetensors": (b"<!DOCTYPE html><html>not found</html>", "not a safetensors file"),
    "short.gguf": (GGUF, "GGUF"),
    "old_version.gguf": (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "GGUF"),
    "many_tensors.gguf": (GGUF + struct.pack("<QQ", 2**60, 0), "GGUF"),
    "long_key.gguf": (GGUF + struct.pack("<QQQ", 0, 1, 2**62), "GGUF"),
    "bad_type.gguf": (GGUF + struct.pack("<QQ", 0, 1) + gguf_text("a") + struct.pack("<I", 77), "GGUF"),
    "nested.gguf": (GGUF + struct.pack("<QQ", 0, 1) + gguf_text("a") + struct.pack("<IIQ", 9, 9, 1), "GGUF"),
    "long_list.gguf": (
        GGUF + struct.pack("<QQ", 0, 1) + gguf_text("a") + struct.pack("<IIQ", 9, 8, 2**40),
        "GGUF",
    ),
    "cut_infos.gguf": (GGUF + struct.pack("<QQ", 2, 0) + gguf_text("a") + struct.pack("<I", 9), "GGUF"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_say_what_is_wrong(name: str, tmp_path: Path) -> None:
    data, fault = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    start = time.perf_counter()
    if fault is None:  # allowed to pass: Python 3.10 has no limit on the digits of a number
        try:
            assert detect(path).family is Family.UNKNOWN
        except HeaderError as error:
            assert name in str(error)
    else:
        with pytest.raises(HeaderError) as caught:
            detect(path)
        text = str(caught.value)
        assert name in text and fault in text and text.endswith(".") and text.count(". ") >= 1
        assert str(tmp_path) not in text
    assert time.perf_counter() - start < LIMIT


def test_folders_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(HeaderError, match="not a file"):
        detect(tmp_path)
    with pytest.raises(HeaderError, match=r"gone\.safetensors: no such file"):
        read_header(tmp_path / "gone.safetensors")
    with pytest.raises(HeaderError, match="cannot be opened"):
        read_header("bad\0name.safetensors")
    with pytest.raises(HeaderError, match="not a table"):
        detect_header([])  # type: ignore[arg-type]
    assert issubclass(HeaderError, ValueError)


def test_an_unreadable_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_file(tmp_path / "locked.safetensors", {})

    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(HeaderError, match=r"locked\.safetensors: cannot be opened"):
        read_header(path)


@pytest.mark.parametrize(
    "entry",
    [None, 7, "x", [], {}, {"shape": None}, {"shape": "320"}, {"shape": [None]}, {"shape": [-1, 4, 3, 3]},
     {"shape": [True, 4]}, {"shape": [1.5]}, {"shape": []}, {"shape": [320]}],
)  # fmt: skip
def test_malformed_entries_are_no_evidence(entry: Any) -> None:
    header = {**FIXTURES["sd1_unet_only"]["header"], "input_blocks.0.0.weight": entry}
    assert detect_header(header).family in (Family.UNKNOWN, Family.SD1)
    assert detect_header({"input_blocks.0.0.weight": entry, "__metadata__": entry}).family is Family.UNKNOWN
