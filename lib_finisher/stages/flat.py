"""Tiles with nothing in them to redraw: sky, backdrops, plain walls. They keep what the upscaler made of them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.colour import low_frequencies
from lib_finisher.imaging.geometry import look
from lib_finisher.redraw.patch import Patch

# Detail of this standard deviation is what 8-bit rounding and a little grain leave of an even surface.
_FLAT = 2.0 / 255.0
_BLOCK = 32


def without_flat(patches: Sequence[Patch], picture: Pixels) -> tuple[list[Patch], list[Patch]]:
    """The patches of a layout of tiles that have something to redraw in `picture`, and those that are near-flat.

    A redraw adds changes by weights that sum to one, so a tile that is left out changes nothing, and its neighbours'
    changes fade out towards it over the overlap: no other weight has to be adjusted. Where all are near-flat none is
    left out: then it is the even surface that is to be redrawn.
    """
    flat = [is_flat(np.asarray(look(picture, patch.box))) for patch in patches]
    if all(flat):
        return list(patches), []
    kept = [patch for patch, even in zip(patches, flat) if not even]
    return kept, [patch for patch, even in zip(patches, flat) if even]


def is_flat(pixels: Pixels) -> bool:
    """Whether no part of an array (height, width, 3), 0..1, has detail: colours that change slowly do not count.

    Every block of about 32 × 32 pixels has to be even, so that one bird keeps its sky from being left out.
    """
    height, width = pixels.shape[:2]
    detail = low_frequencies(pixels)
    np.subtract(pixels, detail, out=detail)
    np.square(detail, out=detail)
    size = max(1, round(width / _BLOCK)), max(1, round(height / _BLOCK))
    blocks = cv2.resize(detail, size, interpolation=cv2.INTER_AREA).mean(axis=2)
    return float(blocks.max()) < _FLAT**2


def told_of_flat(kept: Sequence[Patch], left_out: Sequence[Patch], how: str = "left to the upscaler") -> str:
    """What leaving tiles out saves, to go on in a sentence of the report; empty where none was."""
    if not left_out:
        return ""
    saved = sum(patch.canvas.area for patch in left_out)
    share = saved / (saved + sum(patch.canvas.area for patch in kept))
    count = "1 flat tile" if len(left_out) == 1 else f"{len(left_out)} flat tiles"
    return f", {count} {how}, which saves {share:.0%} of the sampling"
