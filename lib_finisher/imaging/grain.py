"""Film grain: seeded, endless, made block by block, so that a part of a picture has the same grain as the whole."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import lighter, luminance
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.wrap import Around, repeated

REFERENCE_SIDE = 1024
# Small blocks: little is made that a strip does not need.
_ROWS, _COLUMNS = 4, 512
_DEVIATION = 0.1


@dataclass(frozen=True)
class Grain:
    """`strength` 0..1, where 1 is a deviation of 0.1 in the mid-tones; `size` is a grain's diameter in pixels.

    `colour` 0..1 is the share of the grain that every channel has for itself. `shadows` and `highlights` 0..1 are what
    is left of it in black and in white. Where the picture is carried on round its borders (`around`), so is the grain.
    """

    strength: float
    size: float
    seed: int
    colour: float = 0.0
    shadows: float = 0.35
    highlights: float = 0.35
    around: Around | None = None

    def apply(self, pixels: Pixels, top: int = 0) -> Pixels:
        """Add it to the rows from `top` on of a picture that begins at column 0."""
        height, width = pixels.shape[:2]
        light = np.clip(luminance(pixels), 0.0, 1.0)
        edge: Mask | np.float32 = np.float32(self.shadows)
        if self.shadows != self.highlights:
            edge = np.where(light < 0.5, edge, np.float32(self.highlights))
        weight = edge + (1.0 - edge) * (4.0 * light * (1.0 - light))
        weight *= np.float32(_DEVIATION * self.strength)
        common = self.field(0, top, height, width)
        if self.colour <= 0:
            return lighter(pixels, common * weight)
        common *= np.float32(math.sqrt(1.0 - self.colour**2))
        result = pixels.copy()
        for channel in range(3):
            own = common + np.float32(self.colour) * self.field(1 + channel, top, height, width)
            result[..., channel] += own * weight
        return result

    def field(self, plane: int, top: int, height: int, width: int) -> Mask:
        """Rows of one of its planes: (height, width), mean 0, deviation 1."""
        if self.size <= 1.0:
            return self._noise(plane, top, height, width)
        sigma = (self.size - 1.0) / 2.0 + 0.3
        reach = math.ceil(3.0 * sigma)
        kernel = cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F)
        kernel = (kernel / math.sqrt(float(np.square(kernel, dtype=np.float64).sum()))).astype(np.float32)
        # The noise goes on beyond the picture, so no border is made up.
        wide = self._noise(plane, top, height + 2 * reach, width + 2 * reach)
        smooth = cv2.sepFilter2D(wide, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT)
        return np.ascontiguousarray(smooth[reach : reach + height, reach : reach + width])

    def _noise(self, plane: int, top: int, height: int, width: int) -> Mask:
        if self.around is None:
            return _noise(self.seed, plane, top, height, width)
        return repeated(
            lambda row, column, deep, wide: _noise(self.seed, plane, row, deep, column + wide)[:, column:],
            top - self.around.below, -self.around.right, height, width, self.around.period(),
        )  # fmt: skip


def scaled_size(size: float, picture: Size) -> float:
    """The diameter that looks in this picture as `size` does in one of 1024 × 1024 pixels; never below one pixel."""
    return max(1.0, size * math.sqrt(picture.area) / REFERENCE_SIDE)


def _noise(seed: int, plane: int, top: int, height: int, width: int) -> npt.NDArray[np.float32]:
    """Standard normal noise of the first `width` columns of the rows from `top` on, of an endless plane."""
    words = np.frombuffer(hashlib.blake2b(f"{seed}/grain/{plane}".encode(), digest_size=16).digest(), dtype=np.uint64)
    result = np.empty((height, width), dtype=np.float32)
    for row in range(top // _ROWS, -(-(top + height) // _ROWS)):
        y = row * _ROWS - top
        y0, y1 = max(y, 0), min(y + _ROWS, height)
        for column in range(-(-width // _COLUMNS)):
            counter = np.array([0, row, column, 0], dtype=np.uint64)
            generator = np.random.Generator(np.random.Philox(key=words, counter=counter))
            block = generator.standard_normal((_ROWS, _COLUMNS), dtype=np.float32)
            x = column * _COLUMNS
            x1 = min(x + _COLUMNS, width)
            result[y0:y1, x:x1] = block[y0 - y : y1 - y, : x1 - x]
    return result
