"""What a detector finds, and how findings are cleaned up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box

_INSIDE = 0.8
_FACE = "face"
_FACE_POINTS = 5

# What different detectors call the same kind of thing. A name that is not here is a kind of its own.
_KINDS = {
    _FACE: ("face", "human face", "anime face"),
    "person": ("person", "human", "human body", "man", "woman", "boy", "girl", "child"),
    "hand": ("hand", "human hand", "left hand", "right hand"),
    "eye": ("eye", "human eye", "left eye", "right eye"),
    "eyes": ("eyes", "both eyes"),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}


class DetectorError(RuntimeError):
    """A detector that is missing or cannot run. The message says which and what to do."""


@dataclass(frozen=True)
class Detection:
    """One object: its box, the detector's confidence (0..1), what it is, and landmarks as (x, y) pixels, if any.

    `silhouette`, where the detector knows it, is the object's shape: a float array of any size, 0..1, that is stretched
    over the box. `class_number` is the number of its class in the detector's model, if that has any. `doubtful` says
    that the detector, as it is calibrated, is not sure of it.
    """

    box: Box
    confidence: float
    label: str
    landmarks: tuple[tuple[float, float], ...] = ()
    silhouette: Mask | None = field(default=None, compare=False, repr=False)
    class_number: int | None = field(default=None, compare=False)
    doubtful: bool = field(default=False, compare=False)

    @property
    def kind(self) -> str:
        """The label as all detectors mean it: "Human face" and "face" are one kind, "eye" is another."""
        name = " ".join(self.label.casefold().split())
        return _KIND_OF.get(name, name)

    @property
    def roll(self) -> float | None:
        """How far a face with five landmarks is turned in the picture's plane, in degrees, clockwise, -180..180.

        0 is upright and 180 is on its head. None where there are no such landmarks.
        """
        if len(self.landmarks) != _FACE_POINTS:
            return None
        (ax, ay), (bx, by), _, (cx, cy), (dx, dy) = self.landmarks
        right, down = (cx + dx - ax - bx) / 2, (cy + dy - ay - by) / 2
        if right == 0 and down == 0:
            return None
        return math.degrees(math.atan2(-right, down))

    def moved(self, right: int, down: int) -> Detection:
        """The same object shifted by whole pixels."""
        points = tuple((x + right, y + down) for x, y in self.landmarks)
        return replace(self, box=self.box.moved(right, down), landmarks=points)

    def scaled(self, factor: float) -> Detection:
        """The same object in the picture enlarged by `factor`."""
        points = tuple((x * factor, y * factor) for x, y in self.landmarks)
        return replace(self, box=self.box.scaled(factor), landmarks=points)


class Detector(Protocol):
    """Finds objects in a picture. Making one is cheap: its model is loaded by the first `detect`."""

    @property
    def name(self) -> str:
        """The name by which settings choose it."""

    @property
    def identity(self) -> str:
        """Changes with its model file and with how it asks it, whatever the `Search`. Loads nothing.

        Raises DetectorError where the model file is missing.
        """

    def detect(self, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        """Every object of at least that confidence (0..1), the most confident first, each once.

        Asked for through `catalogue.Detectors`, a confidence of 0 stands for the detector's own: see `calibration`.
        Raises DetectorError where the model cannot be loaded.
        """

    def free(self) -> None:
        """Forget the model; the next `detect` loads it again."""


def merged(
    detections: Sequence[Detection], *, middles: bool = False, overlap: float = ORDINARY.overlap
) -> list[Detection]:
    """Detections without doubles, the most confident first; for those of one detector or of several.

    Of two of one kind that overlap by more than `overlap` (intersection over union), or of which one lies to more than
    80 % inside the other, only the more confident stays; of equally confident ones the larger. With `middles`, which is
    for findings of several detectors, windows or turns, so it is also with two faces of which one has its middle inside
    the other. Different kinds never meet: eyes stay inside their face. The result does not depend on the order of the
    detections.
    """
    kept: list[Detection] = []
    for candidate in sorted(detections, key=_rank):
        if not any(same(candidate, other, middles=middles, overlap=overlap) for other in kept):
            kept.append(candidate)
    return kept


def same(one: Detection, other: Detection, *, middles: bool = False, overlap: float = ORDINARY.overlap) -> bool:
    """Whether two detections are of one object, as `merged` means it."""
    if one.kind != other.kind:
        return False
    if one.box.overlap_ratio(other.box) > overlap or one.box.contained_ratio(other.box) > _INSIDE:
        return True
    return middles and one.kind == _FACE and (_holds(one.box, other.box.centre) or _holds(other.box, one.box.centre))


def _holds(box: Box, point: tuple[float, float]) -> bool:
    return box.left <= point[0] < box.right and box.top <= point[1] < box.bottom


def _rank(item: Detection) -> tuple[float, int, Box, str]:
    return -item.confidence, -item.box.area, item.box, item.label
