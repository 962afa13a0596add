"""A bounded part of two pictures of one frame, side by side, so that a measure costs the same for any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Size, size_of

# Of a large picture a grid of windows is looked at, each of so many pixels a side at the larger scale.
_WINDOW, _ACROSS = 192, 3
# A pixel that was lost to rounding is no other frame.
_ROUNDING = 1.5


@dataclass(frozen=True, eq=False)
class Window:
    """One part of the picture before and after: `before` and `after` at the smaller of the two sizes, `plain` (before,
    enlarged without overshoot) and `made` at the size after. All are (height, width, 3), 0..1."""

    before: Pixels
    after: Pixels
    plain: Pixels
    made: Pixels


def one_frame(before: Size, after: Size) -> bool:
    """Whether the one is the other resized: nothing was cut off or added."""
    factor = max(after.width / before.width, after.height / before.height)
    wanted = (before.width * factor - after.width, before.height * factor - after.height)
    return max(abs(side) for side in wanted) <= _ROUNDING * max(1.0, factor)


def windows(before: Pixels, after: Pixels) -> Iterator[Window]:
    """Windows spread over the whole frame; all of a picture that is small. Both pictures show one frame."""
    small, large = size_of(before), size_of(after)
    tops, lefts = (_starts(side) for side in (large.height, large.width))
    across, down = small.width / large.width, small.height / large.height
    for top, bottom in tops:
        for left, right in lefts:
            made = np.ascontiguousarray(after[top:bottom, left:right], dtype=np.float32)
            box = (left * across, top * down, right * across, bottom * down)
            plain = _resampled(before, box, size_of(made), Image.Resampling.BILINEAR)
            if across >= 1.0:
                reduced = plain if across == 1.0 else _resampled(before, box, size_of(made), Image.Resampling.BOX)
                yield Window(reduced, made, plain, made)
                continue
            # The pixels of the picture before that lie wholly in the window, and what has become of them.
            own = (int(np.ceil(box[0])), int(np.ceil(box[1])), int(box[2]), int(box[3]))
            had = np.ascontiguousarray(before[own[1] : own[3], own[0] : own[2]], dtype=np.float32)
            place = (own[0] / across - left, own[1] / down - top, own[2] / across - left, own[3] / down - top)
            yield Window(had, _resampled(made, place, size_of(had), Image.Resampling.LANCZOS), plain, made)


def _starts(length: int) -> list[tuple[int, int]]:
    """(first, one past the last) of each window along an axis, evenly spread from end to end."""
    if length <= _WINDOW * _ACROSS:
        return [(0, length)]
    firsts = (round(index * (length - _WINDOW) / (_ACROSS - 1)) for index in range(_ACROSS))
    return [(first, first + _WINDOW) for first in firsts]


def _resampled(
    pixels: Pixels, box: tuple[float, float, float, float], size: Size, how: Image.Resampling
) -> npt.NDArray[np.float32]:
    """A part (left, top, right, bottom; fractions of pixels) of a picture at a size."""
    if size == size_of(pixels) and box == (0.0, 0.0, float(size.width), float(size.height)):
        return np.asarray(pixels, dtype=np.float32)
    # Only what the filter may see.
    first = (max(0, int(box[0]) - 3), max(0, int(box[1]) - 3))
    part = pixels[first[1] : int(np.ceil(box[3])) + 3, first[0] : int(np.ceil(box[2])) + 3]
    height, width = part.shape[:2]
    inside = (
        max(0.0, box[0] - first[0]), max(0.0, box[1] - first[1]),
        min(float(width), box[2] - first[0]), min(float(height), box[3] - first[1]),
    )  # fmt: skip
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(part[..., channel], dtype=np.float32)).resize(
                (size.width, size.height), how, box=inside
            )
        )
        for channel in range(3)
    ]
    return np.stack(planes, axis=-1)
