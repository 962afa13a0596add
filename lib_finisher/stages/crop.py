"""Patches around a region: the padded crop first, then the canvas that fits it, never squeezed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lib_finisher.hosts.port import Capabilities
from lib_finisher.imaging.geometry import Box, Size, frame, round_to, round_up
from lib_finisher.stages.frame import WHOLE_FRAME_LIMIT

_LEAST_PADDING = 32
_MOST_ASPECT = 2.5


@dataclass(frozen=True)
class Crop:
    """Where to cut, and the canvas on which to redraw it; both have one aspect (to the pixel)."""

    box: Box
    canvas: Size

    @property
    def enlargement(self) -> float:
        """How many times larger the region is sampled than it stands in the picture."""
        return self.canvas.width / self.box.width


def worth_a_crop(region: Box, padding: float, native_side: int) -> bool:
    """Whether a redraw of its own gains a region anything: not where its crop is far larger than the model's size."""
    return _padded(region, padding).area <= WHOLE_FRAME_LIMIT * native_side * native_side


def open_sides(crop: Box, picture: Size) -> tuple[bool, bool, bool, bool]:
    """Which sides of a crop (left, top, right, bottom) lie inside the picture, where a mask must not be cut off."""
    return crop.left > 0, crop.top > 0, crop.right < picture.width, crop.bottom < picture.height


def crop_around(
    region: Box,
    padding: float,
    picture: Size,
    native_side: int,
    capabilities: Capabilities,
    canvas: Size | None = None,
) -> Crop:
    """The crop for a region.

    `padding` is the margin on each side as a share of the region's longer side, at least 32 pixels. The canvas has
    about the native area of the model, the aspect of the padded crop (at most 2.5:1) and sides that are allowed; the
    box grows to that aspect and is shifted inside the picture rather than shrunk.
    A crop larger than that canvas is sampled at the picture's own resolution, up to 2.25 times the native area, and
    reduced to that beyond; it never exceeds the picture by more than the canvas needs.
    A `canvas` that is given is used as it is, its sides made such as are allowed.
    """
    padded = _padded(region, padding)
    if canvas is not None:
        return _enlarged(padded, _allowed(canvas, capabilities), picture)
    side = native_side
    multiple = max(capabilities.canvas_multiple, 64) if native_side >= 512 else capabilities.canvas_multiple
    canvas = _canvas(padded.size, side, multiple, capabilities.smallest_side)
    if canvas.width <= padded.width or canvas.height <= padded.height:
        least = Size(min(padded.width, picture.width), min(padded.height, picture.height))
        size = Size(max(round_up(least.width, multiple), multiple), max(round_up(least.height, multiple), multiple))
        box = padded.resized(size).shifted_inside(picture)
        shrink = math.sqrt(WHOLE_FRAME_LIMIT * side * side / size.area)
        if shrink >= 1:
            return Crop(box, size)
        return Crop(box, Size(round_to(size.width * shrink, multiple), round_to(size.height * shrink, multiple)))
    return _enlarged(padded, canvas, picture)


def whole_on(canvas: Size, picture: Size, capabilities: Capabilities) -> Crop:
    """The whole picture on a canvas of that size, its sides made such as are allowed; where the two differ in aspect,
    the picture goes on mirrored rather than being squeezed."""
    return _enlarged(frame(picture), _allowed(canvas, capabilities), picture)


def _enlarged(padded: Box, canvas: Size, picture: Size) -> Crop:
    scale = max(padded.width / canvas.width, padded.height / canvas.height)
    size = Size(max(1, round(canvas.width * scale)), max(1, round(canvas.height * scale)))
    return Crop(padded.resized(size).shifted_inside(picture), canvas)


def _allowed(canvas: Size, capabilities: Capabilities) -> Size:
    multiple, smallest = capabilities.canvas_multiple, capabilities.smallest_side
    return Size(
        *(max(round_to(side, multiple), round_up(smallest, multiple)) for side in (canvas.width, canvas.height))
    )


def _padded(region: Box, padding: float) -> Box:
    return region.grown(max(_LEAST_PADDING, round(padding * max(region.width, region.height))))


def _canvas(crop: Size, side: int, multiple: int, smallest: int) -> Size:
    aspect = min(max(crop.width / crop.height, 1 / _MOST_ASPECT), _MOST_ASPECT)
    width = round_to(side * math.sqrt(aspect), multiple)
    height = round_to(side / math.sqrt(aspect), multiple)
    return Size(max(width, round_to(smallest, multiple)), max(height, round_to(smallest, multiple)))
