"""Fine detail where tiles are mixed: the mean of two redraws that differ has less of it than either has alone.

While tiles come in, the energy of each one's detail is kept, cell by cell; where they were mixed, what is left of the
detail is then raised to that energy. Tiles that agree are left as they are: nothing was lost. Texture synthesis knows
this as variance-preserving blending (Heitz and Neyret 2018, "High-Performance By-Example Noise using a
Histogram-Preserving Blending Operator"); there the inputs are independent, here the loss is measured.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, look, round_up

# Cells are as large as those of the usual VAE, so tiles begin and end between two.
CELL = 8
_HALF = CELL // 2
# Two drawings that have nothing in common lose half of their energy; more is not given back.
_MOST_GAIN = 2.0**0.5
# What is read beyond a strip, for the coarsest band.
_CONTEXT = 4 * CELL
# Narrower strips lie so near to the tiles' edges that coarse detail cannot be measured.
_LEAST_STRIP = 2 * CELL
# Over so many cells along a strip the energy is averaged.
_ALONG = 2.0
# Below a quarter of a level there is no detail to speak of.
_LEAST = (0.25 / 255.0) ** 2

Strip = npt.NDArray[np.float32]


class FineDetail:
    """The energy of the detail of all tiles of one picture, height × width pixels, weighted as the tiles are."""

    def __init__(self, height: int, width: int) -> None:
        shape = (round_up(height, CELL) // CELL, round_up(width, CELL) // CELL)
        self._energy = np.zeros((*shape, 3), dtype=np.float32)
        self._weight = np.zeros(shape, dtype=np.float32)

    def add(self, tile: Pixels, weight: Mask, box: Box) -> None:
        """Count a tile (box height, box width, 3) that is mixed in with `weight` (box height, box width).

        A box that does not begin and end between cells, or begins outside the picture, is left out: nothing is
        restored there.
        """
        if box.left < 0 or box.top < 0 or any(side % CELL for side in (box.left, box.top, box.width, box.height)):
            return
        rows, columns = (
            slice(begin // CELL, end // CELL) for begin, end in ((box.top, box.bottom), (box.left, box.right))
        )
        room = self._weight[rows, columns].shape
        share = _reduced(np.ascontiguousarray(weight), CELL)[: room[0], : room[1]]
        self._weight[rows, columns] += share
        self._energy[rows, columns] += share[..., None] * _energies(tile)[: room[0], : room[1]]

    def restore(self, picture: Pixels, upright: Iterable[Box], lying: Iterable[Box]) -> None:
        """Raise the detail in the strips where tiles are mixed, in `picture` itself, to what the tiles had.

        The strips are `upright` between columns of tiles, `lying` between rows. Only where the tiles' weights sum to
        one: what fades into the old picture is left as it is, and so are strips too narrow to measure.
        """
        for strips, tall in ((upright, True), (lying, False)):
            for strip in strips:
                if (strip.width if tall else strip.height) >= _LEAST_STRIP:
                    self._restore(picture, strip, tall)

    def _restore(self, picture: Pixels, strip: Box, tall: bool) -> None:
        height, width = picture.shape[:2]
        top, bottom = _aligned(strip.top, strip.bottom, height)
        left, right = _aligned(strip.left, strip.right, width)
        cells = slice(top // CELL, bottom // CELL), slice(left // CELL, right // CELL)
        # As the tiles saw what lies beyond the picture.
        area = np.asarray(look(picture, Box(left, top, right, bottom)))
        redrawn = _wholly(self._weight[cells])
        had, has = (_along(energy * redrawn, tall) for energy in (self._energy[cells], _energies(area)))
        gain = np.sqrt((had + _LEAST) / (has + _LEAST), dtype=np.float32)
        gain = (np.clip(gain, 1.0, _MOST_GAIN) - np.float32(1)) * redrawn
        inside = slice(strip.top, strip.bottom), slice(strip.left, strip.right)
        region = picture[inside]
        missing = _raised(_grey(area), gain)[strip.top - top :, strip.left - left :][
            : region.shape[0], : region.shape[1]
        ]
        for channel in range(3):
            region[..., channel] += missing


def _aligned(begin: int, end: int, length: int) -> tuple[int, int]:
    """From where to where whole cells are read for a strip, as far as there are any."""
    return max(0, begin // CELL * CELL - _CONTEXT), min(round_up(length, CELL), round_up(end, CELL) + _CONTEXT)


def _grey(pixels: Pixels) -> Strip:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels, dtype=np.float32), cv2.COLOR_RGB2GRAY))


def _reduced(strip: Strip, by: int) -> Strip:
    size = strip.shape[1] // by, strip.shape[0] // by
    return np.asarray(cv2.resize(strip, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _enlarged(small: Strip, like: Strip) -> Strip:
    size = like.shape[1], like.shape[0]
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _smooth(cells: Strip) -> Strip:
    return np.asarray(cv2.GaussianBlur(cells, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _wholly(weight: Mask) -> Strip:
    """1 for cells that are redrawn wholly, 0 for those that are not and for their neighbours, whose bands see them."""
    # One pixel that stays takes a 64th off its cell.
    whole = np.asarray(weight > 0.999, dtype=np.float32)
    return np.asarray(cv2.erode(whole, np.ones((3, 3), dtype=np.uint8)), dtype=np.float32)[..., None]


def _along(cells: Strip, tall: bool) -> Strip:
    """Cells smoothed along a strip, not across it, where the tiles change over."""
    across, down = (1e-6, _ALONG) if tall else (_ALONG, 1e-6)
    return np.asarray(
        cv2.GaussianBlur(cells, (0, 0), sigmaX=across, sigmaY=down, borderType=cv2.BORDER_REFLECT), dtype=np.float32
    )


def _energies(area: Pixels) -> Strip:
    """The mean square of detail up to about 4, 8 and 16 pixels in each cell (rows, columns, 3)."""
    # The half size tells as much of the finest detail, at a quarter of the work.
    half = _reduced(_grey(area), 2)
    quarter, eighth = _reduced(half, 2), _reduced(half, _HALF)
    fine, middle = half - _enlarged(quarter, half), quarter - _enlarged(eighth, quarter)
    coarse = eighth - _smooth(eighth)
    return np.stack([_reduced(fine * fine, _HALF), _reduced(middle * middle, 2), coarse * coarse], axis=-1)


def _raised(grey: Strip, gain: Strip) -> Strip:
    """The same detail of a strip (height, width), that of each cell times the cell's gain."""
    quarter, eighth = _reduced(grey, _HALF), _reduced(grey, CELL)
    middle = (quarter - _enlarged(eighth, quarter)) * _enlarged(gain[..., 1], quarter)
    middle += _enlarged((eighth - _smooth(eighth)) * gain[..., 2], quarter)
    fine = (grey - _enlarged(quarter, grey)) * _enlarged(gain[..., 0], grey)
    return np.asarray(fine + _enlarged(middle, grey), dtype=np.float32)
