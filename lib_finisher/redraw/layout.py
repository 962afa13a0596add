"""Where tiles lie: an even split with overlap, all tiles of one size, weights that sum to one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size, round_up
from lib_finisher.imaging.masks import smoothstep

# A tile's side may miss the target's by this factor either way; and no shape is further from the target's than 3:2,
# the usual portrait of a square model.
_BAND = 1.125
_MOST_ASPECT = 1.5
# The share of an overlap in which two tiles are mixed.
_MIXED = 0.4
# Sampled areas that differ by less are alike: then the shape decides.
_ALIKE = 1.02


@dataclass(frozen=True)
class Axis:
    """Tiles along one axis of `length` pixels: each `tile` long, beginning at `starts`; the last may hang over."""

    length: int
    tile: int
    starts: tuple[int, ...]

    @property
    def in_pairs(self) -> bool:
        """Whether every tile begins after the one before, and no more than two share any pixel."""
        ahead = all(one < following for one, following in zip(self.starts, self.starts[1:]))
        return ahead and all(one + self.tile <= third for one, third in zip(self.starts, self.starts[2:]))

    def weights(self) -> list[npt.NDArray[np.float64]]:
        """For each tile its weights along the axis (shape (tile,)); at every pixel of the axis they sum to 1."""
        ramps = [self._ramp(index) for index in range(len(self.starts))]
        total = np.zeros(self.starts[-1] + self.tile, dtype=np.float64)
        for start, ramp in zip(self.starts, ramps):
            total[start : start + self.tile] += ramp
        return [ramp / total[start : start + self.tile] for start, ramp in zip(self.starts, ramps)]

    def _ramp(self, index: int) -> npt.NDArray[np.float64]:
        ramp = np.ones(self.tile, dtype=np.float64)
        middle = np.arange(self.tile, dtype=np.float64) + 0.5
        if index > 0:
            ramp *= transition(middle, self.starts[index - 1] + self.tile - self.starts[index])
        if index < len(self.starts) - 1:
            ramp *= transition(self.tile - middle, self.starts[index] + self.tile - self.starts[index + 1])
        return ramp


@dataclass(frozen=True)
class Grid:
    """A layout of equal tiles over a picture."""

    columns: Axis
    rows: Axis

    @property
    def tile(self) -> Size:
        """The size of every tile."""
        return Size(self.columns.tile, self.rows.tile)

    @property
    def sampled(self) -> int:
        """Pixels of all tiles together."""
        return len(self) * self.tile.area

    def __len__(self) -> int:
        return len(self.columns.starts) * len(self.rows.starts)

    def tiles(self) -> list[tuple[Box, Tent]]:
        """Each tile's box and its blending weight, row by row."""
        across, down = self.columns.weights(), self.rows.weights()
        return [
            (Box(left, top, left + self.columns.tile, top + self.rows.tile), Tent(down[row], across[column]))
            for row, top in enumerate(self.rows.starts)
            for column, left in enumerate(self.columns.starts)
        ]


@dataclass(frozen=True, eq=False)
class Tent:
    """A weight that is the product of one profile down and one across; made into an array only when called."""

    down: npt.NDArray[np.float64]
    across: npt.NDArray[np.float64]

    def __call__(self) -> Mask:
        """The array, shape (len(down), len(across))."""
        return np.outer(self.down.astype(np.float32), self.across.astype(np.float32))


def transition(place: npt.NDArray[np.float64], overlap: int) -> npt.NDArray[np.float64]:
    """The weight of a tile at `place` pixels from the beginning of an overlap, from 0 to 1.

    It changes in the middle two fifths of the overlap: a tile's margin is drawn with the least context, and where two
    tiles are mixed, what differs between them is averaged.
    """
    width = max(1.0, overlap * _MIXED)
    return np.asarray(smoothstep((place - (overlap - width) / 2) / width), dtype=np.float64)


def mixed_strips(boxes: Sequence[Box], picture: Size) -> tuple[list[Box], list[Box]]:
    """The strips, as long as the picture, in which the tiles of neighbouring columns are mixed, and those of rows."""
    columns = sorted({(box.left, box.right) for box in boxes})
    rows = sorted({(box.top, box.bottom) for box in boxes})
    upright = [Box(begin, 0, end, picture.height) for begin, end in _mixed(columns)]
    return upright, [Box(0, begin, picture.width, end) for begin, end in _mixed(rows)]


def _mixed(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for (_, end), (begin, _) in itertools.pairwise(spans):
        margin = int((end - begin) * (1.0 - _MIXED) / 2)
        if begin + margin < end - margin:
            yield begin + margin, end - margin


def split_axis(length: int, target: int, overlap: int, multiple: int) -> Axis:
    """Split `length` pixels into the fewest equal tiles of at most about `target`, sharing about `overlap`.

    Tiles and starts are multiples of `multiple`. `overlap` is held below half the target, so that no more than two
    tiles meet anywhere along the axis.
    """
    target = max(round_up(target, multiple), 2 * multiple)
    overlap = max(0, min(overlap, target // 2 - multiple))
    padded = round_up(length, multiple)
    if padded <= target:
        return Axis(length, padded, (0,))
    count = -(-(padded - overlap) // (target - overlap))
    return _spread(length, padded, count, overlap, multiple, multiple)


def counted_axis(length: int, count: int, overlap: int, multiple: int, smallest: int = 0) -> Axis:
    """`length` pixels in `count` equal tiles, as small as sharing `overlap` pixels at least allows.

    Tiles and starts are multiples of `multiple`, tiles at least `smallest`. No more than two tiles meet anywhere along
    the axis: where that overlap, or so many tiles, would break it, the overlap is smaller, or the tiles are fewer. The
    tile of a `length` below `smallest` hangs over.
    """
    smallest = round_up(max(smallest, 1), multiple)
    padded = max(round_up(length, multiple), smallest)
    for fewer in range(min(count, padded // multiple), 1, -1):
        # Tiles that share half of themselves: more cannot be shared in pairs.
        most = padded // (fewer + 1)
        for shared in range(round_up(max(0, min(overlap, most)), multiple), -1, -multiple):
            axis = _spread(length, padded, fewer, shared, multiple, smallest)
            if axis.in_pairs:
                return axis
    return Axis(length, padded, (0,))


def even_grid(
    picture: Size, target: Size, overlap: int, multiple: int, smallest: int = 0, columns: int = 0, rows: int = 0
) -> Grid:
    """The even split of a picture with the least sampled area whose tiles are about as large as `target`.

    The side of a tile, the root of its area, is within an eighth of the target's, and its aspect within 3:2 of the
    target's; where no split has that, the nearest to it wins. Of splits whose areas are alike, the one with the
    target's shape does. Neighbours share at least `overlap` pixels, half a tile at most. `columns` and `rows`
    above 0 say how many there are. The rest is as in `counted_axis`.
    """
    across = _candidates(picture.width, target.width, overlap, multiple, smallest, columns)
    down = _candidates(picture.height, target.height, overlap, multiple, smallest, rows)
    grids = [Grid(x, y) for x in across for y in down]
    least_miss = min(_miss(grid, target) for grid in grids)
    fitting = [grid for grid in grids if _miss(grid, target) <= least_miss]
    enough = _ALIKE * min(grid.sampled for grid in fitting)
    return min(
        (grid for grid in fitting if grid.sampled <= enough),
        key=lambda grid: (round(_skew(grid, target), 9), grid.sampled, len(grid)),
    )


def _spread(length: int, padded: int, count: int, overlap: int, multiple: int, smallest: int) -> Axis:
    tile = max(round_up(-(-(padded + (count - 1) * overlap) // count), multiple), smallest)
    room = (padded - tile) / (multiple * (count - 1))
    return Axis(length, tile, tuple(multiple * round(index * room) for index in range(count)))


def _candidates(length: int, target: int, overlap: int, multiple: int, smallest: int, count: int) -> list[Axis]:
    """The splits of an axis whose tiles are from half to twice the target, and at least one."""
    if count > 0:
        return [counted_axis(length, count, overlap, multiple, smallest)]
    found: list[Axis] = []
    for number in range(max(1, length // (2 * target)), -(-2 * length // target) + 2):
        axis = counted_axis(length, number, overlap, multiple, smallest)
        # More tiles that are no smaller only cost more.
        if not found or axis.tile < found[-1].tile:
            found.append(axis)
    return found


def _miss(grid: Grid, target: Size) -> float:
    """How far the tiles are from what is allowed, 0 for those that are within it."""
    side = abs(math.log(grid.tile.area / target.area)) / 2
    return round(max(0.0, side - math.log(_BAND)) + max(0.0, _skew(grid, target) - math.log(_MOST_ASPECT)), 9)


def _skew(grid: Grid, target: Size) -> float:
    """How far the shape of the tiles is from the target's: the logarithm of what the aspects differ by."""
    return abs(math.log(grid.tile.width * target.height / (grid.tile.height * target.width)))
