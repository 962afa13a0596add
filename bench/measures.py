"""How near a finished picture is to the truth. Pictures are float32 arrays (height, width, 3), 0..1."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels

_Plane = npt.NDArray[np.float64]

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_WINDOW, _SIGMA = (11, 11), 1.5
# Fine texture: what lies between Gaussians of these deviations, in pixels.
_FINE, _COARSE = 0.6, 1.5


class Likeness(NamedTuple):
    """SSIM, and the two texture figures (1 is the truth's)."""

    ssim: float
    kept: float
    true: float


def likeness(truth: Pixels, result: Pixels, where: Mask | None = None) -> Likeness:
    """The three measures in whole steps of 1/255; with `where` (height, width), 0..1, weighted by that."""
    a, b = _grey(truth), _grey(result)
    weight = np.ones_like(a) if where is None else where.astype(np.float64)
    fine_a, fine_b = fine_texture(a), fine_texture(b)
    common = float((weight * fine_a * fine_b).sum())
    power_a, power_b = float((weight * fine_a**2).sum()), float((weight * fine_b**2).sum())
    return Likeness(
        float((weight * _ssim_map(a, b)).sum() / weight.sum()),
        common / max(power_a, 1e-9),
        common / max(np.sqrt(power_a * power_b), 1e-9),
    )


def fine_texture(grey: _Plane) -> _Plane:
    """The band between Gaussians of 0.6 and 1.5 pixels."""
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), _FINE) - cv2.GaussianBlur(grey, (0, 0), _COARSE), dtype=np.float64)


def _ssim_map(a: _Plane, b: _Plane) -> _Plane:
    """Structural similarity at every pixel (Wang, Bovik, Sheikh, Simoncelli 2004), its usual window and constants."""

    def blur(plane: _Plane) -> _Plane:
        return np.asarray(cv2.GaussianBlur(plane, _WINDOW, _SIGMA), dtype=np.float64)

    mean_a, mean_b = blur(a), blur(b)
    power_a, power_b, common = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return light * (2 * common + _C2) / (power_a + power_b + _C2)


def _grey(pixels: Pixels) -> _Plane:
    """BT.601 luma in whole steps, 0..255, as programs that read files see it."""
    whole = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY).astype(np.float64)
