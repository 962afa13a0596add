"""The package MediaPipe, where it is installed: whether it can be used, its graphs, and what its detectors share.

Nothing of it is imported before a detector is asked to detect. It is never installed by Finisher, for it wants a
protobuf of its own (older than 5), which may not be moved in a host.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.detect.detection import Detection, DetectorError, merged
from lib_finisher.detect.mediapipe_here import ANY_SOLUTION, package_folder
from lib_finisher.detect.model_file import ModelFile
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.detect.windows import levels, look_through
from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.imaging.geometry import frame, size_of

Picture = npt.NDArray[np.uint8]
"""A picture for MediaPipe: shape (height, width, 3), RGB."""

# Many windows are many chances to be wrong: what is found in one must be so sure.
IN_A_WINDOW = 0.7

_PACKAGE = "mediapipe"
_INSTALL = 'install it beside the web UI\'s packages with: pip install --no-deps "mediapipe>=0.10.14,<=0.10.21"'

# What an import or a graph raises where the versions of MediaPipe, protobuf and numpy do not fit each other.
_UNFIT = (ImportError, AttributeError, TypeError, ValueError, RuntimeError, OSError, KeyError)


def model_path(name: str) -> Path:
    """A model file of the package, by its path in it. Raises DetectorError where it is not there."""
    folder = package_folder()
    if folder is None:
        raise DetectorError(f"This detector needs the package MediaPipe; {_INSTALL}.")
    path = folder / name
    if not path.is_file() or not (folder / ANY_SOLUTION).is_file():
        raise DetectorError(
            f"MediaPipe {version()} comes without the model {path.name}; versions 0.10.14 to 0.10.21 carry their "
            f"models: {_INSTALL}."
        )
    return path


def version() -> str:
    """The installed version, "unknown" where the package does not say."""
    try:
        return importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def module(name: str) -> Any:
    """A module of the package, imported now. Raises DetectorError where it is missing or does not fit."""
    try:
        return importlib.import_module(f"{_PACKAGE}.{name}")
    except _UNFIT as error:
        raise _unfit(error) from error


class Graph:
    """A graph of MediaPipe, made by its first run."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._solution: Any = None

    def run(self, picture: npt.NDArray[np.uint8]) -> Any:
        """What the graph answers for a picture (height, width, 3; RGB). Raises DetectorError where it cannot run."""
        try:
            if self._solution is None:
                self._solution = self._make()
            return self._solution.process(np.ascontiguousarray(picture))
        except _UNFIT as error:
            # A graph that failed once answers nothing any more.
            self._solution = None
            raise _unfit(error) from error

    def free(self) -> None:
        """Forget it; the next run makes it again."""
        solution, self._solution = self._solution, None
        if solution is not None:
            solution.close()


class MediaPipeDetector(ABC):
    """What the detectors share. Several threads may ask one; they wait for each other."""

    name = ""
    files: tuple[str, ...] = ()
    """The model files, by their paths in the package."""
    side = 192
    """The network's input side in pixels. At that it must find what has 20 pixels, as `windows.levels` asks."""

    def __init__(self, *graphs: Graph) -> None:
        self.graphs = graphs
        self._models: dict[Path, ModelFile] = {}
        self._busy = threading.Lock()

    @property
    def identity(self) -> str:
        """See `Detector.identity`."""
        paths = [model_path(file) for file in self.files]
        hashes = "/".join(self._models.setdefault(path, ModelFile(path)).identity() for path in paths)
        return f"{self.name}/{version()}/{hashes}/{self.side}/{IN_A_WINDOW}"

    def free(self) -> None:
        """See `Detector.free`."""
        with self._busy:
            for graph in self.graphs:
                graph.free()

    def detect(self, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        """See `Detector.detect`. What is found in a window only is found with a confidence of at least 0.7."""
        for file in self.files:
            model_path(file)
        with self._busy:
            found = self.find(to_uint8(pixels), confidence, search)
        inside = frame(size_of(pixels))
        return merged(
            [item for item in found if item.box.intersection(inside) is not None], middles=True, overlap=search.overlap
        )

    @abstractmethod
    def find(self, picture: Picture, confidence: float, search: Search) -> list[Detection]:
        """As `detect`, for one thread, of which findings outside the picture and doubles are sorted out later."""


def searched(
    whole: Callable[..., list[Detection]],
    window: Callable[..., list[Detection]],
    picture: Picture,
    search: Search,
    side: int,
) -> list[Detection]:
    """What is found when the whole picture and its windows are looked at, each reduced to `side`; not merged.

    `whole` and `window` take an array and the factor (0..1) by which they are to reduce it.
    """
    size = size_of(picture)
    found = whole(picture, scale=min(1.0, side / max(size.width, size.height)))
    for level in levels(size, search, side):
        found += look_through(partial(window, scale=level.scale), picture, level)
    return found


def reduced(part: npt.NDArray[Any], scale: float) -> Picture:
    """An array (height, width, 3; uint8) times a factor that is at most 1, by averaging."""
    if scale >= 1:
        return np.asarray(part, dtype=np.uint8)
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    return np.asarray(cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _unfit(error: BaseException) -> DetectorError:
    said = (str(error).strip().splitlines() or [""])[0]
    return DetectorError(
        f"MediaPipe {version()} does not run beside the other packages here ({type(error).__name__}: {said}). It needs "
        "protobuf below 5 (3.20 or 4.25), matplotlib, absl-py and flatbuffers; or choose another detector."
    )
