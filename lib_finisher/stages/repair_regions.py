"""What repair is about: the separate blobs of the user's mask, and what a detector finds beside them.

Both are numbered together, from left to right by their middles, as the findings of a detail pass are; so prompts are
given out by the same rules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.detect.detection import Detection
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.stages.detail_choice import Finding, findings_of
from lib_finisher.stages.detail_masks import mask_of, shape_of
from lib_finisher.stages.detail_search import detectors_of, find_for, search_of
from lib_finisher.stages.detail_settings import DetailPass
from lib_finisher.stages.diffusion_settings import Diffusion
from lib_finisher.stages.repair_settings import RepairSettings
from lib_finisher.stages.stage import Base, Finder, Reads

SPECK = 16
MARKED = "region"

# A finding that lies in a marked region by more than this is that region.
_SAME = 0.5


@dataclass(frozen=True)
class Regions:
    """`chosen` are to be repaired, in their order; `skipped` many are left alone by their prompts."""

    chosen: tuple[Finding, ...] = ()
    skipped: int = 0


def regions(mask: Mask) -> tuple[list[tuple[int, Box]], npt.NDArray[np.int32]]:
    """The separate blobs of a mask (above 0.5), specks left out: (number, box) each, and the map of numbers."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8), connectivity=8)
    found = []
    for index in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[index])
        if area >= SPECK:
            found.append((index, Box(left, top, left + width, top + height)))
    return found, np.asarray(labels, dtype=np.int32)


def marked_in(mask: Mask | None) -> list[Detection]:
    """The blobs of a mask as findings of which the user is sure."""
    if mask is None:
        return []
    found, labels = regions(mask)
    return [
        Detection(box, 1.0, MARKED, silhouette=np.asarray(_part(labels, box) == number, dtype=np.float32))
        for number, box in found
    ]


def searching(settings: RepairSettings) -> DetailPass:
    """The detail pass that looks for what these settings look for."""
    shared = {item.name: getattr(settings, item.name) for item in dataclasses.fields(Diffusion)}
    return DetailPass(
        **shared, detector=settings.detector, classes=settings.classes, confidence=settings.confidence, smallest=0
    )


def reads_of(settings: RepairSettings) -> Reads:
    """See `Stage.reads`."""
    one = searching(settings)
    return Reads(samples=True, mask=True, detectors=tuple((name, search_of(one)) for name in detectors_of(one)))


def found_beside(
    marked: Sequence[Detection], pixels: Pixels, settings: RepairSettings, find: Finder
) -> list[Detection]:
    """What the detectors find that is not marked already; nothing where none is named. Raises DetectorError."""
    one = searching(settings)
    found = find_for(one, pixels, find) if detectors_of(one) else []
    return [item for item in found if not any(_lies_in(item.box, mark.box) for mark in marked)]


def _lies_in(box: Box, mark: Box) -> bool:
    shared = mark.intersection(box)
    return shared is not None and shared.area > _SAME * box.area


def numbered(found: Sequence[Detection], picture: Size, settings: RepairSettings, base: Base) -> Regions:
    """The regions in their order, each with its prompts and its seed: the base's plus its number, counted from 0."""
    all_of_them = findings_of(found, picture, searching(settings), base)
    chosen = tuple(item for item in all_of_them if not item.skipped)
    return Regions(chosen, len(all_of_them) - len(chosen))


def is_marked(item: Finding) -> bool:
    """Whether the user drew it."""
    return item.detection.label == MARKED


def box_of(item: Finding, settings: RepairSettings) -> Box:
    """Where the region lies."""
    return shape_of(item.detection, searching(settings)).box


def blob_of(item: Finding, area: Box, settings: RepairSettings) -> Mask:
    """The region's shape as an array of `area`, 0 or 1: as it was drawn, or the finding's outline a little grown."""
    one = searching(settings)
    flat = replace(one, mask_blur=0.0, dilation=0.0 if is_marked(item) else one.dilation)
    return np.asarray(mask_of(shape_of(item.detection, flat), area, flat) >= 0.5, dtype=np.float32)


def _part(labels: npt.NDArray[np.int32], box: Box) -> npt.NDArray[np.int32]:
    return labels[box.top : box.bottom, box.left : box.right]
