"""How much noise a picture has: a sensor's, and the steps between JPEG's blocks."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels

# Noise is told by the calmest of the blocks, of so many pixels a side.
_BLOCK, _CALMEST = 16, 0.10
_CLIPPED = 0.02
# Noise that went through a camera is smoother than white: it has more in it than its finest part tells.
_COLOURED = 1.5
# Immerkær's mask, the difference of two Laplacians: blind to edges that are straight, 1 for white noise.
_FINEST = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / np.float32(6.0)
_JPEG = 8
# A large picture is read in so many bands of rows; both multiples of a block.
_BANDS, _BAND_ROWS = 16, 128

Plane = npt.NDArray[np.float32]


def noise_of(pixels: Pixels) -> float:
    """The standard deviation of a picture's noise as if it were white, in units of 0..1, for (height, width, 3).

    J. Immerkær 1996, "Fast Noise Variance Estimation", in the calmest tenth of the picture's blocks of 16 × 16 pixels
    that are not clipped; 0 for pictures below 32 pixels. Where steps between blocks of 8 × 8 pixels stand out, in
    whatever phase, the picture was a JPEG and their excess counts as well. Texture that is as fine everywhere as noise
    is taken for noise.
    """
    energies, steps = [], []
    for grey in _bands_of(pixels):
        finest = cv2.filter2D(grey, -1, _FINEST, borderType=cv2.BORDER_REFLECT)
        size = (grey.shape[1] // _BLOCK, grey.shape[0] // _BLOCK)
        energy = np.asarray(cv2.resize(finest * finest, size, interpolation=cv2.INTER_AREA))
        level = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))
        energies.append(energy[(level > _CLIPPED) & (level < 1.0 - _CLIPPED)])
        steps.append([_by_phase(plane) for plane in (grey, grey.T)])
    if not energies:
        return 0.0
    seen = np.concatenate(energies)
    white = float(np.quantile(seen, _CALMEST)) if seen.size else 0.0
    blocks = float(np.mean([_excess(phases) for phases in np.mean(steps, axis=0)]))
    return float(np.sqrt(_COLOURED * white + blocks * blocks))


def _bands_of(pixels: Pixels) -> list[Plane]:
    """The luma of bands of rows, evenly spread, in whole blocks; all of a picture that is not large."""
    height, width = (side // _BLOCK * _BLOCK for side in pixels.shape[:2])
    if min(height, width) < 2 * _BLOCK:
        return []
    rows = height if height <= _BANDS * _BAND_ROWS else _BAND_ROWS
    count = 1 if rows == height else _BANDS
    tops = [round(index * (height - rows) / max(1, count - 1) / _BLOCK) * _BLOCK for index in range(count)]
    bands = (np.ascontiguousarray(pixels[top : top + rows, :width], dtype=np.float32) for top in tops)
    return [np.asarray(cv2.cvtColor(band, cv2.COLOR_RGB2GRAY)) for band in bands]


def _by_phase(plane: Plane) -> list[float]:
    """The mean step between neighbouring columns, for each place in a block of eight."""
    steps = np.abs(np.diff(plane, axis=1))
    return [float(steps[:, phase::_JPEG].mean()) for phase in range(_JPEG)]


def _excess(phases: npt.NDArray[np.float64]) -> float:
    """By how much the highest of eight steps stands out; 0 where it is no further off than the others are."""
    *others, second, first = sorted(float(value) for value in phases)
    return first - second if first - second > second - others[0] else 0.0
