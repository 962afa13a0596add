"""What a pass looks for in a picture, and where it may look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lib_finisher.detect.detection import Detection, DetectorError, merged, same
from lib_finisher.detect.search import OWN, Search
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, size_of
from lib_finisher.stages.detail_choice import findings_of
from lib_finisher.stages.detail_masks import Shape, Where, shape_of, union_of
from lib_finisher.stages.detail_settings import DetailPass
from lib_finisher.stages.stage import Base, Finder

# A score near 0 would give a finding at every cell.
_LEAST = 0.05
_LEAST_SIDE = 12


def detectors_of(one: DetailPass) -> tuple[str, ...]:
    """The names of the pass's detectors."""
    return tuple(dict.fromkeys(name.strip() for name in one.detector.split(",") if name.strip()))


def search_of(one: DetailPass, sliced: bool = True) -> Search:
    """How thoroughly the pass's detectors look."""
    return Search(
        smallest=max(_LEAST_SIDE, one.smallest),
        sliced=sliced,
        turned=one.turned,
        classes=tuple(word.strip() for word in one.classes.split(",") if word.strip()),
        overlap=one.iou,
    )


def confidence_of(one: DetailPass) -> float:
    """What the pass's detectors must score: what is typed, or each detector's own (`calibration.OWN`)."""
    return max(one.confidence, _LEAST) if one.confidence > OWN else OWN


def find_for(one: DetailPass, pixels: Pixels, find: Finder) -> list[Detection]:
    """What the pass's detectors find, nothing twice. Raises DetectorError, also where the pass names none."""
    names = detectors_of(one)
    if not names:
        raise DetectorError("No detector is chosen.")
    found = [item for name in names for item in find(name, pixels, confidence_of(one), search_of(one))]
    return merged(found, middles=True, overlap=one.iou) if len(names) > 1 else found


def scores_of(found: Sequence[Detection]) -> str:
    """The scores of findings in words: "0.91, 0.72 doubtful"."""
    return ", ".join(f"{item.confidence:.2f}{' doubtful' * item.doubtful}" for item in found)


def without(found: Sequence[Detection], redrawn: Sequence[Detection], one: DetailPass) -> list[Detection]:
    """What an earlier pass has not redrawn already, unless it is to be redrawn again."""
    if one.repeat:
        return list(found)
    return [item for item in found if not any(same(item, earlier, middles=True) for earlier in redrawn)]


def where_of(
    one: DetailPass, number: int, passes: Sequence[DetailPass], pixels: Pixels, base: Base, find: Finder
) -> Where | None:
    """Where the pass of that number, counted from 1, may change the picture; None means everywhere.

    Raises DetectorError where it names a pass that there is not, or whose detector is missing.
    """
    parts = []
    for other, inside in ((one.within, True), (one.minus, False)):
        if not other:
            continue
        if other > len(passes) or other == number:
            raise DetectorError(f"It names pass {other}; there are other passes from 1 to {len(passes)}.")
        parts.append((_shapes(passes[other - 1], pixels, base, find), passes[other - 1], inside))
    if not parts:
        return None

    def where(area: Box) -> Mask:
        result = np.ones((area.height, area.width), dtype=np.float32)
        for shapes, named, inside in parts:
            mask = union_of(shapes, area, named)
            result *= mask if inside else 1.0 - mask
        return result

    return where


def _shapes(one: DetailPass, pixels: Pixels, base: Base, find: Finder) -> list[Shape]:
    findings = findings_of(find_for(one, pixels, find), size_of(pixels), one, base)
    return [shape_of(item.detection, one) for item in findings]
