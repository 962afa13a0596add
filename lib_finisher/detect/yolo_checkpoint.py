"""The network in an ultralytics `.pt` file, made without running anything that the file says."""

from __future__ import annotations

import hashlib
import importlib
import io
import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.in_words import in_words
from lib_finisher.detect.safe_pickle import Archive, UnsafeModel, read_archive
from lib_finisher.detect.yolo_classes import (
    ALLOWED,
    ATTRIBUTE,
    CALLED,
    LEFT_OVER,
    MODELS,
    MODULES,
    OTHERS,
    PARAMETER,
    SIZE,
    STORAGES,
    TENSOR,
)
from lib_finisher.detect.yolo_packages import torch_for, ultralytics_module
from lib_finisher.pickle_machine import MOST_STEPS, Budget, Call, Made, Name, Refused, Stored

# Half precision takes twice what is stored; some files hold a network's numbers twice.
_TIMES_STORED, _BYTES_FOR_ALL = 4, 64 << 20
_CHILDREN = "_modules"
# Ultralytics notes each part's class here, over a method of torch's that is never called.
_REMARK = "type"
_TENSORS = ("_parameters", "_buffers")
_PLAIN = (str, int, float, bool, bytes, type(None))
_OLD_MODULES = (("ultralytics.yolo.utils", "ultralytics.utils"), ("ultralytics.yolo.v8", "ultralytics.models.yolo"))


@dataclass(frozen=True)
class Checkpoint:
    """An ultralytics network in float32, ready to run on the CPU, and what its training wrote beside it."""

    network: Any
    training: Mapping[str, Any]


def load_checkpoint(data: bytes, file: str, trusted: Collection[str]) -> Checkpoint:
    """The network in a `.pt` file's bytes. `trusted` holds sha256 hashes, in lower case, of files that may run code.

    Raises UnsafeModel where the file wants more than a detector's parts and is not trusted, and DetectorError where it
    is broken, holds no detector, or torch or ultralytics is missing.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    ultralytics_module("ultralytics.nn.tasks", file)
    if sha256 in trusted:
        return _with_ordinary_pickle(data, file)
    with in_words(file, "holds a network that cannot be put together"):
        return _put_together(read_archive(data, file, sha256, ALLOWED, CALLED), file, sha256)


def _put_together(archive: Archive, file: str, sha256: str) -> Checkpoint:
    root = archive.root
    kept = (root.get("ema") or root.get("model")) if isinstance(root, dict) else root
    if isinstance(kept, Made) and kept.kind in OTHERS:
        raise DetectorError(f"{file} is a {kept.kind.name}, which finds no boxes, masks or keypoints for Finisher.")
    if not isinstance(kept, Made) or kept.kind not in MODELS:
        raise DetectorError(f"{file} holds no ultralytics detector. Use a .pt file that ultralytics has saved.")
    try:
        builder = _Builder(archive, file)
        network = builder.module(kept)
        options = builder.plain(root.get("train_args")) if isinstance(root, dict) else None
    except Refused as refused:
        raise UnsafeModel(file, str(refused), sha256) from None
    return Checkpoint(network.float().eval(), options if isinstance(options, dict) else {})


class _Builder:
    """Makes the network's parts of an archive: empty objects of listed classes, filled with plain values."""

    def __init__(self, archive: Archive, file: str) -> None:
        self._torch = torch_for(file)
        self._file = file
        self._records = archive.records
        self._modules: dict[int, Any] = {}
        self._storages: dict[str, Any] = {}
        self._under_way: set[int] = set()
        # Lists and tuples may stand in each other so that a few hundred bytes describe millions: each is made once.
        self._plain: dict[int, tuple[Any, Any]] = {}
        self._steps = Budget(MOST_STEPS, "steps")
        stored = sum(map(len, archive.records.values()))
        self._bytes = Budget(_TIMES_STORED * stored + _BYTES_FOR_ALL, "bytes for its tensors")
        self._fresh = dict(self._torch.nn.Module().__dict__)

    def module(self, made: Made) -> Any:
        """The part that `made` describes; the same part for the same description."""
        if id(made) in self._modules:
            return self._modules[id(made)]
        if id(made) in self._under_way:
            raise Refused("a part of the network inside itself")
        self._under_way.add(id(made))
        if made.kind not in MODULES or not isinstance(made.state, dict):
            raise Refused(f"a {made.kind} as a part of the network")
        kind = self._kind(MODULES[made.kind])
        part = kind.__new__(kind)
        state, fused = self._state(made, kind)
        # Torch's own classes complete here what files of older versions lack.
        part.__setstate__(state)
        if fused:
            part.forward = part.forward_fuse
        self._modules[id(made)] = part
        return part

    def plain(self, value: Any) -> Any:
        """A value without parts of a network: left-overs of training become None."""
        if isinstance(value, _PLAIN):
            return value
        if isinstance(value, (dict, list, tuple, set)):
            return self._collection(value)
        if isinstance(value, Call) and value.function == SIZE:
            return self._torch.Size(self.plain(value.arguments[0]))
        if isinstance(value, Call) and value.function in (*TENSOR, PARAMETER):
            return self._tensor(value)
        kind = value if isinstance(value, Name) else getattr(value, "kind", None) or getattr(value, "function", None)
        if kind in LEFT_OVER:
            return None
        raise Refused(f"{kind} as a value")

    def _collection(self, value: Any) -> Any:
        if id(value) in self._plain:
            return self._plain[id(value)][1]
        if id(value) in self._under_way:
            raise ValueError("a list in it holds itself")
        self._under_way.add(id(value))
        self._steps.spend(1 + len(value))
        if isinstance(value, dict):
            made: Any = {key: self.plain(item) for key, item in value.items()}
        else:
            made = type(value)(self.plain(item) for item in value)
        # The value itself, too, so that no other one gets its id.
        self._plain[id(value)] = value, made
        return made

    def _kind(self, name: Name) -> Any:
        module = ultralytics_module(name.module, self._file) if _is_yolo(name) else importlib.import_module(name.module)
        kind = getattr(module, name.name, None)
        if kind is None:
            raise DetectorError(
                f"{self._file} needs {name}, which the installed ultralytics lacks: update that package."
            )
        if not isinstance(kind, type) or not issubclass(kind, self._torch.nn.Module):
            raise Refused(f"{name} as a part of the network")
        return kind

    def _state(self, made: Made, kind: Any) -> tuple[dict[str, Any], bool]:
        """What to fill the empty object with, and whether its batch normalisation is folded into its convolution."""
        state, fused = dict(self._fresh), False
        self._steps.spend(len(made.state))
        for name, value in made.state.items():
            if not isinstance(name, str) or name.startswith("__"):
                raise Refused(f"an attribute {name!r}")
            if name == _CHILDREN:
                state[name] = {key: self._child(key, item, kind) for key, item in value.items()}
            elif name in _TENSORS:
                state[name] = {key: self._named_tensor(key, item, kind) for key, item in value.items()}
            elif name in self._fresh and name not in ("training", "_non_persistent_buffers_set"):
                if value:
                    raise Refused(f"something that is called whenever the network runs ({name})")
            elif name == "forward" and _asks_for(value, made, "forward_fuse") and hasattr(kind, "forward_fuse"):
                fused = True
            elif isinstance(value, Call) and value.function == ATTRIBUTE:
                if not (name == "detect" and _is_heads_forward(value)):
                    raise Refused(f"'builtins.getattr' for {name}")
            elif isinstance(getattr(kind, name, None), property) or (name == _REMARK and isinstance(value, str)):
                continue
            elif callable(getattr(kind, name, None)):
                raise Refused(f"to replace the method {name} of {made.kind.name}")
            elif not isinstance(value, Made) or value.kind in MODULES:
                state[name] = self._value(value)
        return state, fused

    def _value(self, value: Any) -> Any:
        if isinstance(value, Made):
            return self.module(value)
        return self.plain(value)

    def _child(self, name: Any, value: Any, kind: Any) -> Any:
        self._check_name(name, kind)
        return None if value is None else self.module(value)

    def _named_tensor(self, name: Any, value: Any, kind: Any) -> Any:
        self._check_name(name, kind)
        return None if value is None else self._tensor(value)

    @staticmethod
    def _check_name(name: Any, kind: Any) -> None:
        if not isinstance(name, str) or "." in name or callable(getattr(kind, name, None)):
            raise Refused(f"a part called {name!r}")

    def _tensor(self, call: Any) -> Any:
        """A tensor that owns its numbers. Raises Refused where it would be larger than what is stored."""
        if isinstance(call, Call) and call.function == PARAMETER:
            tensor = self._tensor(call.arguments[0])
            return self._torch.nn.Parameter(tensor, requires_grad=False)
        if not isinstance(call, Call) or call.function not in TENSOR or len(call.arguments) < 4:
            raise Refused("a tensor of an unknown kind")
        stored, offset, size, stride = call.arguments[:4]
        if isinstance(size, Call) and size.function == SIZE:
            size = size.arguments[0]
        if not isinstance(stored, Stored) or not _counts(size) or not _counts(stride) or not _counts((offset,)):
            raise Refused("a tensor of an unknown kind")
        flat = self._storage(stored)
        if len(size) != len(stride):
            raise ValueError("a tensor's size and stride differ in length")
        elements, last = 1, offset
        for length, step in zip(size, stride):
            elements *= length
            last += (length - 1) * step
        if elements > flat.numel() or (elements and last >= flat.numel()):
            raise Refused("a tensor larger than what is stored for it")
        # Many tensors may share one storage in the file, and none here; in float32 each number takes four bytes.
        self._bytes.spend(elements * max(4, flat.element_size()))
        tensor = self._torch.as_strided(flat, size, stride, offset).clone()
        return tensor.float() if tensor.is_floating_point() else tensor

    def _storage(self, stored: Stored) -> Any:
        if stored.kind not in STORAGES:
            raise Refused(f"{stored.kind} as a tensor's storage")
        if stored.key not in self._storages:
            record = bytearray(self._records[stored.key])
            dtype = getattr(self._torch, STORAGES[stored.kind])
            self._storages[stored.key] = (
                self._torch.frombuffer(record, dtype=dtype) if record else self._torch.empty(0, dtype=dtype)
            )
        flat = self._storages[stored.key]
        if str(flat.dtype) != f"torch.{STORAGES[stored.kind]}" or flat.numel() < stored.count:
            raise ValueError("a tensor's numbers are cut short")
        return flat


def _counts(values: Any) -> bool:
    return isinstance(values, (tuple, list)) and all(type(value) is int and value >= 0 for value in values)


def _is_yolo(name: Name) -> bool:
    return name.module.startswith("ultralytics.")


def _asks_for(value: Any, owner: Made, attribute: str) -> bool:
    return isinstance(value, Call) and value.function == ATTRIBUTE and value.arguments == (owner, attribute)


def _is_heads_forward(value: Call) -> bool:
    """Whether this is Detect.forward, which heads of 2023 and 2024 kept as an attribute and newer ones do not use."""
    return (
        len(value.arguments) == 2
        and isinstance(value.arguments[0], Name)
        and value.arguments[0].name == "Detect"
        and value.arguments[1] == "forward"
    )


def _with_ordinary_pickle(data: bytes, file: str) -> Checkpoint:
    """For files that the user trusts by their hash. A web UI may have replaced torch.load; this one it has not."""
    torch = torch_for(file)
    ways = SimpleNamespace(__name__="pickle", Unpickler=_Renaming, load=pickle.load)
    with in_words(file, "is trusted, but cannot be read", "Fetch it again."):
        root = torch.serialization.load(io.BytesIO(data), map_location="cpu", pickle_module=ways, weights_only=False)
    network = (root.get("ema") or root.get("model")) if isinstance(root, dict) else root
    if not isinstance(network, torch.nn.Module):
        raise DetectorError(f"{file} is trusted, but holds no ultralytics detector.")
    options = root.get("train_args") if isinstance(root, dict) else None
    return Checkpoint(network.float().eval(), options if isinstance(options, dict) else {})


class _Renaming(pickle.Unpickler):
    """Knows under which names ultralytics kept its classes in its first months."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        for old, new in _OLD_MODULES:
            if module_name == old or module_name.startswith(f"{old}."):
                module_name = new + module_name[len(old) :]
        return super().find_class(module_name, global_name)
