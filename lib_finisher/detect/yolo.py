"""YOLO detectors (YOLOv5u to YOLO26; boxes, segmentation, pose, World) from `.pt` and `.onnx` files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from lib_finisher.detect.detection import Detection, DetectorError, merged
from lib_finisher.detect.in_words import in_words
from lib_finisher.detect.model_file import ModelFile
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.detect.turned import DOUBTED, TRUSTED, look_again
from lib_finisher.detect.windows import levels, look_through
from lib_finisher.detect.yolo_checkpoint import load_checkpoint
from lib_finisher.detect.yolo_decode import Network, detections, shown
from lib_finisher.detect.yolo_onnx import OnnxNetwork
from lib_finisher.detect.yolo_torch import TorchNetwork
from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.imaging.geometry import Size, frame, size_of

# Changes when this code finds something else in the same file.
_VERSION = 1
_FACE = "face"


class Yolo:
    """Whatever a YOLO file was trained to find; `label` is the class's name in the file.

    `trusted` holds the sha256 hashes, in lower case, of `.pt` files that may run code while they are loaded. Several
    threads may ask one; they wait for each other.
    """

    def __init__(self, path: Path, device: str = "cpu", name: str = "", trusted: frozenset[str] = frozenset()) -> None:
        self._model = ModelFile(path)
        self._device = device
        self._name = name or path.name
        self._trusted = trusted
        self._network: Network | None = None
        self._loaded_from = ""
        self._busy = threading.Lock()

    @property
    def name(self) -> str:
        """See `Detector.name`: the file's name, unless another was given."""
        return self._name

    @property
    def identity(self) -> str:
        """See `Detector.identity`."""
        if not self._model.path.is_file():
            raise self._missing()
        return f"{self._name}/{self._model.identity()}/{_VERSION}"

    def free(self) -> None:
        """See `Detector.free`."""
        with self._busy:
            self._network = None

    def detect(self, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        """See `Detector.detect`. Looks at the whole, and as `search` says, and merges what it finds.

        Raises DetectorError, too, where `search.classes` has a word that the file does not know.
        """
        picture = to_uint8(pixels)
        with self._busy:
            network = self._loaded()
            network.look_for(search.classes)
            look = partial(self._at_scale, network=network, overlap=search.overlap)
            if not search.turned or not _finds_faces(network):
                return _upright(look, network, picture, confidence, search)
            found = _upright(look, network, picture, min(confidence, DOUBTED), search)
            doubted = [item for item in found if _doubtful(item, found)]
            whole = partial(look, scale=1.0, confidence=DOUBTED)
            turned = {
                id(region): replace(better, silhouette=None)
                for region, better in look_again(whole, picture, doubted, confidence)
            }
        kept = [turned.get(id(item), item) for item in found if item.confidence >= confidence or id(item) in turned]
        return merged(kept, middles=True, overlap=search.overlap)

    def _loaded(self) -> Network:
        # The file may have been replaced, and the findings are remembered under its identity.
        now = self._model.identity() if self._model.path.is_file() else self._loaded_from
        if self._network is None or now != self._loaded_from:
            self._network = self._load()
            self._loaded_from = now
        return self._network

    def _load(self) -> Network:
        path = self._model.path
        if not path.is_file():
            raise self._missing()
        with in_words(path.name, "cannot be used as a detector"):
            if path.suffix.lower() == ".onnx":
                return OnnxNetwork(path)
            return TorchNetwork(load_checkpoint(path.read_bytes(), path.name, self._trusted), self._device, path.name)

    def _missing(self) -> DetectorError:
        return DetectorError(f"The detector's file {self._model.path.name} is missing; put it back or choose another.")

    def _at_scale(
        self, picture: np.ndarray, *, scale: float, confidence: float, network: Network, overlap: float
    ) -> list[Detection]:
        seen = shown(picture, scale, network.fixed, network.stride)
        with in_words(self._model.path.name, "cannot look at a picture"):
            raw, prototypes = network.run(seen.canvas)
        try:
            return detections(raw, prototypes, network.layout, seen, size_of(picture), confidence, overlap)
        except DetectorError as error:
            raise DetectorError(f"{self._model.path.name} cannot be used: {error}.") from error


def _upright(
    look: Callable[..., list[Detection]], network: Network, picture: np.ndarray, confidence: float, search: Search
) -> list[Detection]:
    size = size_of(picture)
    found = look(picture, scale=network.side / max(size.width, size.height), confidence=confidence)
    finer = levels(size, search, network.side)
    for level in finer:
        found += look_through(partial(look, scale=level.scale, confidence=confidence), picture, level)
    return merged(found, middles=bool(finer), overlap=search.overlap)


def _finds_faces(network: Network) -> bool:
    return any(Detection(frame(Size(1, 1)), 1.0, name).kind == _FACE for name in network.layout.names.values())


def _doubtful(item: Detection, found: list[Detection]) -> bool:
    if item.kind != _FACE or not DOUBTED <= item.confidence < TRUSTED:
        return False
    return not any(
        sure.kind == _FACE and sure.confidence >= TRUSTED and sure.box.intersection(item.box) for sure in found
    )
