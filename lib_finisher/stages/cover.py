"""Covering a picture with patches: the whole frame or tiles, which of them touch a mask, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lib_finisher.hosts.port import Capabilities
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, Size, cut, frame, size_of
from lib_finisher.redraw.patch import Outcome, Patch, Weight
from lib_finisher.redraw.seams import mended
from lib_finisher.stages.frame import Look, one_patch, tile_overlap, tiles, why_tiles


def covering(
    size: Size,
    look: Look,
    native: int,
    capabilities: Capabilities,
    *,
    whole: bool | None = None,
    tile: int = 0,
    overlap: int = 0,
    columns: int = 0,
    rows: int = 0,
) -> tuple[list[Patch], str]:
    """The patches for a picture of `size`, and in words why there are tiles or not, where that was left open.

    `whole` asks for the whole frame or for tiles; None takes the frame as long as a model of the side `native` carries
    it. Zeros follow from the model and the denoising strength.
    """
    why = why_tiles(size, native, capabilities) if whole is None else ""
    if whole or (whole is None and not why):
        return [one_patch(size, look, capabilities)], ""
    side = tile or native
    shared = overlap or tile_overlap(side, look.denoising_strength)
    patches = tiles(size, side, shared, look, capabilities, columns=columns, rows=rows)
    return patches, f" ({why})" if why else ""


def touched(patches: Sequence[Patch], mask: Mask, size: Size) -> list[Patch]:
    """The patches of a picture of `size` that touch a mask, which may be of another size."""
    small, result = size_of(mask), []
    across, down = small.width / size.width, small.height / size.height
    for patch in patches:
        box = patch.box
        # A pixel more: the mask is smooth between its pixels.
        seen = Box(
            int(box.left * across) - 1, int(box.top * down) - 1,
            int(box.right * across) + 2, int(box.bottom * down) + 2,
        ).intersection(frame(small))  # fmt: skip
        if seen is not None and bool((mask[seen.top : seen.bottom, seen.left : seen.right] > 0).any()):
            result.append(patch)
    return result


def masked(patch: Patch, mask: Mask) -> Patch:
    """A patch that changes its part of the picture by as much as the mask (height, width; 0..1) says."""
    part = cut(mask, patch.box)
    # The sampler is told where, the weight how much: a soft edge must not count twice.
    return replace(patch, weight=_product(patch.weight, part), mask=np.ceil(part))


def told_of(outcome: Outcome, patches: Sequence[Patch], layout: Sequence[Patch]) -> str:
    """What was redrawn of a layout, in words."""
    if len(layout) == 1:
        return "whole frame"
    number = "1 tile" if len(patches) == 1 else f"{len(patches)} tiles"
    # A mask of the user's may leave some out, which is no refusal.
    count = f"{outcome.accepted} of {number} redrawn" if outcome.accepted < len(patches) else number
    return f"{count} of {patches[0].canvas}"


def mend(before: Pixels, outcome: Outcome, layout: Sequence[Patch]) -> str:
    """Looks at the borders of the tiles and mends the outcome's picture where it has to; what it did, in words."""
    if not outcome.accepted or len(layout) == 1:
        return ""
    mends, borders = mended(before, outcome.picture, layout)
    return f", seams mended at {mends} of {borders} borders" if mends else ""


def _product(weight: Weight, mask: Mask) -> Weight:
    return lambda: np.asarray(weight() * mask, dtype=np.float32)
