"""Which detectors there are, and loading each of them once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lib_finisher.detect.detection import Detection, Detector, DetectorError
from lib_finisher.detect.yunet import YuNet
from lib_finisher.imaging.arrays import Pixels

BUILT_IN: Mapping[str, Callable[[], Detector]] = {YuNet.name: YuNet}


class Detectors:
    """Detectors by name, each loaded when it is first asked for and kept."""

    def __init__(self, makers: Mapping[str, Callable[[], Detector]] = BUILT_IN) -> None:
        self._makers = dict(makers)
        self._loaded: dict[str, Detector] = {}

    def names(self) -> tuple[str, ...]:
        """Every detector that can be asked for."""
        return tuple(self._makers)

    def detect(self, name: str, pixels: Pixels, confidence: float) -> list[Detection]:
        """What the named detector finds. Raises DetectorError where there is none of that name or it cannot load."""
        if name not in self._loaded:
            if name not in self._makers:
                known = ", ".join(self._makers)
                raise DetectorError(f"There is no detector {name!r}. Detectors here: {known}.")
            self._loaded[name] = self._makers[name]()
        return self._loaded[name].detect(pixels, confidence)
