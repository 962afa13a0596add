"""Pictures that go on at their other side: seamless textures, and panoramas all around."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.imaging.masks import smoothstep

_TINY = np.float32(1e-9)


@dataclass(frozen=True)
class Wrap:
    """Over which borders a picture goes on: left and right (`across`), top and bottom (`down`)."""

    across: bool = False
    down: bool = False

    def __bool__(self) -> bool:
        return self.across or self.down


@dataclass(frozen=True)
class Around:
    """A picture of `size` that is carried on round its borders by `right` pixels on either side and `below` ones."""

    size: Size
    right: int
    below: int

    @staticmethod
    def of(size: Size, wrap: Wrap, margin: int) -> Around:
        """By `margin` pixels on every side that wraps."""
        return Around(size, margin * wrap.across, margin * wrap.down)

    @property
    def whole(self) -> Size:
        """The size with the margins."""
        return Size(self.size.width + 2 * self.right, self.size.height + 2 * self.below)

    @property
    def frame(self) -> Box:
        """Where the picture itself lies in it."""
        return Box(self.right, self.below, self.right + self.size.width, self.below + self.size.height)

    def period(self, scale: int = 1) -> tuple[int, int]:
        """After how many rows and columns of `scale` pixels it repeats; 0 where it does not."""
        height, width = (max(1, side // scale) for side in (self.size.height, self.size.width))
        return height * bool(self.below), width * bool(self.right)

    def carried_on(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An array (height, width, ...) of `size` with its margins, of any width: beyond a border is its other side."""
        rows = np.arange(-self.below, self.size.height + self.below) % self.size.height
        columns = np.arange(-self.right, self.size.width + self.right) % self.size.width
        return np.ascontiguousarray(array[rows[:, None], columns[None, :]])

    def inner(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The picture without its margins."""
        box = self.frame
        return np.ascontiguousarray(array[box.top : box.bottom, box.left : box.right])

    def folded(self, whole: Pixels) -> Pixels:
        """The picture of what was made of it with its margins: its first pixels fade out of what was made beyond its
        last ones, so that it goes on at its other side as it does everywhere.

        Only the inner half of a margin is used, the outer half was made with the least around it.
        """
        result = self.inner(whole)
        height, width = self.size.height, self.size.width
        rows, columns = slice(self.below, self.below + height), slice(self.right, self.right + width)
        if self.below:
            reach = min(self.below // 2, height)
            other = whole[self.below + height : self.below + height + reach, columns]
            result[:reach] = _faded(other, result[:reach], _rising(reach)[:, None, None])
        if self.right:
            reach = min(self.right // 2, width)
            other = np.array(whole[rows, self.right + width : self.right + width + reach])
            if self.below:
                # The corner lies beyond both borders.
                deep = min(self.below // 2, height)
                corner = whole[self.below + height :, self.right + width :][:deep, :reach]
                other[:deep] = _faded(corner, other[:deep], _rising(deep)[:, None, None])
            result[:, :reach] = _faded(other, result[:, :reach], _rising(reach)[None, :, None])
        return result

    def changed(self, before: Pixels, whole: Pixels) -> Pixels:
        """The picture `before`, of `size`, with all that was changed in `whole`, where `before` was carried on.

        What was changed beyond a border has changed the other side. Where both were changed they fade into each other.
        """
        change = whole - self.carried_on(before)
        total, weight = np.zeros_like(before), np.zeros(before.shape[:2], dtype=np.float32)
        rows = np.arange(-self.below, self.size.height + self.below) % self.size.height
        columns = np.arange(-self.right, self.size.width + self.right) % self.size.width
        down, across = _away(len(rows), self.below), _away(len(columns), self.right)
        for row in np.flatnonzero(change.any(axis=(1, 2))):
            share = change[row].any(axis=-1) * (down[row] * across)
            np.add.at(total[rows[row]], columns, share[:, None] * change[row])
            np.add.at(weight[rows[row]], columns, share)
        total /= np.maximum(weight, _TINY)[..., None]
        result: Pixels = before + total
        return np.clip(result, 0.0, 1.0, out=result)


def repeated(
    draw: Callable[[int, int, int, int], npt.NDArray[np.float32]], top: int, left: int, height: int, width: int,
    period: tuple[int, int],
) -> npt.NDArray[np.float32]:  # fmt: skip
    """What an endless plane, of which `draw` (top, left, height, width) gives (..., height, width), shows where it is
    repeated after so many rows and columns; 0 does not repeat."""
    rows = [
        np.concatenate([draw(row, column, deep, wide) for column, wide in _runs(left, width, period[1])], axis=-1)
        for row, deep in _runs(top, height, period[0])
    ]
    return np.concatenate(rows, axis=-2)


def _runs(begin: int, length: int, period: int) -> list[tuple[int, int]]:
    if not period:
        return [(begin, length)]
    runs = []
    while length > 0:
        start = begin % period
        count = min(length, period - start)
        runs.append((start, count))
        begin, length = begin + count, length - count
    return runs


def margins_for(before: Size, after: Size, least: int, least_after: int) -> tuple[Around, Around]:
    """How far a picture of `before` is carried on so that, enlarged to `after`, its margins are whole pixels there as
    well, as nearly as possible: the two of them, with margins on all sides.

    At least `least` pixels before and `least_after` after.
    """
    right, right_after = _margin(before.width, after.width, least, least_after)
    below, below_after = _margin(before.height, after.height, least, least_after)
    return Around(before, right, below), Around(after, right_after, below_after)


def _margin(before: int, after: int, least: int, least_after: int) -> tuple[int, int]:
    first = max(least, -(-least_after * before // after))

    def missed(margin: int) -> float:
        return abs(margin * after / before - round(margin * after / before))

    best = min(range(first, first + 65), key=missed)
    return best, round(best * after / before)


def without(around: Around, wrap: Wrap) -> Around:
    """The margins of the sides that wrap alone."""
    return Around(around.size, around.right * wrap.across, around.below * wrap.down)


def _away(length: int, margin: int) -> npt.NDArray[np.float32]:
    """Rising from either end over twice the margin, so that a pixel and what repeats it come to 1 together."""
    if not margin:
        return np.ones(length, dtype=np.float32)
    ends = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    return np.minimum(ends / (2 * margin), 1.0).astype(np.float32)


def _rising(reach: int) -> npt.NDArray[np.float32]:
    return smoothstep((np.arange(reach) + 0.5) / max(reach, 1)).astype(np.float32)


def _faded(first: Pixels, last: Pixels, share: npt.NDArray[np.float32]) -> Pixels:
    return np.asarray(first + share * (last - first), dtype=np.float32)
