"""Patches that cover a whole picture: one over the frame where that is sensible, tiles otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib_finisher.hosts.port import Capabilities
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size, cut, round_up
from lib_finisher.redraw.layout import even_grid
from lib_finisher.redraw.patch import Patch, Weight, everywhere

# A model keeps its composition up to about this many times its native area; beyond it, tiles.
WHOLE_FRAME_LIMIT = 2.25
_LEAST_OVERLAP = 64


@dataclass(frozen=True)
class Look:
    """What all patches of a cover share."""

    denoising_strength: float
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0


def whole_frame_fits(picture: Size, native_side: int) -> bool:
    """Whether a picture is small enough to be redrawn in one piece by a model of that native size."""
    return picture.area <= WHOLE_FRAME_LIMIT * native_side * native_side


def why_tiles(picture: Size, native_side: int, capabilities: Capabilities) -> str:
    """Why a picture cannot well be redrawn in one piece by that model on that device; "" where it can."""
    if not whole_frame_fits(picture, native_side):
        whole = WHOLE_FRAME_LIMIT * native_side * native_side / 1e6
        return f"{picture.megapixels:.1f} MP is over the {whole:.1f} MP that this model draws in one piece"
    if picture.area > max(capabilities.batch_pixels, native_side * native_side):
        limit = capabilities.batch_pixels / 1e6
        return f"{picture.megapixels:.1f} MP is over the {limit:.1f} MP that this device is given at once"
    return ""


def one_patch(picture: Size, look: Look, capabilities: Capabilities, mask: Mask | None = None) -> Patch:
    """One patch over the whole picture, mirrored up to the next allowed canvas where it does not fit exactly."""
    multiple, smallest = capabilities.canvas_multiple, capabilities.smallest_side
    canvas = Size(
        max(round_up(picture.width, multiple), round_up(smallest, multiple)),
        max(round_up(picture.height, multiple), round_up(smallest, multiple)),
    )
    box = Box(0, 0, canvas.width, canvas.height)
    weight = everywhere(canvas) if mask is None else _painted(cut(mask, box))
    sampler_mask = None if mask is None else cut(mask, box)
    return _patch(box, weight, look, sampler_mask, "whole frame")


def tiles(
    picture: Size,
    target: int,
    overlap: int,
    look: Look,
    capabilities: Capabilities,
    mask: Mask | None = None,
    columns: int = 0,
    rows: int = 0,
) -> list[Patch]:
    """An even grid of patches over the picture; where a mask is given, only the tiles that touch it.

    `target` is about the side of a tile (see `even_grid`); `columns` and `rows` above 0 say how many there are. No tile
    is smaller than the smallest canvas: one that is larger than the picture has a mirrored margin.
    """
    multiple, smallest = capabilities.canvas_multiple, capabilities.smallest_side
    grid = even_grid(picture, Size(target, target), overlap, multiple, smallest, columns, rows)
    patches = []
    for number, (box, tent) in enumerate(grid.tiles(), 1):
        part = None if mask is None else cut(mask, box)
        if part is not None and not bool((part > 0).any()):
            continue
        weight: Weight = tent if part is None else _product(tent, part)
        patches.append(_patch(box, weight, look, part, f"tile {number} of {len(grid)}"))
    return patches


def tile_overlap(target: int, denoising_strength: float) -> int:
    """How far tiles share pixels: a sixteenth of a tile at no strength, five sixteenths at full strength.

    It grows with the square: what is gently redrawn still agrees in neighbouring tiles, which share their noise. It is
    never less than 64 pixels, as far as the tile has room for them, 32 on either side of where one gives way to the
    other: what a model and its VAE see around a pixel does not shrink with their tile.
    """
    share = target * (1 / 16 + denoising_strength**2 / 4)
    return round_up(round(max(share, _LEAST_OVERLAP)), 8)


def _patch(box: Box, weight: Weight, look: Look, mask: Mask | None, label: str) -> Patch:
    return Patch(
        box=box,
        canvas=box.size,
        weight=weight,
        denoising_strength=look.denoising_strength,
        mask=mask,
        prompt=look.prompt,
        negative_prompt=look.negative_prompt,
        seed=look.seed,
        label=label,
    )


def _painted(mask: Mask) -> Weight:
    return lambda: mask


def _product(weight: Weight, mask: Mask) -> Weight:
    return lambda: np.asarray(weight() * mask, dtype=np.float32)
