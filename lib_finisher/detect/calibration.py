"""From what score on a detector's finding counts.

A score of 0.5 is a face to one detector and clutter to another. Who names no confidence of his own gets each
detector's: a low score at which a finding is looked at at all, and what a second look must say of it. The figures were
measured on pictures with and without faces that no test uses (docs/detectors.md lists them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lib_finisher.detect.detection import Detection, Detector, same
from lib_finisher.detect.plausible import plausible
from lib_finisher.detect.scores import Calibration
from lib_finisher.detect.search import ORDINARY, OWN, Search
from lib_finisher.detect.second_look import second_look, turned_look
from lib_finisher.imaging.arrays import Pixels, to_uint8

# What a second look is told of at all.
_FAINT = 0.05


class Calibrated:
    """A detector that knows its own confidence, and marks what is doubtful."""

    def __init__(self, detector: Detector, calibration: Calibration) -> None:
        self._detector = detector
        self.calibration = calibration

    @property
    def name(self) -> str:
        """See `Detector.name`."""
        return self._detector.name

    @property
    def identity(self) -> str:
        """See `Detector.identity`."""
        return f"{self._detector.identity}/{self.calibration.identity}"

    def free(self) -> None:
        """See `Detector.free`."""
        self._detector.free()

    def detect(self, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        """See `Detector.detect`. A `confidence` above 0 is the detector's score; with `OWN` see `Calibration`."""
        own = self.calibration
        found = self._detector.detect(pixels, confidence if confidence > OWN else own.considered, search)
        if confidence <= OWN and own.confirmed > 0:
            found = self._confirmed(pixels, found, search)
        return [replace(item, doubtful=item.confidence < own.sure) for item in found]

    def _confirmed(self, pixels: Pixels, found: Sequence[Detection], search: Search) -> list[Detection]:
        own, plain = self.calibration, replace(search, sliced=False, turned=False)
        picture: npt.NDArray[np.uint8] | None = None
        whole: list[Detection] | None = None

        def look(shown: npt.NDArray[Any]) -> list[Detection]:
            return self._detector.detect(shown.astype(np.float32) / np.float32(255), _FAINT, plain)

        def in_windows_only(item: Detection) -> bool:
            nonlocal whole
            whole = self._detector.detect(pixels, own.considered, plain) if whole is None else whole
            return not any(same(item, other, middles=True) for other in whole)

        kept = []
        for item in found:
            if item.confidence >= own.certain:
                kept.append(item)
                continue
            if not plausible(item):
                continue
            picture = to_uint8(pixels) if picture is None else picture
            seen = second_look(look, picture, item)
            least = own.confirmed
            if search.sliced and least <= seen < own.many_looks and in_windows_only(item):
                least = own.many_looks
            if seen < least:
                seen, least = turned_look(look, picture, item), own.many_looks
            if seen >= least:
                kept.append(replace(item, confidence=max(item.confidence, seen)))
        return sorted(kept, key=lambda item: -item.confidence)
