"""Patches around a region: the padded crop first, then the canvas that fits it, never squeezed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lib_finisher.hosts.port import Capabilities
from lib_finisher.imaging.geometry import Box, Size, round_to

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


def crop_around(
    region: Box, padding: float, picture: Size, native_side: int, capabilities: Capabilities, resolution: int = 0
) -> Crop:
    """The crop for a region.

    `padding` is the margin on each side as a share of the region's longer side, at least 32 pixels. The canvas has
    about the native area of the model (or `resolution` squared), the aspect of the padded crop (at most 2.5:1) and
    sides that are allowed; the box grows to that aspect and is shifted inside the picture rather than shrunk.
    Where the crop is larger than that canvas, it is sampled at the picture's own resolution.
    """
    multiple = max(capabilities.canvas_multiple, 64) if native_side >= 512 else capabilities.canvas_multiple
    margin = max(_LEAST_PADDING, round(padding * max(region.width, region.height)))
    padded = region.grown(margin)
    canvas = _canvas(padded.size, resolution or native_side, multiple, capabilities.smallest_side)
    if canvas.width <= padded.width or canvas.height <= padded.height:
        size = padded.size.rounded_up(multiple)
        return Crop(padded.resized(size).shifted_inside(picture), size)
    scale = max(padded.width / canvas.width, padded.height / canvas.height)
    size = Size(max(1, round(canvas.width * scale)), max(1, round(canvas.height * scale)))
    return Crop(padded.resized(size).shifted_inside(picture), canvas)


def _canvas(crop: Size, side: int, multiple: int, smallest: int) -> Size:
    aspect = min(max(crop.width / crop.height, 1 / _MOST_ASPECT), _MOST_ASPECT)
    width = round_to(side * math.sqrt(aspect), multiple)
    height = round_to(side / math.sqrt(aspect), multiple)
    return Size(max(width, round_to(smallest, multiple)), max(height, round_to(smallest, multiple)))
