"""What a detector finds, and how findings are cleaned up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box

_SAME_OBJECT = 0.45
_INSIDE = 0.8


class DetectorError(RuntimeError):
    """A detector that is missing or cannot run. The message says which and what to do."""


@dataclass(frozen=True)
class Detection:
    """One object: its box, the detector's confidence (0..1), what it is, and landmarks as (x, y) pixels, if any."""

    box: Box
    confidence: float
    label: str
    landmarks: tuple[tuple[float, float], ...] = ()


class Detector(Protocol):
    """Finds objects in a picture."""

    @property
    def name(self) -> str:
        """The name by which settings choose it."""

    def detect(self, pixels: Pixels, confidence: float) -> list[Detection]:
        """Every object of at least that confidence, the most confident first."""


def merged(detections: Sequence[Detection]) -> list[Detection]:
    """Detections without doubles, the most confident first.

    Of two with one label that overlap by 45 % (intersection over union), or of which one lies to 80 % inside the
    other, only the more confident stays.
    """
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda item: -item.confidence):
        if not any(_same(candidate, other) for other in kept):
            kept.append(candidate)
    return kept


def _same(one: Detection, other: Detection) -> bool:
    if one.label != other.label:
        return False
    return one.box.overlap_ratio(other.box) > _SAME_OBJECT or one.box.contained_ratio(other.box) > _INSIDE
