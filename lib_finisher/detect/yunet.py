"""YuNet, the face detector that is there from the first minute (Wu et al. 2023; model file from OpenCV Zoo, MIT)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lib_finisher.detect.detection import Detection, DetectorError, merged
from lib_finisher.detect.model_file import ModelFile
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.detect.turned import DOUBTED, TRUSTED, look_again
from lib_finisher.detect.windows import levels, look_through
from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.imaging.geometry import Box, frame, size_of

MODEL = Path(__file__).parent / "models" / "face_detection_yunet_2023mar.onnx"

# The network finds faces of about 10 to 300 pixels: the small scale is there for larger ones.
_LONG_SIDES = (1280, 320)
_NMS_THRESHOLD = 0.3
_SMALLEST_SIDE = 64


class YuNet:
    """Faces with five landmarks each: right eye, left eye, nose, right and left corner of the mouth.

    Several threads may ask one; they wait for each other.
    """

    name = "face_yunet"

    def __init__(self, model: Path = MODEL) -> None:
        self._model = ModelFile(model)
        self._network: Any = None
        self._busy = threading.Lock()

    @property
    def identity(self) -> str:
        """See `Detector.identity`."""
        if not self._model.path.is_file():
            raise self._missing()
        return f"{self.name}/{self._model.identity()}/{_LONG_SIDES}/{_NMS_THRESHOLD}"

    def free(self) -> None:
        """See `Detector.free`."""
        with self._busy:
            self._network = None

    def detect(self, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        """See `Detector.detect`. Looks at two scales of the whole, and as `search` says, and merges what it finds."""
        picture = np.asarray(cv2.cvtColor(to_uint8(pixels), cv2.COLOR_RGB2BGR))
        with self._busy:
            self._load()
            if not search.turned:
                return self._upright(picture, confidence, search)
            found = self._upright(picture, min(confidence, DOUBTED), search)
            doubted = [
                item for item in found if DOUBTED <= item.confidence < TRUSTED and not _near_a_sure_one(item, found)
            ]
            turned = dict(look_again(self._whole_size, picture, doubted, confidence))
        kept = [turned.get(item, item) for item in found if item.confidence >= confidence or item in turned]
        return merged(kept, middles=True, overlap=search.overlap)

    def _load(self) -> None:
        if self._network is not None:
            return
        if not hasattr(cv2, "FaceDetectorYN"):
            raise DetectorError(f"OpenCV {cv2.__version__} has no FaceDetectorYN; version 4.5.4 or newer is needed.")
        path = self._model.path
        if not path.is_file():
            raise self._missing()
        try:
            network = cv2.FaceDetectorYN.create(str(path), "", (320, 320))
        except cv2.error as error:
            raise DetectorError(f"The face detector's file {path.name} cannot be read: {error}") from error
        network.setNMSThreshold(_NMS_THRESHOLD)
        self._network = network

    def _missing(self) -> DetectorError:
        return DetectorError(f"The face detector's file {self._model.path.name} is missing; reinstall Finisher.")

    def _upright(self, picture: np.ndarray, confidence: float, search: Search) -> list[Detection]:
        self._network.setScoreThreshold(float(confidence))
        size = size_of(picture)
        long_side = max(size.width, size.height)
        found: list[Detection] = []
        for target in sorted({min(long_side, side) for side in _LONG_SIDES}, reverse=True):
            found += self._at_scale(picture, target / long_side)
        for level in levels(size, search, max(_LONG_SIDES)):
            found += look_through(partial(self._at_scale, scale=level.scale), picture, level)
        inside = frame(size)
        inner = [item for item in found if item.box.intersection(inside) is not None]
        return merged(inner, middles=True, overlap=search.overlap)

    def _whole_size(self, part: np.ndarray) -> list[Detection]:
        return self._at_scale(part, 1.0)

    def _at_scale(self, picture: np.ndarray, scale: float) -> list[Detection]:
        height, width = max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))
        reduced = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) if scale < 1 else picture
        # On strips thinner than its stride the network gives numbers without meaning.
        below, right = max(0, _SMALLEST_SIDE - height), max(0, _SMALLEST_SIDE - width)
        padded = cv2.copyMakeBorder(reduced, 0, below, 0, right, cv2.BORDER_CONSTANT)
        self._network.setInputSize((padded.shape[1], padded.shape[0]))
        _, rows = self._network.detect(padded)
        if rows is None:
            return []
        across, down = picture.shape[1] / reduced.shape[1], picture.shape[0] / reduced.shape[0]
        return [item for row in rows if (item := _detection(row, across, down)) is not None]


def _near_a_sure_one(item: Detection, found: Sequence[Detection]) -> bool:
    return any(sure.confidence >= TRUSTED and sure.box.intersection(item.box) is not None for sure in found)


def _detection(row: np.ndarray, across: float, down: float) -> Detection | None:
    values = [float(value) for value in row]
    if not np.isfinite(values).all():
        return None
    left, top = round(values[0] * across), round(values[1] * down)
    right, bottom = round((values[0] + values[2]) * across), round((values[1] + values[3]) * down)
    if right <= left or bottom <= top:
        return None
    points = tuple((values[at] * across, values[at + 1] * down) for at in range(4, 14, 2))
    return Detection(Box(left, top, right, bottom), values[14], "face", points)
