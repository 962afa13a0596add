"""How steep a picture is where tiles meet, and beside it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box


def lines(boxes: Sequence[Box], length: int, turned: bool) -> tuple[list[int], list[int]]:
    """Where tiles begin and end, and the middles of their overlaps; a line lies between a pixel and the next."""
    spans = sorted({(box.top, box.bottom) if turned else (box.left, box.right) for box in boxes})
    edges = sorted({edge - 1 for span in spans for edge in span if 24 < edge < length - 24})
    return edges, [(one[1] + following[0]) // 2 - 1 for one, following in itertools.pairwise(spans)]


class Gradients:
    """Mean gradients across tile boundaries and 12 to 24 pixels beside them, over any number of pictures.

    With `cell`, only lines a multiple of it away count as beside: a VAE draws every cell's border alike. `geometric`
    means scatter less than arithmetic ones, to which few strong contours contribute most.
    """

    def __init__(self, cell: int = 1, geometric: bool = False) -> None:
        self.geometric = geometric
        self.sums = np.zeros((2, 2, 2))
        self.away = [away for away in (*range(-24, -11), *range(12, 25)) if away % cell == 0]

    def add(self, picture: Pixels, boxes: Sequence[Box]) -> None:
        for turned in (False, True):
            light = picture.mean(axis=-1)
            steps = np.abs(np.diff(light.T if turned else light, axis=1)).astype(np.float64)
            if self.geometric:
                steps = np.log(steps + 1 / 255)
            for kind, at in enumerate(lines(boxes, steps.shape[1] + 1, turned)):
                beside = [line + away for line in at for away in self.away]
                for row, columns in enumerate((at, [x for x in beside if 0 <= x < steps.shape[1]])):
                    self.sums[kind, row] += steps[:, columns].sum(), steps[:, columns].size

    def ratios(self) -> np.ndarray:
        """At the edges of tiles and in the middle of their overlaps, gradient on the boundary over that beside it."""
        means = self.sums[..., 0] / self.sums[..., 1]
        return np.exp(means[:, 0] - means[:, 1]) if self.geometric else means[:, 0] / means[:, 1]
