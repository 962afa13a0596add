"""YuNet, the face detector that is there from the first minute (Wu et al. 2023; model file from OpenCV Zoo, MIT)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from lib_finisher.detect.detection import Detection, DetectorError, merged
from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.imaging.geometry import Box, frame, size_of

MODEL = Path(__file__).parent / "models" / "face_detection_yunet_2023mar.onnx"

# The network finds faces of about 10 to 300 pixels: the small scale is there for larger ones.
_LONG_SIDES = (1280, 320)
_NMS_THRESHOLD = 0.3
_SMALLEST_SIDE = 64


class YuNet:
    """Faces with five landmarks each: right eye, left eye, nose, right and left corner of the mouth."""

    name = "face_yunet"

    def __init__(self, model: Path = MODEL) -> None:
        if not hasattr(cv2, "FaceDetectorYN"):
            raise DetectorError(f"OpenCV {cv2.__version__} has no FaceDetectorYN; version 4.5.4 or newer is needed.")
        if not model.is_file():
            raise DetectorError(f"The face detector's file {model.name} is missing; reinstall Finisher.")
        self._network = cv2.FaceDetectorYN.create(str(model), "", (320, 320))
        self._network.setNMSThreshold(_NMS_THRESHOLD)

    def detect(self, pixels: Pixels, confidence: float) -> list[Detection]:
        """See `Detector.detect`. Looks at two scales and merges what it finds."""
        picture = cv2.cvtColor(to_uint8(pixels), cv2.COLOR_RGB2BGR)
        long_side = max(picture.shape[:2])
        self._network.setScoreThreshold(float(confidence))
        found: list[Detection] = []
        for target in sorted({min(long_side, side) for side in _LONG_SIDES}, reverse=True):
            found += self._at_scale(np.asarray(picture), target / long_side)
        inside = frame(size_of(pixels))
        return merged([item for item in found if item.box.intersection(inside) is not None])

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
