"""Parts of a resized picture, so that a large one never has to be held twice."""

from __future__ import annotations

import itertools
import math

import numpy as np
from PIL import Image

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Size

_LOBES = 3


def resized_rows(
    part: Pixels, first: int, height: int, size: Size, top: int, bottom: int,
    resampling: Image.Resampling = Image.Resampling.LANCZOS,
) -> Pixels:  # fmt: skip
    """Rows `top` to `bottom` - 1 of a picture resized to `size`, the same as if it were resized whole.

    `part` (rows, width, 3) are the rows of that picture from `first` on; it is `height` tall in all. The part has to
    reach `reach_of(height, size)` rows beyond what is wanted, or to the picture's edge; no filter reaches further than
    Lanczos, the default.
    """
    step = height / size.height
    reach = reach_of(height, size)
    begin = max(0, math.floor(top * step) - first - reach)
    end = min(part.shape[0], math.ceil(bottom * step) - first + reach)
    needed = part[begin:end]
    offset = first + begin
    upper, lower = max(0.0, top * step - offset), min(float(needed.shape[0]), bottom * step - offset)
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(needed[..., channel], dtype=np.float32)).resize(
                (size.width, bottom - top), resampling, box=(0.0, upper, float(part.shape[1]), lower)
            )
        )
        for channel in range(part.shape[2])
    ]
    return np.stack(planes, axis=-1)


def reach_of(height: int, size: Size) -> int:
    """How many rows of a picture `height` tall a row of it resized to `size` depends on, to each side."""
    return math.ceil(_LOBES * max(1.0, height / size.height)) + 1


def in_strips(height: int, rows: int) -> list[tuple[int, int]]:
    """`height` rows split evenly into parts of at most `rows`: (first, one past the last) of each."""
    count = -(-height // max(1, rows))
    edges = [round(index * height / count) for index in range(count + 1)]
    return list(itertools.pairwise(edges))
