"""Giving a picture the colours of another: the linear Monge-Kantorovich map (Pitié and Kokaram 2007) in L*a*b*."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import mixed

# Keeps what hardly varies from being stretched, in squared L*a*b* units.
_STEADY = 4.0
_MOST_STRETCH = 2.0
# As much lightness at either end bends where the map leads beyond black or white.
_ROOM = 25.0


@dataclass(frozen=True, eq=False)
class ColourMap:
    """A map of L*a*b* colours: `matrix` (3, 4) times (L, a, b, 1)."""

    matrix: npt.NDArray[np.float32]

    @staticmethod
    def between(lab: Pixels, wanted: Pixels, strength: float) -> ColourMap:
        """The map that gives `lab` the mean and the covariance of `wanted`, by `strength` 0..1; any two sizes.

        Of all maps that do so it moves the colours least. No direction is stretched or flattened more than twice.
        """
        (mean, spread), (goal, goal_spread) = _statistics(lab), _statistics(wanted)
        root = _power(spread, 0.5)
        inverse = _power(spread, -0.5)
        stretch = inverse @ _power(root @ goal_spread @ root, 0.5) @ inverse
        values, vectors = np.linalg.eigh((stretch + stretch.T) / 2.0)
        stretch = vectors @ np.diag(np.clip(values, 1.0 / _MOST_STRETCH, _MOST_STRETCH)) @ vectors.T
        full = np.column_stack([stretch, goal - stretch @ mean])
        still = np.column_stack([np.eye(3), np.zeros(3)])
        return ColourMap((still + strength * (full - still)).astype(np.float32))

    def apply(self, lab: Pixels) -> Pixels:
        """An L*a*b* picture mapped. Where the map leads beyond white or black, its ends bend: no light part is lost."""
        result = mixed(lab, self.matrix)
        black, white = float(self.matrix[0, 3]), float(self.matrix[0] @ np.array([100.0, 0.0, 0.0, 1.0]))
        if white > 100.0:
            result[..., 0] = 100.0 - _bent(100.0 - result[..., 0], white - 100.0)
        if black < 0.0:
            result[..., 0] = _bent(result[..., 0], -black)
        return result


def _bent(light: Mask, beyond: float) -> Mask:
    """Lightness counted from one end, of which `beyond` lies below 0: the last of it bends so that this becomes 0."""
    under = np.maximum(np.float32(_ROOM) - light, 0.0)
    bend = np.float32(1.0 / _ROOM - 1.0 / (_ROOM + beyond))
    return np.asarray(np.maximum(light, np.float32(_ROOM)) - under / (1.0 + under * bend), dtype=np.float32)


def _statistics(lab: Pixels) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    colours = lab.reshape(-1, 3).astype(np.float64)
    mean = colours.mean(axis=0)
    away = colours - mean
    return mean, away.T @ away / len(colours) + _STEADY * np.eye(3)


def _power(matrix: npt.NDArray[np.float64], exponent: float) -> npt.NDArray[np.float64]:
    """A power of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2.0)
    return np.asarray(vectors @ np.diag(np.maximum(values, 1e-9) ** exponent) @ vectors.T)
