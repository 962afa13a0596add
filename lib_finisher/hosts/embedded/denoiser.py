"""The embedded engine's denoiser: sliding discrete cosine transforms, thresholded, over several scales.

A denoiser tells all that diffusion needs: by Tweedie's formula the expected clean picture is the score, and sampling
with it draws from the prior that is implicit in the denoiser (Kadkhodaie & Simoncelli 2021). This one is classical and
has no weights: every 8×8 block of a decorrelated colour plane has few large DCT coefficients, so the small ones are
noise (Yu & Sapiro 2011); coarser scales clean the low frequencies (Facciolo et al. 2017), which leaves no blotches.
It was chosen by measurement, over a trained network too: see docs/embedded-engine.md.

Everything is written in the angle phi = atan(sigma / SIGMA_DATA), 0 for a clean picture and pi/2 for pure noise:

    z = cos(phi) * x / SIGMA_DATA + sin(phi) * n,     x in -1..1, n standard normal, z of about unit variance
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from lib_finisher.hosts.port import Array

SIGMA_DATA = 0.5

_BLOCK = 8
# In deviations of the noise: lightness, then the two colour planes, where noise shows as blotches of colour.
_THRESHOLDS = (2.7, 3.1, 3.1)
# Shares of the threshold: a coefficient is dropped below the first and whole above the second. With a hard edge, one
# that differs in its last bit, as products of other BLAS kernels do, would be kept here and dropped there.
_SOFT_EDGE = (0.8, 1.2)
_SCALES = 4
_SMALLEST_SCALE = 32
_STRIP = 8 * _BLOCK
# A lattice of eight of the 64 positions of the block grid: within 0.3 dB of all of them at an eighth of the time.
_SHIFTS = tuple((row, 3 * row % _BLOCK) for row in range(_BLOCK))
# A block that hangs over the edge holds mirrored noise, whose coefficients are up to so much larger.
_OVER_THE_EDGE = math.sqrt(2.0)
# How much noise is left in a cleaned picture, as a share of the noise that was in it.
_RESIDUE = 0.01


def _orthonormal_dct(size: int) -> npt.NDArray[np.float32]:
    frequency, position = np.arange(size)[:, None], np.arange(size)[None, :]
    basis = np.sqrt(2.0 / size) * np.cos(np.pi * (2 * position + 1) * frequency / (2 * size))
    basis[0] /= np.sqrt(2.0)
    return basis.astype(np.float32)


_DCT = _orthonormal_dct(_BLOCK)
_INVERSE = np.ascontiguousarray(_DCT.T)
_OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=np.float32)
_OPPONENT /= np.linalg.norm(_OPPONENT, axis=1, keepdims=True)


class Denoiser:
    """Pictures are float32 arrays (height, width, 3)."""

    identity = f"dct{_BLOCK}/{_THRESHOLDS}/{_SOFT_EDGE}/{_SCALES}/{len(_SHIFTS)}"

    def __init__(self) -> None:
        # The matrices are tiny: more than one BLAS thread only makes them wait for each other.
        self._threads = ThreadpoolController()

    def clean(self, z: Array, phi: float) -> Array:
        """The expected clean picture, -1..1, given a noisy one (see the module) at the angle `phi`, 0..pi/2."""
        signal, noise = math.cos(phi), math.sin(phi)
        with self._threads.limit(limits=1, user_api="blas"):
            cleaned = _multi_scale(z, noise, _SCALES)
        # Linear shrinkage towards the mean of all pictures, 0: at pure noise nothing is known but that.
        gain = SIGMA_DATA * signal / (signal**2 + _RESIDUE * noise**2)
        return np.clip(cleaned * np.float32(gain), -1.0, 1.0, dtype=np.float32)


def _multi_scale(picture: Array, noise: float, scales: int) -> Array:
    """Noise of deviation `noise` taken out at full size and, for the low frequencies, at half, quarter and eighth."""
    height, width = picture.shape[:2]
    cleaned = _thresholded(picture, noise)
    if scales == 1 or min(height, width) < 2 * _SMALLEST_SCALE:
        return cleaned
    half = (width // 2, height // 2)
    coarse = _multi_scale(_reduced(picture, half), noise / 2.0, scales - 1)
    correction = coarse - _reduced(cleaned, half)
    return cleaned + cv2.resize(correction, (width, height), interpolation=cv2.INTER_LINEAR)


def _reduced(picture: Array, size: tuple[int, int]) -> Array:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _thresholded(picture: Array, noise: float) -> Array:
    """The average over shifted block grids of the picture with its small DCT coefficients shrunk to 0."""
    if noise <= 0.0:
        return picture
    height, width = picture.shape[:2]
    planes = np.einsum("pc,hwc->phw", _OPPONENT, picture)
    rows, columns = -(-height // _STRIP) * _STRIP, -(-width // _BLOCK) * _BLOCK
    margins = ((0, 0), (_BLOCK, rows - height + _BLOCK), (_BLOCK, columns - width + _BLOCK))
    padded = np.pad(planes, margins, mode="symmetric")
    result = np.empty((3, rows, columns), dtype=np.float32)
    down = _edge_factors(rows, height)
    across = _edge_factors(columns, width)
    base = np.array(_THRESHOLDS, dtype=np.float32).reshape(3, 1, 1) * np.float32(noise)
    for top in range(0, rows, _STRIP):
        strip = padded[:, top : top + _STRIP + 2 * _BLOCK]
        factors = np.outer(down[top : top + _STRIP + _BLOCK], across)
        result[:, top : top + _STRIP] = _strip(strip, base * factors)
    return np.einsum("pc,phw->hwc", _OPPONENT, result[:, :height, :width])


def _edge_factors(padded: int, length: int) -> Array:
    """By how much thresholds are raised for blocks that begin at each place of a padded axis (padded + 8 places)."""
    start = np.arange(padded + _BLOCK)
    over = (start < _BLOCK) | (start > length)
    return np.where(over, np.float32(_OVER_THE_EDGE), np.float32(1.0))


def _strip(planes: Array, thresholds: Array) -> Array:
    """A strip of (3, rows + 16, columns + 16) thresholded; the margin of one block on each side is used up.

    `thresholds` (3, rows + 8, columns + 8) belong to the blocks that begin at each place.
    """
    rows, columns = planes.shape[1] - _BLOCK, planes.shape[2] - _BLOCK
    total = np.zeros_like(planes)
    lowest, highest = _SOFT_EDGE
    slopes = np.float32(1.0 / (highest - lowest)) / thresholds
    dropped = np.float32(lowest / (highest - lowest))
    for down, across in _SHIFTS:
        window = planes[:, down : down + rows, across : across + columns]
        blocks = np.ascontiguousarray(window).reshape(-1, _BLOCK, columns)
        coefficients = np.matmul(_DCT, blocks).reshape(-1, _BLOCK) @ _INVERSE
        coefficients = coefficients.reshape(3, -1, _BLOCK, columns // _BLOCK, _BLOCK)
        starts = slopes[:, down : down + rows : _BLOCK, across : across + columns : _BLOCK]
        kept = np.abs(coefficients)
        kept *= starts[:, :, None, :, None]
        kept -= dropped
        np.clip(kept, 0.0, 1.0, out=kept)
        kept[:, :, 0, :, 0] = 1.0
        coefficients *= kept
        back = np.matmul(_INVERSE, (coefficients.reshape(-1, _BLOCK) @ _DCT).reshape(-1, _BLOCK, columns))
        total[:, down : down + rows, across : across + columns] += back.reshape(3, rows, columns)
    return total[:, _BLOCK:-_BLOCK, _BLOCK:-_BLOCK] / np.float32(len(_SHIFTS))
