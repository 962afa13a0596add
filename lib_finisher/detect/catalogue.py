"""Which detectors there are, and loading each of them once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lib_finisher.detect.detection import Detection, Detector, DetectorError
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.detect.yunet import YuNet
from lib_finisher.imaging.arrays import Pixels

BUILT_IN: Mapping[str, Callable[[], Detector]] = {YuNet.name: YuNet}


class Detectors:
    """Detectors by name, each loaded when it is first asked to detect and kept until `free`."""

    def __init__(self, makers: Mapping[str, Callable[[], Detector]] = BUILT_IN) -> None:
        self._makers = dict(makers)
        self._made: dict[str, Detector] = {}

    def names(self) -> tuple[str, ...]:
        """Every detector that can be asked for."""
        return tuple(self._makers)

    def detect(self, name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        """What the named detector finds, at least that sure (0..1), the surest first, nothing twice.

        Raises DetectorError where there is none of that name or it cannot load.
        """
        return self._named(name).detect(pixels, confidence, search)

    def identity(self, name: str, search: Search = ORDINARY) -> str:
        """Changes with all that the findings of a detector depend on: its model file, its settings and the search.

        Loads no model. Raises DetectorError where there is no detector of that name or its file is missing.
        """
        return f"{self._named(name).identity}/{search.identity}"

    def free(self) -> None:
        """Forget every model that is loaded. A detector that is asked again loads its model again."""
        for detector in list(self._made.values()):
            detector.free()

    def _named(self, name: str) -> Detector:
        if name not in self._made:
            if name not in self._makers:
                known = ", ".join(self._makers)
                raise DetectorError(f"There is no detector {name!r}. Detectors here: {known}.")
            self._made[name] = self._makers[name]()
        return self._made[name]
