"""Findings in a picture that is carried on round its borders: what lies near one is seen at the other side as well."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from lib_finisher.detect.detection import Detection
from lib_finisher.imaging.geometry import Box
from lib_finisher.imaging.wrap import Around

_SAME = 0.5


def once_each(found: Sequence[Detection], around: Around, same: float = _SAME) -> list[Detection]:
    """The findings without repetitions, the surest first: of each thing one that has its middle in the picture itself,
    where there is one. `same` is the share of the smaller box in the other that makes them the same thing."""
    inside = around.frame
    ordered = sorted(found, key=lambda item: not inside.holds(*item.box.centre))
    kept: list[Detection] = []
    for item in ordered:
        if not any(_repeats(item.box, other.box, around, same) for other in kept):
            kept.append(item)
    return [item for item in found if any(item is other for other in kept)]


def _repeats(box: Box, other: Box, around: Around, same: float) -> bool:
    """Whether a box is another one, seen once more a whole picture further on."""
    across = (-1, 0, 1) if around.right else (0,)
    down = (-1, 0, 1) if around.below else (0,)
    return any(
        (x, y) != (0, 0) and box.moved(x * around.size.width, y * around.size.height).contained_ratio(other) >= same
        for x, y in itertools.product(across, down)
    )
