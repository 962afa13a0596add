"""Looking again, turned, at what a detector is unsure of: faces on their side or on their head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.windows import Look
from lib_finisher.imaging.geometry import Box

# What a detector was at least as sure of, and less than: worth another look. Below there is only noise.
DOUBTED, TRUSTED = 0.15, 0.7
# The other look must be this sure, so that turning clutter about does not make faces of it.
_CONVINCED = 0.7
# Surer than this, and the other turns are left out.
_CERTAIN = 0.85
_TURNS = (180, 90, -90, 45, -45)
# The region is shown so large, in the middle of a square of so many pixels.
_SHOWN, _SIDE = 48, 128
# How far from the middle a finding may lie, and how much larger or smaller it may be, in shares of the region's side.
_OFF, _LARGER = 0.5, 2.0


def look_again(
    look: Look, picture: npt.NDArray[Any], doubted: Sequence[Detection], confidence: float
) -> list[tuple[Detection, Detection]]:
    """What `look` finds of each doubted region when the picture (height, width, 3; uint8) is turned about it.

    Pairs of the region and what it turned out to be: one finding for a region at most, the most confident over turns
    of 180, 90 and 45 degrees, and only one of at least `confidence` (0..1) and 0.7 that is surer than the region was.
    Boxes and landmarks are in pixels of the picture as it is: the box of a turned face is that of the ellipse in its
    upright box. A region takes one to five looks at 128 x 128 pixels.
    """
    found = []
    for region in doubted:
        around = _surroundings(picture, region.box)
        best: Detection | None = None
        for turn in _TURNS:
            item = _turned(look, around, turn)
            if item is not None and (best is None or item.confidence > best.confidence):
                best = item
            if best is not None and best.confidence >= _CERTAIN:
                break
        if best is not None and best.confidence >= max(confidence, _CONVINCED, region.confidence):
            found.append((region, best))
    return found


@dataclass(frozen=True)
class _Surroundings:
    """A part of the picture, reduced where its middle is large.

    `pixels` is (height, width, 3) uint8, `corner` where it lies in the picture, `scale` its pixels to one of the
    picture across and down, `middle` the region's middle in it, and `side` the region's longer side in it.
    """

    pixels: npt.NDArray[Any]
    corner: tuple[int, int]
    scale: tuple[float, float]
    middle: tuple[float, float]
    side: float


def _surroundings(picture: npt.NDArray[Any], region: Box) -> _Surroundings:
    side = max(region.width, region.height)
    reach = math.ceil(side * _SIDE / _SHOWN / math.sqrt(2)) + 2
    x, y = region.centre
    left, top = max(0, math.floor(x) - reach), max(0, math.floor(y) - reach)
    part = picture[top : math.ceil(y) + reach, left : math.ceil(x) + reach]
    height, width = part.shape[:2]
    if side > _SHOWN:
        size = max(1, round(width * _SHOWN / side)), max(1, round(height * _SHOWN / side))
        part = cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_AREA)
    scale = part.shape[1] / width, part.shape[0] / height
    return _Surroundings(part, (left, top), scale, ((x - left) * scale[0], (y - top) * scale[1]), side * scale[0])


def _turned(look: Look, around: _Surroundings, turn: int) -> Detection | None:
    """The most confident finding at the middle with the surroundings turned by `turn` degrees, or None."""
    matrix: npt.NDArray[np.float64] = np.array(cv2.getRotationMatrix2D(around.middle, turn, _SHOWN / around.side))
    matrix[:, 2] += np.array([_SIDE / 2 - around.middle[0], _SIDE / 2 - around.middle[1]])
    shown = cv2.warpAffine(
        np.ascontiguousarray(around.pixels), matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    near = [item for item in look(shown) if _at_the_middle(item.box)]
    best = max(near, key=lambda item: item.confidence, default=None)
    return None if best is None else _as_it_is(best, around, np.asarray(cv2.invertAffineTransform(matrix)))


def _as_it_is(found: Detection, around: _Surroundings, back: npt.NDArray[Any]) -> Detection:
    """A finding in the turned square as one in the picture; `back` is the 2 x 3 matrix into the surroundings."""

    def place(x: float, y: float) -> tuple[float, float]:
        at = back @ np.array([x, y, 1.0])
        return around.corner[0] + float(at[0]) / around.scale[0], around.corner[1] + float(at[1]) / around.scale[1]

    x, y = place(*found.box.centre)
    a, b = found.box.width / 2, found.box.height / 2
    half_width = math.hypot(back[0, 0] * a, back[0, 1] * b) / around.scale[0]
    half_height = math.hypot(back[1, 0] * a, back[1, 1] * b) / around.scale[1]
    left, top = round(x - half_width), round(y - half_height)
    box = Box(left, top, max(left + 1, round(x + half_width)), max(top + 1, round(y + half_height)))
    return replace(found, box=box, landmarks=tuple(place(*point) for point in found.landmarks))


def _at_the_middle(box: Box) -> bool:
    x, y = box.centre
    side = max(box.width, box.height)
    return math.hypot(x - _SIDE / 2, y - _SIDE / 2) <= _OFF * _SHOWN and 1 / _LARGER <= side / _SHOWN <= _LARGER
