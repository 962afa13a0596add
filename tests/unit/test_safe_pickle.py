"""Model files that try to run something: each does run it with an ordinary pickle, and none does here."""

from __future__ import annotations

import contextlib
import copyreg
import functools
import hashlib
import io
import os
import pickle
import sys
import types
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.safe_pickle import UnsafeModel
from lib_finisher.detect.search import Search
from lib_finisher.detect.yolo import Yolo
from lib_finisher.detect.yolo_checkpoint import Checkpoint, load_checkpoint
from lib_finisher.detect.yolo_packages import ultralytics_module
from tests.conftest import detector_weights, photograph

torch = pytest.importorskip("torch", reason="torch is installed for the newest Python only")
pytest.importorskip("yaml", reason="ultralytics needs it")

REAL = ("yolov11m-face.pt", "yolo11n-seg.pt", "yolov8n-seg.pt", "yolo11n-pose.pt", "yolov8s-worldv2.pt")
NAME = "sent by a stranger.pt"


class Calls:
    """Pickles as a call of `function`, which may be such a call itself."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __call__(self) -> None:
        raise AssertionError("only there so that pickle takes it for a function")

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


@pytest.fixture()
def mark(tmp_path: Path) -> Path:
    """A file that exists once an attack has run."""
    return tmp_path / "ran"


def ordinary(data: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.serialization.load(io.BytesIO(data), map_location="cpu", weights_only=False)


def safely(data: bytes, trusted: frozenset[str] = frozenset()) -> Checkpoint:
    return load_checkpoint(data, NAME, trusted)


def saved(content: Any, **how: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **how)
    return stream.getvalue()


def archive(pickled: bytes) -> bytes:
    """A file as torch.save writes it, with a pickle of one's own."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        out.writestr("a/data.pkl", pickled)
        out.writestr("a/version", "3\n")
    return stream.getvalue()


def real(name: str = "yolo11n-pose.pt") -> Any:
    return ordinary(detector_weights(name).read_bytes())


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def command(mark: Path) -> str:
    return f"touch '{mark}'"


def in_one_word(mark: Path) -> bytes:
    return saved({"model": Calls(os.system, command(mark))})


def in_what_is_not_needed(mark: Path) -> bytes:
    content = real()
    content["train_args"] = {"imgsz": 640, "name": Calls(os.system, command(mark))}
    return saved(content)


def in_the_network(mark: Path) -> bytes:
    content = real()
    content["model"].names[0] = Calls(os.system, command(mark))
    return saved(content)


def by_attributes_of_what_is_allowed(mark: Path) -> bytes:
    within = Calls(getattr, Calls(getattr, torch.nn.Conv2d, "__init__"), "__globals__")
    builtins = Calls(Calls(getattr, within, "get"), "__builtins__")
    evaluate = Calls(Calls(getattr, builtins, "get"), "eval")
    return saved({"model": Calls(evaluate, f"__import__('os').system({command(mark)!r})")})


def by_a_name_with_dots(mark: Path) -> bytes:
    return archive(b"\x80\x04" + named("ultralytics.utils", "os.system") + text(command(mark)) + b"\x85R.")


def by_another_name_of_an_allowed_module(mark: Path) -> bytes:
    (mark.parent / "finisher_attack.py").write_text(f"open({str(mark)!r}, 'w')", encoding="utf-8")
    return archive(b"\x80\x02ctorch._utils\n_import_dotted_name\n" + text("finisher_attack") + b"\x85R.")


def by_arguments_of_an_allowed_class(mark: Path) -> bytes:
    tasks = ultralytics_module("ultralytics.nn.tasks", NAME)
    act = f"__import__('os').system({command(mark)!r})"
    layout = {
        "nc": 1,
        "activation": act,
        "backbone": [[-1, 1, "Conv", [8, 3, 2]]],
        "head": [[[0], 1, "Detect", ["nc"]]],
    }
    return saved({"model": Calls(tasks.DetectionModel, layout)})


def by_the_instruction_inst(mark: Path) -> bytes:
    return archive(b"(" + text(command(mark)) + b"ios\nsystem\n.")


def by_the_instruction_obj(mark: Path) -> bytes:
    return archive(b"(cos\nsystem\n" + text(command(mark)) + b"o.")


def by_a_registered_number(mark: Path) -> bytes:
    return archive(b"\x80\x02\x82\xf1" + text(command(mark)) + b"\x85R.")


ATTACKS = (
    in_one_word,
    in_what_is_not_needed,
    in_the_network,
    by_attributes_of_what_is_allowed,
    by_a_name_with_dots,
    by_another_name_of_an_allowed_module,
    by_arguments_of_an_allowed_class,
    by_the_instruction_inst,
    by_the_instruction_obj,
    by_a_registered_number,
)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_a_file_would_run_is_not_run(
    attack: Callable[[Path], bytes], mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(mark.parent))
    copyreg.add_extension("posix", "system", 0xF1)
    try:
        data = attack(mark)
        with pytest.raises(UnsafeModel, match=NAME) as refused:
            safely(data)
        assert not mark.exists()
        assert hashlib.sha256(data).hexdigest() in str(refused.value)
        assert "--trust-model" in str(refused.value)
        # With an ordinary pickle it does run, and some attacks break off afterwards.
        convolution = ultralytics_module("ultralytics.nn.modules", NAME).Conv
        monkeypatch.setattr(convolution, "default_act", convolution.default_act)
        with contextlib.suppress(Exception):
            ordinary(data)
        assert mark.exists()
    finally:
        copyreg.remove_extension("posix", "system", 0xF1)
        sys.modules.pop("finisher_attack", None)


def test_the_message_says_what_was_wanted(mark: Path) -> None:
    with pytest.raises(UnsafeModel, match=r"'posix\.system'|'nt\.system'"):
        safely(in_one_word(mark))


def test_the_old_format_is_refused_without_being_read(mark: Path) -> None:
    for data in (
        saved({"model": Calls(os.system, command(mark))}, _use_new_zipfile_serialization=False),
        pickle.dumps(Calls(os.system, command(mark))),
    ):
        with pytest.raises(UnsafeModel, match="before 2020"):
            safely(data)
        assert not mark.exists()
        (ordinary if b"\x8a\x0al\xfc" in data[:16] else pickle.loads)(data)
        assert mark.exists()
        mark.unlink()


def test_an_archive_in_an_archive_is_no_model(mark: Path) -> None:
    inner = in_one_word(mark)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        out.writestr("a/inner.pt", inner)
    with pytest.raises(DetectorError, match=r"no data\.pkl"):
        safely(stream.getvalue())
    hidden = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(detector_weights("yolo11n-pose.pt").read_bytes())) as good:
        names = good.namelist()
        top = names[0].split("/")[0]
        with zipfile.ZipFile(hidden, "w") as out:
            for name in names:
                out.writestr(name, good.read(name))
            with zipfile.ZipFile(io.BytesIO(inner)) as evil, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out.writestr(f"{top}/data.pkl", evil.read(next(n for n in evil.namelist() if "data.pkl" in n)))
    with pytest.raises(DetectorError, match="two of its records have one name"):
        safely(hidden.getvalue())
    assert not mark.exists()
    ordinary(inner)
    assert mark.exists()


def replaced_method(content: Any) -> Callable[[Any], bool]:
    """A part whose method is another class's: whatever calls `fuse` would call that."""
    content["model"].fuse = torch.nn.Identity
    return lambda loaded: loaded["model"].fuse is torch.nn.Identity


def replaced_forward(content: Any) -> Callable[[Any], bool]:
    head = ultralytics_module("ultralytics.nn.modules.head", NAME)
    content["model"].model[0].forward = head.Detect.forward
    return lambda loaded: loaded["model"].model[0].forward is head.Detect.forward


def hook(content: Any) -> Callable[[Any], bool]:
    content["model"]._forward_hooks[0] = torch.nn.Identity
    return lambda loaded: loaded["model"]._forward_hooks[0] is torch.nn.Identity


def part_named_as_a_method(content: Any) -> Callable[[Any], bool]:
    content["model"]._modules["predict"] = torch.nn.Identity()
    return lambda loaded: "predict" in loaded["model"]._modules


def another_class(content: Any) -> Callable[[Any], bool]:
    content["model"].__dict__["__class__"] = torch.nn.Identity
    return lambda loaded: "__class__" in loaded["model"].__dict__


CHANGES = (replaced_method, replaced_forward, hook, part_named_as_a_method, another_class)


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.__name__)
def test_parts_keep_their_methods(change: Callable[[Any], Callable[[Any], bool]]) -> None:
    content = real()
    changed = change(content)
    data = saved(content)
    with pytest.raises(UnsafeModel, match=NAME):
        safely(data)
    assert changed(ordinary(data))


def test_functions_and_classes_cannot_be_changed() -> None:
    """BUILD gives attributes to whatever is on the stack, even to an allowed function."""
    for module, name in (("torch._utils", "_rebuild_parameter"), ("torch.nn.modules.conv", "Conv2d")):
        data = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"}" + text("finisher_was_here") + b"K\x01sb."
        with pytest.raises(UnsafeModel, match="to change a Name"):
            safely(archive(data))
        if name == "_rebuild_parameter":
            touched = pickle.loads(data)
            assert touched.finisher_was_here == 1
            del touched.finisher_was_here


def test_a_tensor_is_no_larger_than_what_is_stored() -> None:
    content = real()
    first = content["model"].model[0].conv
    first.weight = torch.nn.Parameter(first.weight[:1, :1, :1, :1].detach().expand(1 << 16, 1 << 10, 3, 3))
    data = saved(content)
    assert len(data) < 10 << 20
    with pytest.raises(UnsafeModel, match="a tensor larger than what is stored"):
        safely(data)
    assert ordinary(data)["model"].model[0].conv.weight.numel() > 1 << 29


def test_a_bomb_is_not_unpacked() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a/data.pkl", b"\x80\x02}.")
        out.writestr("a/data/0", bytes(64 << 20))
    assert len(stream.getvalue()) < 1 << 20
    with pytest.raises(DetectorError, match="compressed"):
        safely(stream.getvalue())


def test_keys_that_take_forever_to_hash_are_refused() -> None:
    nested = b"\x80\x02)" + b"q\x00h\x00\x86" * 60
    with pytest.raises(UnsafeModel, match="as a key"):
        safely(archive(b"\x80\x02}" + nested[2:] + b"K\x01s."))


BROKEN_PICKLES = (b"", b"\x80\x02}", b"\x80\x02a.", b"\x80\x02u.", b"\x80\x02h\x07.", b"\x80\x02\x85.", b"\x80\x02}.")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no model", *map(archive, BROKEN_PICKLES)])
def test_broken_files_are_named(data: bytes) -> None:
    with pytest.raises(DetectorError, match=NAME):
        safely(data)


def test_a_trusted_hash_lets_that_one_file_load(mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = in_what_is_not_needed(mark)
    hashed = hashlib.sha256(data).hexdigest()
    with pytest.raises(UnsafeModel) as refused:
        safely(data)
    assert refused.value.sha256 == hashed
    # The first record's time of day, which no reader minds.
    other = bytearray(data)
    other[10] ^= 1
    with pytest.raises(UnsafeModel, match="was not loaded"):
        safely(bytes(other), frozenset({hashed}))
    assert not mark.exists()
    # A web UI may have put a check of its own in torch.load's place.
    monkeypatch.setattr(torch, "load", functools.partial(pytest.fail, "torch.load is the web UI's"))
    assert type(safely(data, frozenset({hashed})).network).__name__ == "PoseModel"
    assert mark.exists()


def test_a_trusted_file_of_the_first_months_finds_its_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = of_the_first_months(monkeypatch)
    checkpoint = safely(data, frozenset({hashlib.sha256(data).hexdigest()}))
    assert type(checkpoint.network).__name__ == "PoseModel"


def test_a_file_of_the_first_months_loads_safely(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = of_the_first_months(monkeypatch)
    with pytest.raises(ImportError):
        ordinary(data)
    assert type(safely(data).network).__name__ == "PoseModel"


def of_the_first_months(monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, Any]:
    """A file that names ultralytics.yolo.utils, which today's package no longer has."""
    content = real()
    modern = ultralytics_module("ultralytics.utils", NAME).IterableSimpleNamespace
    early = type("IterableSimpleNamespace", (modern,), {"__module__": "ultralytics.yolo.utils"})
    with monkeypatch.context() as patch:
        for name in ("ultralytics.yolo", "ultralytics.yolo.utils"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        patch.setattr(sys.modules["ultralytics.yolo.utils"], "IterableSimpleNamespace", early, raising=False)
        content["model"].args = early(imgsz=640)
        return saved(content), early


@pytest.mark.parametrize("name", REAL)
def test_real_files_load_and_compute_what_they_did(name: str) -> None:
    data = detector_weights(name).read_bytes()
    loaded, wanted = safely(data).network, ordinary(data)["model"].float().eval()
    shown = torch.from_numpy(photograph("bus.jpg")[:640, :800].transpose(2, 0, 1).copy())[None]
    with torch.inference_mode():
        one, other = loaded(shown), wanted(shown)
    while isinstance(one, tuple):
        one, other = one[0], other[0]
    assert torch.equal(one, other)
    assert loaded.names == wanted.names
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in loaded.modules())


def test_the_detector_passes_its_trusted_files_on(tmp_path: Path, mark: Path) -> None:
    file = tmp_path / NAME
    file.write_bytes(in_what_is_not_needed(mark))
    with pytest.raises(UnsafeModel) as refused:
        Yolo(file).detect(np.zeros((64, 64, 3), np.float32), 0.5)
    assert not mark.exists()
    found = Yolo(file, trusted=frozenset({refused.value.sha256})).detect(photograph("astronaut.png"), 0.5, Search())
    assert mark.exists()
    assert [item.label for item in found] == ["person"]
