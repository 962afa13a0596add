"""What to do when memory runs out: half the batch, then a smaller patch; and remember what fitted."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2

from lib_finisher.hosts.port import Capabilities
from lib_finisher.imaging.geometry import Size, round_to
from lib_finisher.redraw.layout import Axis, Grid, split_axis
from lib_finisher.redraw.patch import Patch, Weight

NO_MEMORY = "out of memory: there is none left for the picture itself"
_SUB_OVERLAP = 64


class AreaBudget:
    """How many pixels may be sampled in one batch on this device. Kept as long as the device is used."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._limit = capabilities.batch_pixels
        self._most = capabilities.most_elements
        self._ceiling: int | None = None

    def elements(self, canvas: Size) -> int:
        """How many crops of a size fit one batch, at least 1."""
        return max(1, min(self._most, self._limit // canvas.area))

    def too_large(self, canvas: Size) -> bool:
        """Whether a single crop of that size is known not to fit."""
        return self._ceiling is not None and canvas.area >= self._ceiling

    def failed(self, canvas: Size, count: int) -> None:
        """That many crops did not fit: from now on at most half as many pixels, or smaller crops."""
        self._limit = min(self._limit, canvas.area * max(1, count // 2))
        if count == 1:
            self._ceiling = min(self._ceiling or canvas.area, canvas.area)


def ran_out(error: Exception) -> bool:
    """Whether an error says that the machine's own memory ran out; OpenCV has an error of its own for it."""
    return isinstance(error, MemoryError) or (isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem)


def smaller(patch: Patch, capabilities: Capabilities) -> list[Patch]:
    """The patch in smaller pieces that cover the same change, or [] when it cannot be made smaller.

    A patch at the picture's own resolution is halved along its longer side; one that is enlarged for sampling is
    sampled at about half the area.
    """
    return _halves(patch, capabilities) if patch.unscaled else _reduced(patch, capabilities)


def _reduced(patch: Patch, capabilities: Capabilities) -> list[Patch]:
    multiple, smallest = capabilities.canvas_multiple, capabilities.smallest_side
    factor = math.sqrt(0.5)
    canvas = Size(round_to(patch.canvas.width * factor, multiple), round_to(patch.canvas.height * factor, multiple))
    if min(canvas.width, canvas.height) < smallest or canvas.area >= patch.canvas.area:
        return []
    return [replace(patch, canvas=canvas)]


def _halves(patch: Patch, capabilities: Capabilities) -> list[Patch]:
    multiple, box = capabilities.canvas_multiple, patch.box
    wide = box.width >= box.height
    length = box.width if wide else box.height
    half = split_axis(length, length // 2 + _SUB_OVERLAP, _SUB_OVERLAP, multiple)
    if len(half.starts) < 2 or half.tile < capabilities.smallest_side or half.tile >= length:
        return []
    across = box.height if wide else box.width
    whole = Axis(across, across, (0,))
    grid = Grid(half, whole) if wide else Grid(whole, half)
    pieces = []
    for number, (piece, tent) in enumerate(grid.tiles(), 1):
        rows, columns = slice(piece.top, piece.bottom), slice(piece.left, piece.right)
        pieces.append(
            replace(
                patch,
                box=piece.moved(box.left, box.top),
                canvas=piece.size,
                weight=_product(patch.weight, tent, rows, columns),
                mask=None if patch.mask is None else patch.mask[rows, columns],
                label=f"{patch.label} part {number}".strip(),
            )
        )
    return pieces


def _product(whole: Weight, part: Weight, rows: slice, columns: slice) -> Weight:
    return lambda: whole()[rows, columns] * part()
