"""Whatever the bytes: a family, or an error that names the file."""

import json
import struct
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lib_finisher.family import Family
from lib_finisher.family_detection import Detected, detect, detect_header
from lib_finisher.model_header import HeaderError
from tests.model_files import FIXTURES, GGUF, KNOWN, gguf_text, packed

QUIET = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(sorted({key for name in KNOWN for key in FIXTURES[name]["header"]})) | st.text(max_size=20)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F16", "U8", 3, None]),
        "shape": st.lists(st.integers(-2, 40000), max_size=5) | JSON,
    }
)


def only_header_errors(path: Path) -> None:
    start = time.perf_counter()
    try:
        found = detect(path)
    except HeaderError as error:
        assert path.name in str(error)
    else:
        assert isinstance(found.family, Family)
    assert time.perf_counter() - start < 2.0


@QUIET
@given(data=st.binary(max_size=400), front=st.sampled_from([b"", b"GGUF", GGUF, b"PK", b"\x80\x02"]))
@example(data=b"", front=b"GGUF")
def test_random_bytes(data: bytes, front: bytes, tmp_path: Path) -> None:
    path = tmp_path / "noise.safetensors"
    path.write_bytes(front + data)
    only_header_errors(path)


@QUIET
@given(data=st.binary(max_size=300), tail=st.binary(max_size=20))
def test_random_bytes_as_a_header(data: bytes, tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "noise.safetensors"
    path.write_bytes(packed(b"{" + data) + tail)
    only_header_errors(path)


@QUIET
@given(counts=st.tuples(st.integers(0, 3), st.integers(0, 3)), data=st.binary(max_size=200))
def test_random_bytes_as_gguf_tables(counts: tuple[int, int], data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "noise.gguf"
    path.write_bytes(GGUF + struct.pack("<QQ", *counts) + gguf_text("a") + data)
    only_header_errors(path)


@QUIET
@given(header=st.dictionaries(KEYS, ENTRY | JSON, max_size=30), name=st.text(max_size=30), metadata=JSON)
def test_random_headers(header: dict[str, Any], name: str, metadata: Any, tmp_path: Path) -> None:
    found = detect_header({**header, "__metadata__": metadata}, name)
    assert isinstance(found, Detected) and found.reason
    path = tmp_path / "noise.safetensors"
    path.write_bytes(packed(json.dumps(header).encode()))
    only_header_errors(path)


@QUIET
@given(name=st.sampled_from(KNOWN), data=st.data())
def test_a_header_with_keys_missing_is_never_another_family(name: str, data: st.DataObject) -> None:
    """Leaving keys out may lose the family, or a sibling's mark, but finds no unrelated family."""
    fixture = FIXTURES[name]
    keys = sorted(fixture["header"])
    kept = data.draw(st.sets(st.sampled_from(keys), min_size=len(keys) * 3 // 4))
    found = detect_header({key: fixture["header"][key] for key in kept})
    siblings = {"sdxl_flux2": {"sdxl"}, "anima": {"cosmos2"}, "chroma": {"flux"}, "wan_5b": {"wan"}}
    expected = fixture["expected"]["family"]
    assert found.family.value in {expected, "unknown"} | siblings.get(expected, set())
