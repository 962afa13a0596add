"""A YOLO network in an ONNX file, as ultralytics exports it: run by onnxruntime where it is installed, or by OpenCV."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.yolo_decode import Array, Layout
from lib_finisher.detect.yolo_onnx_header import Header, read_header
from lib_finisher.imaging.geometry import Size

_USUAL, _LEAST = 640, 32
_MOST_SIDE, _MOST_TOGETHER = 4096, 64
# What ultralytics writes of itself: numbers, texts in quotes, and lists of both, no deeper than this.
_LONGEST_NOTE, _DEEPEST_NOTE = 1 << 18, 8
_PLAIN_NOTE = re.compile(r"[\w\s,.:()\[\]{}]*")
_HALF = np.dtype(np.float16)
_SUPPORTED = ("detect", "segment", "pose")


class OnnxNetwork:
    """See `yolo_decode.Network`. Runs on the CPU. Raises DetectorError where the file is broken or not YOLO's."""

    def __init__(self, path: Path) -> None:
        self._file = path.name
        data = path.read_bytes()
        try:
            header = read_header(data)
        except (ValueError, IndexError) as error:
            raise DetectorError(f"{self._file} is not an ONNX file: {error}. Fetch or export it again.") from error
        shape = header.input_shape
        if len(shape) != 4 or shape[1] not in (0, 3):
            raise DetectorError(f"{self._file} takes an input of shape {shape}, not pictures as YOLO does.")
        if max(shape[2:]) > _MOST_SIDE or shape[0] > _MOST_TOGETHER:
            raise DetectorError(
                f"{self._file} takes an input of shape {shape}; at most {_MOST_TOGETHER} pictures of {_MOST_SIDE} "
                "pixels a side are shown to a detector. Export it again for one picture."
            )
        size = Size(shape[3], shape[2]) if shape[2] > 0 and shape[3] > 0 else None
        # Exported for several pictures at once, it takes no fewer: it is shown the same one so many times.
        self._together = max(1, shape[0])
        self._runner, self.fixed = _runner(data, self._file, size, header.half, self._together)
        self.side = max(self.fixed.width, self.fixed.height) if self.fixed else _trained_side(header)
        stride = _value(header.metadata, "stride")
        self.stride = stride if type(stride) is int and stride > 0 else _LEAST
        canvas = np.zeros(
            (1, 3, self.fixed.height if self.fixed else _USUAL, self.fixed.width if self.fixed else _USUAL)
        )
        raw, prototypes = self.run(canvas.astype(np.float32))
        self.layout = _layout(header, raw, prototypes, self._file)

    def look_for(self, words: Sequence[str]) -> None:
        """See `yolo_decode.Network.look_for`. An exported network has its words built in."""

    def run(self, canvas: Array) -> tuple[Array, Array | None]:
        """See `yolo_decode.Network.run`."""
        shown = np.repeat(canvas, self._together, axis=0)
        answers = [np.asarray(part, np.float32) for part in self._runner(shown)]
        arrays = sorted((part[:1] if part.ndim > 2 else part for part in answers), key=lambda part: part.ndim)
        if not arrays or arrays[0].ndim != 3:
            raise DetectorError(
                f"{self._file} answers with {[part.shape for part in arrays]}, which is not YOLO's way."
            )
        masks = arrays[-1] if arrays[-1].ndim == 4 else None
        return arrays[0], masks


def _runner(data: bytes, file: str, size: Size | None, half: bool, together: int) -> tuple[Any, Size | None]:
    """A function from the input to the outputs, and the only size it takes, if it takes but one."""
    reasons = []
    try:
        return _with_onnxruntime(data, half), size
    except ImportError:
        reasons.append("onnxruntime is not installed")
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common class
        reasons.append(f"onnxruntime: {error}")
    # OpenCV lays its plan for one size.
    fixed = size or Size(_USUAL, _USUAL)
    try:
        network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
        names = network.getUnconnectedOutLayersNames()

        def run(canvas: Array) -> list[Any]:
            network.setInput(canvas)
            return list(network.forward(names))

        run(np.zeros((together, 3, fixed.height, fixed.width), np.float32))
    except cv2.error as error:
        reasons.append(f"OpenCV: {str(error).strip().splitlines()[-1]}")
        raise DetectorError(
            f"{file} cannot be run ({'; '.join(reasons)}). Export it again, or install onnxruntime."
        ) from (error)
    return run, fixed


def _with_onnxruntime(data: bytes, half: bool) -> Any:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda canvas: session.run(None, {name: canvas.astype(_HALF) if half else canvas})


def _trained_side(header: Header) -> int:
    sides = _value(header.metadata, "imgsz")
    longest = max(sides) if isinstance(sides, (list, tuple)) and sides else sides
    return longest if type(longest) is int and longest >= _LEAST else _USUAL


def _layout(header: Header, raw: Array, prototypes: Array | None, file: str) -> Layout:
    """What the output holds, by what ultralytics wrote into the file, or by the output's shape alone."""
    task = header.metadata.get("task", "segment" if prototypes is not None else "detect")
    if task not in _SUPPORTED:
        raise DetectorError(f"{file} is for {task}, which finds no boxes, masks or keypoints for Finisher.")
    masks = int(prototypes.shape[1]) if prototypes is not None else 0
    points = _value(header.metadata, "kpt_shape")
    count, length = (
        (int(points[0]), int(points[1])) if isinstance(points, (list, tuple)) and len(points) == 2 else (0, 3)
    )
    extra = masks + count * length
    names = _value(header.metadata, "names")
    if isinstance(names, (list, tuple)):
        names = dict(enumerate(names))
    if isinstance(names, Mapping) and names:
        known = {int(number): str(name) for number, name in names.items()}
    else:
        # Without names: numbers, as many as the rows have room for.
        room = raw.shape[1] - 4 - extra if raw.shape[1] < raw.shape[2] else 0
        known = {number: str(number) for number in range(max(0, room))}
    if raw.shape[1] != 4 + len(known) + extra and raw.shape[2] != 6 + extra:
        raise DetectorError(
            f"{file} answers with {raw.shape}, which does not fit {len(known)} classes: not YOLO's way."
        )
    return Layout(known, masks, count, length)


def _value(metadata: Mapping[str, str], key: str) -> Any:
    """A note as the value that it is written as; None for what is none. Python's parser is given nothing that is nested
    deeply or reckoned: it may take the process with it."""
    note = metadata.get(key, "")[:_LONGEST_NOTE]
    bare = _without_texts(note)
    deepest = max(itertools.accumulate((letter in "([{") - (letter in ")]}") for letter in bare), default=0)
    if deepest > _DEEPEST_NOTE or not _PLAIN_NOTE.fullmatch(bare):
        return None
    try:
        return ast.literal_eval(note)
    except (KeyError, ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _without_texts(note: str) -> str:
    """A note without what stands in quotation marks, and without the marks; one pass."""
    bare: list[str] = []
    mark, skip = "", False
    for letter in note:
        if skip:
            skip = False
        elif mark:
            skip, mark = letter == "\\", "" if letter == mark else mark
        elif letter in "'\"":
            mark = letter
        else:
            bare.append(letter)
    return "".join(bare)
