"""Tint: how far colours drifted, detail aside."""

from __future__ import annotations

import numpy as np

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.colour import to_lab


def tint_sums(before: Pixels, after: Pixels) -> tuple[float, float, int]:
    """(sum of the change of a*, of b*, number of pixels) of two pictures of one size: those of windows add up."""
    was, now = to_lab(np.ascontiguousarray(before)), to_lab(np.ascontiguousarray(after))
    change = now[..., 1:].mean(axis=(0, 1), dtype=np.float64) - was[..., 1:].mean(axis=(0, 1), dtype=np.float64)
    pixels = before.shape[0] * before.shape[1]
    return float(change[0]) * pixels, float(change[1]) * pixels, pixels
