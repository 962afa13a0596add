"""Sharpening that draws no haloes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import lighter, luminance


@dataclass(frozen=True)
class Sharpening:
    """`amount` 0..2; `radius` in pixels (a deviation); `threshold` in 8-bit levels, below which nothing is sharpened.

    `halo` 0..1 is how far a pixel may go beyond what lies around it, as a share of the contrast there.
    """

    amount: float
    radius: float = 1.0
    halo: float = 0.1
    threshold: float = 1.0

    @property
    def reach(self) -> int:
        """How many rows to each side a row depends on."""
        return math.ceil(3.0 * self.radius)

    def apply(self, pixels: Pixels) -> Pixels:
        """The picture with its luma sharpened; colours are kept."""
        light = luminance(pixels)
        side = 2 * self.reach + 1
        smooth = cv2.GaussianBlur(light, (side, side), self.radius, borderType=cv2.BORDER_REPLICATE)
        detail = light - smooth
        threshold = np.float32(self.threshold / 255.0)
        detail -= np.clip(detail, -threshold, threshold)
        sharp = self._within_surroundings(light, light + np.float32(self.amount) * detail)
        return lighter(pixels, sharp - light)

    def _within_surroundings(self, light: Mask, sharp: Mask) -> Mask:
        window = np.ones((2 * math.ceil(self.radius) + 1,) * 2, dtype=np.uint8)
        lowest = cv2.erode(light, window, borderType=cv2.BORDER_REPLICATE)
        highest = cv2.dilate(light, window, borderType=cv2.BORDER_REPLICATE)
        room = np.float32(self.halo) * (highest - lowest)
        return np.asarray(np.clip(sharp, lowest - room, highest + room), dtype=np.float32)
