"""A YOLO network in PyTorch: the part of ultralytics that computes, and nothing around it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.yolo_checkpoint import Checkpoint
from lib_finisher.detect.yolo_decode import Array, Layout
from lib_finisher.detect.yolo_packages import torch_for

_log = logging.getLogger("finisher")

_USUAL_SIDE = 640
_MOST_CLASSES = 100_000
_SIDES = range(320, 1537, 32)


class TorchNetwork:
    """See `yolo_decode.Network`. Runs on `device`, and on the CPU once that is out of memory."""

    fixed = None

    def __init__(self, checkpoint: Checkpoint, device: str, file: str) -> None:
        self._torch = torch_for(file)
        self._network = checkpoint.network
        self._file = file
        head = self._network.model[-1]
        if not hasattr(head, "nc") or not hasattr(head, "stride"):
            raise DetectorError(f"{file} has no YOLO detection head.")
        # So every version of ultralytics answers with the decoded rows, and with the prototypes beside them.
        head.export, head.format, head.dynamic = True, None, False
        self.layout = self._whole = _layout(self._network, head)
        # YOLO-World's embeddings of its words, (1, words, length).
        self._words = getattr(self._network, "txt_feats", None)
        self.stride = max(32, int(max(head.stride)))
        side = checkpoint.training.get("imgsz")
        self.side = side if type(side) is int and side in _SIDES else _USUAL_SIDE
        self._move(device)

    def look_for(self, words: Sequence[str]) -> None:
        """See `yolo_decode.Network.look_for`."""
        if self._words is None:
            return
        names = {name.casefold(): number for number, name in self._whole.names.items()}
        wanted = [word.strip().casefold() for word in words if word.strip()]
        unknown = [word for word in wanted if word not in names]
        if unknown:
            raise DetectorError(
                f"{self._file} does not know {', '.join(unknown)}. New words need a CLIP text encoder, which Finisher "
                "does not have: put the words into the file with ultralytics (set_classes, then save). "
                f"It knows: {', '.join(names)}."
            )
        numbers = sorted({names[word] for word in wanted}) or list(self._whole.names)
        head = self._network.model[-1]
        head.nc, head.no = len(numbers), len(numbers) + 4 * head.reg_max
        self._network.txt_feats = self._words[:, numbers]
        chosen = {at: self._whole.names[number] for at, number in enumerate(numbers)}
        self.layout = replace(self._whole, names=chosen)

    def run(self, canvas: Array) -> tuple[Array, Array | None]:
        """See `yolo_decode.Network.run`."""
        try:
            return self._run(canvas)
        except RuntimeError as error:
            if self._device == "cpu" or not _out_of_memory(error):
                raise DetectorError(f"{self._file} cannot run on {self._device}: {error}") from error
        _log.warning("%s is out of memory on %s and goes on on the CPU", self._file, self._device)
        self._move("cpu")
        self._forget_memory()
        return self._run(canvas)

    def _run(self, canvas: Array) -> tuple[Array, Array | None]:
        with self._torch.inference_mode():
            answer = self._network(self._torch.from_numpy(canvas).to(self._device))
        parts = answer if isinstance(answer, (tuple, list)) else (answer,)
        arrays = [np.asarray(part.float().cpu().numpy()) for part in parts if hasattr(part, "cpu")]
        masks = arrays[1] if len(arrays) > 1 and arrays[1].ndim == 4 else None
        return arrays[0], masks

    def _move(self, device: str) -> None:
        try:
            self._network.to(device)
        except RuntimeError as error:
            if device == "cpu" or not _out_of_memory(error):
                raise DetectorError(f"{self._file} cannot be put on the device {device!r}: {error}") from error
            _log.warning("%s does not fit on %s and runs on the CPU", self._file, device)
            self._network.to("cpu")
            device = "cpu"
        except AssertionError as error:
            raise DetectorError(f"{self._file} cannot be put on the device {device!r}: {error}") from error
        self._device = device

    def _forget_memory(self) -> None:
        if self._torch.cuda.is_available():
            self._torch.cuda.empty_cache()


def _layout(network: Any, head: Any) -> Layout:
    count = int(head.nc)
    if not 0 <= count <= _MOST_CLASSES:
        raise ValueError(f"it says that it has {count} classes; at most {_MOST_CLASSES} are read")
    names = getattr(network, "names", None)
    given = dict(enumerate(names)) if isinstance(names, (list, tuple)) else names
    given = given if isinstance(given, Mapping) else {}
    points = getattr(head, "kpt_shape", None) or (0, 3)
    return Layout(
        {number: str(given.get(number, number)) for number in range(count)},
        int(getattr(head, "nm", 0)),
        int(points[0]),
        int(points[1]),
    )


def _out_of_memory(error: RuntimeError) -> bool:
    return "OutOfMemory" in type(error).__name__ or "out of memory" in str(error).lower()
