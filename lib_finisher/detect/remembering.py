"""What was found lately: planning, counting and running a picture ask a detector the same question."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

import numpy as np

from lib_finisher.detect.detection import Detection, Detector
from lib_finisher.detect.search import Search
from lib_finisher.imaging.arrays import Pixels, to_uint8

_MOST = 64


class Remembering:
    """Asks detectors, and remembers the last 64 answers by what was asked. Several threads may ask."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], tuple[Detection, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, detector: Detector, pixels: Pixels, confidence: float, search: Search) -> list[Detection]:
        """The findings of the detector. Raises what it raises."""
        shown = np.ascontiguousarray(to_uint8(pixels))
        picture = hashlib.blake2b(shown.data, digest_size=16).digest()
        key = (detector.identity, confidence, search, shown.shape, picture)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return list(self._known[key])
        found = detector.detect(pixels, confidence, search)
        with self._lock:
            self._known[key] = tuple(found)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return found

    def forget(self) -> None:
        """Forget every answer."""
        with self._lock:
            self._known.clear()
