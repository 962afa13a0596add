"""Film grain: seeded, strongest in the mid-tones, sized to the picture."""

from __future__ import annotations

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.colour import luminance


def grain(pixels: Pixels, strength: float, size: float, seed: int) -> Pixels:
    """Add monochrome grain.

    `strength` 0..1, where 1 is a deviation of 0.1 in the mid-tones; `size` is the grain's diameter in pixels, 1..4.
    The same seed and picture size give the same grain.
    """
    if strength <= 0:
        return pixels
    height, width = pixels.shape[:2]
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed % (1 << 32), 0x67726169])))
    field = generator.standard_normal((height, width), dtype=np.float32)
    if size > 1.0:
        sigma = (size - 1.0) / 2.0 + 0.3
        field = np.asarray(cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), dtype=np.float32)
        field /= max(float(field.std()), 1e-6)
    light = np.clip(luminance(pixels), 0.0, 1.0)
    weight = 0.35 + 0.65 * 4.0 * light * (1.0 - light)
    return np.asarray(pixels + (np.float32(0.1 * strength) * field * weight)[..., None], dtype=np.float32)
