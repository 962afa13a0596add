"""The windows through which a large picture is searched: which there are, and looking through them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import Search
from lib_finisher.imaging.geometry import Box, Size, frame, size_of

Look = Callable[[npt.NDArray[Any]], "list[Detection]"]
"""Finds objects in an array of shape (height, width, channels), in pixels of that array."""

# Sides of an object, in pixels as the network sees it: at the first it is found without fail, at the second mostly.
_SURE = 20
_ENOUGH = 16
# The overlap of two windows as a share of a window. Whatever is smaller lies wholly in one of them.
_OVERLAP = 0.2
# What a level only just sees, and so much more, fits the overlap of the next finer one.
_SPARE = 1.25
# What is larger than this as a level sees it is that level's to find: finer ones see only the surface of it.
_PLAIN_TO_SEE = 40
# A finding that ends so near a window's edge is taken for the part of something, in shares of its own side.
_CUT_OFF = 0.04


@dataclass(frozen=True)
class Level:
    """Windows of a picture in its pixels, by rows, and the factor (above 0, at most 1) by which each is reduced.

    `largest` is the longer side, in pixels of the picture, of the largest objects that are looked for here.
    """

    scale: float
    boxes: tuple[Box, ...]
    largest: float


def levels(picture: Size, search: Search, native: int) -> tuple[Level, ...]:
    """The windows of a picture, the coarsest level first; none where looking at the whole picture is enough.

    `native` is the long side, in pixels, at which the detector sees a whole picture or a window at most. A picture
    whose long side L is not above it is never cut, nor is one in which the smallest object wanted still has 16 pixels
    when L is reduced to `native`. Otherwise windows are laid in which the smallest object has 20 pixels, or at full
    resolution where that is coarser, which overlap by 20 % of `native`; and, where those are so much finer than the
    whole (ten times for a `native` of 1280) that an object could be too large for their overlap and too small for the
    whole, levels between them. An object that the level before sees at 40 pixels or more is left to that.
    """
    whole = native / max(picture.width, picture.height)
    if not search.sliced or whole >= 1 or search.smallest * whole >= _ENOUGH:
        return ()
    finest = min(1.0, _SURE / search.smallest)
    most_finer = max(2.0, native * _OVERLAP / (_SURE * _SPARE))
    between = 1
    while (finest / whole) ** (1 / between) > most_finer:
        between += 1
    scales = [whole * (finest / whole) ** (step / between) for step in range(between)] + [finest]
    return tuple(
        Level(scale, _grid(picture, round(native / scale)), _PLAIN_TO_SEE / before)
        for before, scale in itertools.pairwise(scales)
    )


def look_through(look: Look, picture: npt.NDArray[Any], level: Level) -> list[Detection]:
    """What `look` finds in each window of a level when it is given it unreduced, in pixels of the picture; not merged.

    Left out is what is larger than `level.largest`, and what a window's edge cuts off, save at the picture's own edge:
    what is smaller than the overlap is whole in the window beside it, and what is larger is seen by a coarser level.
    """
    whole = frame(size_of(picture))
    found: list[Detection] = []
    for box in level.boxes:
        part = np.ascontiguousarray(picture[box.top : box.bottom, box.left : box.right])
        here = [item.moved(box.left, box.top) for item in look(part)]
        found += [
            item
            for item in here
            if max(item.box.width, item.box.height) <= level.largest and not _cut_off(item.box, box, whole)
        ]
    return found


def _grid(picture: Size, side: int) -> tuple[Box, ...]:
    """Boxes of at most `side` pixels that cover the picture, evenly laid, by rows."""
    across, down = _spans(picture.width, side), _spans(picture.height, side)
    return tuple(Box(left, top, right, bottom) for top, bottom in down for left, right in across)


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    if length <= side:
        return [(0, length)]
    overlap = max(1, round(side * _OVERLAP))
    count = -(-(length - overlap) // (side - overlap))
    span = -(-(length + (count - 1) * overlap) // count)
    starts = [round(number * (length - span) / (count - 1)) for number in range(count)]
    return [(start, start + span) for start in starts]


def _cut_off(found: Box, window: Box, picture: Box) -> bool:
    near = max(1.0, _CUT_OFF * max(found.width, found.height))
    return (
        (window.left > picture.left and found.left < window.left + near)
        or (window.top > picture.top and found.top < window.top + near)
        or (window.right < picture.right and found.right > window.right - near)
        or (window.bottom < picture.bottom and found.bottom > window.bottom - near)
    )
