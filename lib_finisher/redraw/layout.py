"""Where tiles lie: an even split with overlap, all tiles of one size, weights that sum to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size, round_up
from lib_finisher.imaging.masks import smoothstep


@dataclass(frozen=True)
class Axis:
    """Tiles along one axis of `length` pixels: each `tile` long, beginning at `starts`; the last may hang over."""

    length: int
    tile: int
    starts: tuple[int, ...]

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
            overlap = max(1, self.starts[index - 1] + self.tile - self.starts[index])
            ramp *= smoothstep(middle / overlap)
        if index < len(self.starts) - 1:
            overlap = max(1, self.starts[index] + self.tile - self.starts[index + 1])
            ramp *= smoothstep((self.tile - middle) / overlap)
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
        return np.outer(self.down, self.across).astype(np.float32)


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
    tile = round_up(-(-(padded + (count - 1) * overlap) // count), multiple)
    room = (padded - tile) / (multiple * (count - 1))
    return Axis(length, tile, tuple(multiple * round(index * room) for index in range(count)))


def even_grid(picture: Size, target: Size, overlap: int, multiple: int) -> Grid:
    """The even split of a picture into tiles of at most about `target`."""
    return Grid(
        split_axis(picture.width, target.width, overlap, multiple),
        split_axis(picture.height, target.height, overlap, multiple),
    )
