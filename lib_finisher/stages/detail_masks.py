"""Where a finding may be redrawn: its outline, an ellipse or its box, softly ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lib_finisher.detect.detection import Detection
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box
from lib_finisher.imaging.masks import ellipse, outlined, rounded_box
from lib_finisher.imaging.resize import resize
from lib_finisher.stages.detail_settings import BOX, OUTLINE, DetailPass

Where = Callable[[Box], Mask]
"""How much may be changed in a box of the picture: an array (box height, box width), 0..1."""

# A face that is tilted by less than this fits an upright ellipse.
_UPRIGHT = 10.0
# The width of a face as a share of its height (Farkas 1994: about 0.75).
_FACE_ASPECT = 0.76


@dataclass(frozen=True, eq=False)
class Shape:
    """A finding's mask: `box` with the offsets, and either a silhouette or an ellipse turned by `turn` degrees."""

    box: Box
    silhouette: Mask | None
    radii: tuple[float, float]
    turn: float
    angular: bool

    @property
    def side(self) -> int:
        """The longer side of the box, which mask blur is a share of."""
        return max(self.box.width, self.box.height)


def shape_of(item: Detection, one: DetailPass) -> Shape:
    """The shape of a finding under the pass's settings."""
    box = item.box.moved(round(one.x_offset * item.box.width), -round(one.y_offset * item.box.height))
    followed = one.mask_shape == OUTLINE
    radii, turn = (box.width / 2, box.height / 2), 0.0
    if followed and item.roll is not None:
        radii, turn = _turned(box, item.roll)
    return Shape(box, item.silhouette if followed else None, radii, turn, one.mask_shape == BOX)


def mask_of(shape: Shape, area: Box, one: DetailPass) -> Mask:
    """A shape's mask as an array of `area`."""
    feather = one.mask_blur * shape.side
    left, top = shape.box.left - area.left, shape.box.top - area.top
    if shape.silhouette is not None:
        return outlined(_stretched(shape, area), one.dilation * _half(shape), feather)
    if shape.angular:
        grow = round(one.dilation * _half(shape))
        right, bottom = area.right - shape.box.right, area.bottom - shape.box.bottom
        inset = (left - grow, top - grow, right - grow, bottom - grow)
        if area.width - inset[0] - inset[2] <= 0 or area.height - inset[1] - inset[3] <= 0:
            return np.zeros((area.height, area.width), dtype=np.float32)
        return rounded_box(area.height, area.width, inset, feather)
    centre = (shape.box.centre[0] - area.left, shape.box.centre[1] - area.top)
    return ellipse(area.height, area.width, centre, _radii(shape, one), feather, shape.turn)


def union_of(shapes: Sequence[Shape], area: Box, one: DetailPass) -> Mask:
    """The masks of several shapes as one array of `area`: the largest of them at each pixel."""
    union = np.zeros((area.height, area.width), dtype=np.float32)
    for shape in shapes:
        # Clipped first: the softness of a thin region reaches far.
        reach = shape.box.grown(_reach(shape, one)).intersection(area)
        if reach is not None:
            place = (
                slice(reach.top - area.top, reach.bottom - area.top),
                slice(reach.left - area.left, reach.right - area.left),
            )
            union[place] = np.maximum(union[place], mask_of(shape, reach, one))
    return union


def _turned(box: Box, roll: float) -> tuple[tuple[float, float], float]:
    """(radii, turn) of a face's ellipse: of a face's aspect, turned, and filling as large a box as the face's."""
    turn = (roll + 90.0) % 180.0 - 90.0
    if abs(turn) < _UPRIGHT:
        return (box.width / 2, box.height / 2), 0.0
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    across, down = math.hypot(_FACE_ASPECT * cosine, sine), math.hypot(_FACE_ASPECT * sine, cosine)
    height = math.sqrt(box.area / 4 / (across * down))
    return (_FACE_ASPECT * height, height), turn


def _stretched(shape: Shape, area: Box) -> np.ndarray:
    """Where the silhouette lies, as an array of `area`; what lies outside the area is left out."""
    assert shape.silhouette is not None
    inside = np.zeros((area.height, area.width), dtype=bool)
    seen = shape.box.intersection(area)
    if seen is None:
        return inside
    whole = resize(shape.silhouette, shape.box.size, "bilinear") >= 0.5
    inside[seen.top - area.top : seen.bottom - area.top, seen.left - area.left : seen.right - area.left] = whole[
        seen.top - shape.box.top : seen.bottom - shape.box.top, seen.left - shape.box.left : seen.right - shape.box.left
    ]
    return inside


def _half(shape: Shape) -> float:
    return min(shape.box.width, shape.box.height) / 2


def _radii(shape: Shape, one: DetailPass) -> tuple[float, float]:
    grown = 1.0 + one.dilation
    return max(1.0, shape.radii[0] * grown), max(1.0, shape.radii[1] * grown)


def _reach(shape: Shape, one: DetailPass) -> int:
    """By how many pixels more than the box, on every side, its mask may be above 0."""
    radii, feather = _radii(shape, one), one.mask_blur * shape.side
    return max(0, math.ceil(max(radii) * (1.0 + feather / min(radii)) - _half(shape)), math.ceil(feather)) + 1
