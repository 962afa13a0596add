"""Model files of a few bytes that would take all time or all memory: each ends in words, after counted work."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.detect import yolo_onnx
from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.in_words import in_words
from lib_finisher.detect.model_file import MOST_BYTES, ModelFile
from lib_finisher.detect.safe_pickle import Archive
from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.upscaler_file import loaded
from lib_finisher.hosts.upscaler_state import StateError, check_state
from lib_finisher.pickle_machine import MOST_STEPS, Budget, Check, Machine, Name, Refused, TooMuch

NAME = "sent by a stranger.pt"
ORDERED = Name("collections", "OrderedDict")


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def nested(levels: int) -> bytes:
    """A tuple of two that are one, of two that are one, ...: 2 bytes a level."""
    return b")" + b"2\x86" * levels


def archive(pickled: bytes, records: dict[str, bytes] | None = None) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        out.writestr("a/data.pkl", pickled)
        out.writestr("a/version", "3\n")
        for key, data in (records or {}).items():
            out.writestr(f"a/data/{key}", data)
    return stream.getvalue()


def model(state: bytes) -> bytes:
    """A detector of nothing but `state`, a pickled dictionary."""
    return b"\x80\x04}(" + text("model") + named("ultralytics.nn.tasks", "DetectionModel") + b")\x81" + state + b"bu."


def tensor(size: int, key: str = "0", count: int | None = None, stride: int = 1) -> bytes:
    stored = b"(" + text("storage") + named("torch", "FloatStorage") + text(key) + text("cpu")
    stored += b"J" + struct.pack("<i", size if count is None else count) + b"tQ"
    shape = b"J" + struct.pack("<i", size) + b"\x85" + b"J" + struct.pack("<i", stride) + b"\x85"
    rebuild = named("torch._utils", "_rebuild_tensor_v2")
    return rebuild + b"(" + stored + b"K\x00" + shape + b"\x89" + named("collections", "OrderedDict") + b")RtR"


def test_what_is_copied_again_and_again_is_counted() -> None:
    pairs = b"\x80\x04](" + b"K\x01K\x02\x86" * 1000 + b"e\x940"
    again = named("collections", "OrderedDict") + b"h\x00\x85R0"
    assert Machine([ORDERED], [ORDERED]).run(pairs + again * 900 + b"N.") is None
    with pytest.raises(TooMuch, match=str(MOST_STEPS)):
        Machine([ORDERED], [ORDERED]).run(pairs + again * 1100 + b"N.")
    with pytest.raises(TooMuch):
        Machine([], []).run(b"\x80\x02" + b"N0" * (MOST_STEPS // 2) + b"N.")


def test_a_budget_is_spent_to_the_last() -> None:
    budget = Budget(5, "apples")
    budget.spend(5)
    with pytest.raises(TooMuch, match="more than 5 apples"):
        budget.spend()


def test_what_stands_in_each_other_is_made_once() -> None:
    pytest.importorskip("torch")
    from lib_finisher.detect.yolo_checkpoint import _Builder

    deep: Any = ()
    for _ in range(60):
        deep = (deep, deep)
    builder = _Builder(Archive(None, {}), NAME)
    made = builder.plain({"a": deep, "b": [deep, {"c": deep}]})
    # 60 tuples with two items, the empty one, and what holds them; one by one there would be 2 ** 60.
    assert builder._steps.spent < 200
    for _ in range(60):
        made = made["a"] if isinstance(made, dict) else made[1]
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="holds itself"):
        builder.plain(loop)


HOSTILE = {
    "nested": archive(model(b"}(" + text("x") + nested(60) + b"u")),
    "deep": archive(model(b"}(" + text("x") + b"]" * 5000 + b"a" * 4999 + b"u")),
    "a size beyond 64 bits": archive(
        model(b"}(" + text("x") + named("torch", "Size") + b"\x8a\x10" + b"\x7f" * 16 + b"\x85\x85Ru")
    ),
    "a size of texts": archive(model(b"}(" + text("x") + named("torch", "Size") + text("y") + b"\x85\x85Ru")),
    "a size of nothing": archive(model(b"}(" + text("x") + named("torch", "Size") + b")Ru")),
    "no layers": archive(model(b"}(" + text("yaml") + b"Nu")),
    "layers that are none": archive(model(b"}(" + text("_modules") + b"K\x05u")),
    "tensors that share": archive(
        model(b"}(" + text("_buffers") + b"}(" + b"".join(text(f"b{n}") + tensor(500_000) for n in range(60)) + b"uu"),
        {"0": bytes(2_000_000)},
    ),
    "numbers without a record": archive(model(b"}(" + text("_buffers") + b"}(" + text("b") + tensor(8, "7") + b"uu")),
    "half a number": archive(model(b"}(" + text("_buffers") + b"}(" + text("b") + tensor(1) + b"uu"), {"0": b"abc"}),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_detector_is_a_detector_error(what: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("yaml", reason="ultralytics needs it")
    from lib_finisher.detect.yolo_checkpoint import load_checkpoint

    with pytest.raises(DetectorError, match=NAME) as told:
        load_checkpoint(HOSTILE[what], NAME, ())
    assert len(str(told.value)) < 800
    if what == "tensors that share":
        assert "bytes for its tensors" in str(told.value)


@pytest.mark.parametrize("error", [AttributeError("x"), OverflowError(), MemoryError(), RecursionError(), OSError("x" * 9999)])  # noqa: E501  # fmt: skip
def test_whatever_a_model_raises_is_told_in_words(error: Exception) -> None:
    with pytest.raises(DetectorError) as told, in_words("a.pt", "cannot be used"):
        raise error
    assert type(error).__name__ in str(told.value)
    assert str(told.value).startswith("a.pt cannot be used")
    assert len(str(told.value)) < 500
    with pytest.raises(KeyboardInterrupt), in_words("a.pt", "cannot be used"):
        raise KeyboardInterrupt


def test_a_file_larger_than_any_detector_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.pt"
    with file.open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)
    with pytest.raises(DetectorError, match=r"huge\.pt has 1024 MiB"):
        ModelFile(file).identity()


@pytest.mark.parametrize("note", ["[" * 9 + "]" * 9, "-" * 100_000 + "1", "1" + "+1" * 100_000, "(" * 100_000, "~1", "a" * 10**6, "'" * 99_999])  # noqa: E501  # fmt: skip
def test_a_note_that_is_no_plain_value_is_none(note: str) -> None:
    assert yolo_onnx._value({"names": note}, "names") is None


def test_the_notes_that_ultralytics_writes_are_read() -> None:
    names = {0: "face", 1: "t-shirt + 'x'", 2: 'a "b" [(('}
    assert yolo_onnx._value({"names": repr(names)}, "names") == names
    assert yolo_onnx._value({"kpt_shape": "[17, 3]"}, "kpt_shape") == [17, 3]
    assert yolo_onnx._value({"stride": "32"}, "stride") == 32
    assert yolo_onnx._value({}, "stride") is None
    many = {number: f"class {number}" for number in range(1203)}
    assert yolo_onnx._value({"names": repr(many)}, "names") == many


def hash_bomb(levels: int = 60) -> bytes:
    return b"\x80\x02}" + nested(levels) + b"K\x01s."


def old_format(weights: bytes) -> bytes:
    first = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join([*first, weights, pickle.dumps([], protocol=2)])


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
@pytest.mark.parametrize("form", [archive, old_format])
def test_an_upscaler_that_hashes_for_ever_is_refused(tmp_path: Path, suffix: str, form: Any) -> None:
    pytest.importorskip("spandrel")
    file = tmp_path / f"4x{suffix}"
    file.write_bytes(form(hash_bomb()))
    with pytest.raises(HostError, match="a tuple as a key"):
        loaded(file)


def test_an_upscaler_that_repeats_one_number_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("spandrel")
    file = tmp_path / "4x.pth"
    torch.save({"model.0.weight": torch.zeros(1).expand(10**6, 10**4), "model.0.bias": torch.zeros(1)}, file)
    assert file.stat().st_size < 4096
    with pytest.raises(HostError, match="weights take 38146 MiB"):
        loaded(file)

    class Many:
        @staticmethod
        def numel() -> int:
            return 17 << 20

    check_state({"a": Many()}, 1 << 20)
    with pytest.raises(StateError, match="weights take 68 MiB"):
        check_state({"a": Many()}, (1 << 20) - 1)


def test_an_upscaler_of_countless_layers_is_refused() -> None:
    check_state({f"model.{number * 3}.weight": None for number in range(100)}, 1)
    for wrong in ("body.999999999.weight", "body.1" + "0" * 5000, "101"):
        with pytest.raises(StateError, match="numbered beyond 100"):
            check_state({wrong: None}, 1)
    for nothing in ({}, [], None):
        with pytest.raises(StateError, match="no weights"):
            check_state(nothing, 1)  # type: ignore[arg-type]


def test_a_compressed_upscaler_is_not_unpacked(tmp_path: Path) -> None:
    pytest.importorskip("spandrel")
    file = tmp_path / "4x.pth"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a/data.pkl", b"\x80\x02}.")
        out.writestr("a/data/0", bytes(64 << 20))
    with pytest.raises(HostError, match="compressed"):
        loaded(file)


def test_other_names_are_somebody_elses_affair() -> None:
    call = named("os", "system") + text("true") + b"\x85R"
    assert Check().run(b"\x80\x04}(" + text("a") + call + b"u.") is not None
    with pytest.raises(Refused, match=r"os\.system"):
        Machine([], []).run(b"\x80\x04" + call + b".")
