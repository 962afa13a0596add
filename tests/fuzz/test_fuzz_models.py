"""Files of models: headers of safetensors, GGUF and ONNX, pickles and their archives. Nothing but the errors that their
readers name comes out, after counted work and within a memory in proportion to the file."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_finisher.detect import yolo_onnx, yolo_onnx_header
from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.safe_pickle import read_archive
from lib_finisher.family import Family
from lib_finisher.family_detection import detect_header
from lib_finisher.hosts.upscaler_state import StateError, _check_pickles, check_state
from lib_finisher.model_header import HeaderError, read_header
from lib_finisher.pickle_machine import Check, Machine, Name, Refused
from lib_finisher.redraw.networks import embedding_family, lora_family
from lib_finisher.torch_archive import BROKEN
from lib_finisher.variants import variants_of
from tests.fuzz.budget import tried, within
from tests.fuzz.mutations import JSON, mutated, mutated_json, sized
from tests.model_files import FIXTURES, KNOWN, write_gguf

ALLOWED = [Name("collections", "OrderedDict"), Name("builtins", "set"), Name("torch", "FloatStorage")]
CALLED = [ALLOWED[0], ALLOWED[1]]


@pytest.fixture(scope="module", name="folder")
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


HEADERS = [dict(list(FIXTURES[name]["header"].items())[:60]) for name in KNOWN[:12]] + [
    {"__metadata__": {"modelspec.title": "Pony v6", "modelspec.resolution": "1024x1024"}, "emb_params": {"dtype": "F16", "shape": [8, 768]}},  # noqa: E501
    {"lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": {"dtype": "F16", "shape": [8, 2048]}},  # noqa: E501
]  # fmt: skip


def look_at(header: dict[str, Any]) -> None:
    """All that is asked of a header."""
    found = detect_header(header, "x")
    assert isinstance(found.family, Family)
    variants_of(found, header, "x")
    assert isinstance(lora_family(header), str)
    assert isinstance(embedding_family(header), str)


@tried(100)
@given(header=mutated_json(HEADERS) | st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_a_header_of_any_content_is_looked_at(header: Any) -> None:
    with within(400_000), contextlib.suppress(HeaderError):
        look_at(header)


SAFETENSORS = [sized(json.dumps(header).encode()) for header in HEADERS[-6:]]


@tried(150)
@given(data=mutated(SAFETENSORS) | st.binary(max_size=60).map(sized))
def test_a_safetensors_file_is_read_or_told(data: bytes, folder: Path) -> None:
    file = folder / "x.safetensors"
    file.write_bytes(data)
    with within(400_000):
        try:
            look_at(read_header(file))
        except HeaderError as error:
            assert str(error).startswith("x.safetensors: ")
            assert len(str(error)) < 500


def ggufs() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "x.gguf"
        found = []
        for header in HEADERS[:3]:
            pairs = {"general.architecture": "flux", "comfy.gguf.orig_shape.a": [1, 2, 3], "x": 1.5}
            found.append(write_gguf(file, header, pairs).read_bytes())
        return found


@tried(200)
@given(data=mutated(ggufs()) | st.binary(max_size=80).map(b"GGUF\x03\0\0\0".__add__))
def test_a_gguf_file_is_read_or_told(data: bytes, folder: Path) -> None:
    file = folder / "x.gguf"
    file.write_bytes(data)
    with within(400_000, mib=24):
        try:
            look_at(read_header(file))
        except HeaderError as error:
            assert str(error).startswith("x.gguf: ")
            assert len(str(error)) < 500


def pickles() -> list[bytes]:
    from collections import OrderedDict

    deep: Any = ()
    for _ in range(40):
        deep = (deep, deep)
    shared = [1, 2]
    values = [{"a": [1, 2.5, None, "x", b"y"], "b": (shared, shared), "c": {1, 2}}, deep, OrderedDict(a=1, b={2: 3}), [[]], True]  # noqa: E501  # fmt: skip
    return [pickle.dumps(value, protocol) for value in values for protocol in (0, 2, 4)]


PARTS = [
    b"(", b")", b"]", b"}", b"N", b"K\x01", b"2", b"\x85", b"\x86", b"\x87", b"t", b"l", b"d", b"a", b"e", b"s", b"u",
    b"0", b"1", b"q\x00", b"h\x00", b"\x94", b"R", b"b", b"\x81", b"Q", b"\x93", b"\x8f", b"\x90", b"\x91",
    b"X\x01\0\0\0a",
    b"ccollections\nOrderedDict\n", b"cbuiltins\nset\n", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b"U\x01a",
    b"J\xff\xff\xff\xff", b"\x8d" + b"\xff" * 8, b"B\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f",
    b"I1" + b"0" * 20 + b"\n",
]  # fmt: skip
OPCODES = st.lists(st.sampled_from(PARTS), max_size=40).map(lambda parts: b"\x80\x02" + b"".join(parts) + b".")


@tried(500)
@given(data=mutated(pickles()) | OPCODES | st.binary(max_size=60))
def test_a_pickle_is_followed_or_told(data: bytes) -> None:
    for machine in (Machine(ALLOWED, CALLED), Check()):
        with within(20_000, mib=8), contextlib.suppress(Refused, *BROKEN):
            machine.run(data)
        with within(20_000, mib=8), contextlib.suppress(Refused, *BROKEN):
            type(machine)(*((ALLOWED, CALLED) if type(machine) is Machine else ())).run(io.BytesIO(data))


def archive(pickled: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        out.writestr("a/data.pkl", pickled)
        out.writestr("a/byteorder", "little")
        out.writestr("a/data/0", bytes(64))
    return stream.getvalue()


@tried(200)
@given(data=mutated([archive(data) for data in pickles()]) | OPCODES.map(archive))
def test_an_archive_is_read_or_told(data: bytes, folder: Path) -> None:
    with within(60_000, mib=8), contextlib.suppress(DetectorError):
        read_archive(data, "x.pt", "0" * 64, ALLOWED, CALLED)
    file = folder / "x.pth"
    file.write_bytes(data)
    with within(60_000, mib=8), contextlib.suppress(StateError):
        _check_pickles(file, len(data))


@tried(100)
@given(state=st.dictionaries(st.text(max_size=12) | st.sampled_from(["a.1.b", "9.9", "conv.99999999999.w"]), JSON) | JSON)  # noqa: E501  # fmt: skip
def test_the_names_of_weights_are_judged(state: Any) -> None:
    with within(20_000), contextlib.suppress(StateError):
        check_state(state, 1000)


def varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, data: bytes | int) -> bytes:
    if isinstance(data, int):
        return varint(number << 3) + varint(data)
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx(shape: tuple[int, ...], notes: dict[str, str]) -> bytes:
    dimensions = b"".join(field(1, field(1, length)) for length in shape)
    tensor = field(1, 1) + field(2, dimensions)
    graph = field(11, field(1, b"images") + field(2, field(1, tensor))) + field(5, field(8, b"weight"))
    told = b"".join(field(14, field(1, key.encode()) + field(2, text.encode())) for key, text in notes.items())
    return field(1, 8) + field(7, graph) + told


NOTES = {
    "names": "{0: 'face', 1: \"a\"}", "stride": "32", "imgsz": "[640, 640]", "kpt_shape": "[17, 3]", "task": "pose"
}  # fmt: skip
MODELS = [onnx((1, 3, 640, 640), NOTES), onnx((1, 3, 2**40, 0), {})]


def test_the_original_is_read_as_it_was_written() -> None:
    """Whatever is changed below is changed in something right."""
    header = yolo_onnx_header.read_header(MODELS[0])
    assert (header.input_shape, header.metadata) == ((1, 3, 640, 640), NOTES)
    value = {"a": [1, 2.5, None, "x", (True,)], "b": {2: []}}
    for protocol in (0, 2, 4):
        assert Machine(ALLOWED, CALLED).run(pickle.dumps(value, protocol)) == value


@tried(250)
@given(data=mutated(MODELS) | st.binary(max_size=60))
def test_the_header_of_an_onnx_file_is_read_or_told(data: bytes) -> None:
    with within(40_000, mib=4):
        try:
            header = yolo_onnx_header.read_header(data)
        except (ValueError, IndexError):
            return
        assert all(isinstance(length, int) and length >= 0 for length in header.input_shape)
        for key in NOTES:
            yolo_onnx._value(header.metadata, key)


@tried(200)
@given(note=st.lists(st.sampled_from(["{", "}", "[", "]", "(", ")", "'", '"', "\\", "0", ":", ",", "a", "-", "1e9", " ", "\n", "None", "f'", "0x", "0" * 30]), max_size=40).map("".join) | st.text(max_size=40))  # noqa: E501  # fmt: skip
def test_a_note_is_a_plain_value_or_none(note: str) -> None:
    with within(5_000, mib=4):
        value = yolo_onnx._value({"x": note}, "x")
    # What stands in quotation marks and lists is all that it may be.
    assert isinstance(value, (type(None), int, float, str, bytes, bool, list, tuple, dict, set, complex, type(...)))


def test_numbers_at_the_edges_are_no_sizes(folder: Path) -> None:
    for count in (2**31, 2**63, 2**64 - 1):
        for at in (8, 16):
            data = bytearray(ggufs()[0])
            data[at : at + 8] = struct.pack("<Q", count)
            (folder / "x.gguf").write_bytes(bytes(data))
            with within(100_000, mib=8), pytest.raises(HeaderError):
                read_header(folder / "x.gguf")
