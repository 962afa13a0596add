"""One noise field for each picture and stage, endless, made block by block where it is needed.

A block depends only on the seed, its place and which draw it is: so overlapping patches see the same noise where they
overlap, and a result does not depend on batch size or order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.wrap import Around, repeated

_BLOCK = 64
_WORD = 1 << 32


@dataclass(frozen=True)
class NoiseField:
    """Standard normal noise over an unbounded plane. `salt` sets fields of one seed apart (stage, pass, patch).

    Where the picture is carried on round its borders (`around`), so is the noise.
    """

    seed: int
    salt: str = ""
    around: Around | None = None

    def crop(
        self, index: int, channels: int, top: int, left: int, height: int, width: int, scale: int = 1
    ) -> npt.NDArray[np.float32]:
        """The `index`-th draw at rows `top`.. and columns `left`.. (any sign): (channels, height, width), float32.

        `scale` is how many pixels of the picture one of its values stands for.
        """
        if self.around is None:
            return self._endless(index, channels, top, left, height, width)
        top, left = top - self.around.below // scale, left - self.around.right // scale
        return repeated(
            lambda *place: self._endless(index, channels, *place), top, left, height, width, self.around.period(scale)
        )

    def _endless(
        self, index: int, channels: int, top: int, left: int, height: int, width: int
    ) -> npt.NDArray[np.float32]:
        result = np.empty((channels, height, width), dtype=np.float32)
        words = self._words(index)
        for block_row in range(top // _BLOCK, -(-(top + height) // _BLOCK)):
            for block_column in range(left // _BLOCK, -(-(left + width) // _BLOCK)):
                block = _block(words, block_row, block_column, channels)
                y, x = block_row * _BLOCK - top, block_column * _BLOCK - left
                y0, y1 = max(y, 0), min(y + _BLOCK, height)
                x0, x1 = max(x, 0), min(x + _BLOCK, width)
                result[:, y0:y1, x0:x1] = block[:, y0 - y : y1 - y, x0 - x : x1 - x]
        return result

    def _words(self, index: int) -> list[int]:
        digest = hashlib.blake2b(f"{self.seed}/{self.salt}/{index}".encode(), digest_size=16).digest()
        return [int.from_bytes(digest[at : at + 4], "little") for at in range(0, 16, 4)]


@dataclass(frozen=True)
class FieldCrop:
    """The noise source of a patch whose canvas lies pixel for pixel on the field at (top, left)."""

    field: NoiseField
    top: int = 0
    left: int = 0

    def draw(self, index: int, channels: int, height: int, width: int, scale: int) -> npt.NDArray[np.float32]:
        """See `hosts.port.NoiseSource.draw`."""
        return self.field.crop(index, channels, self.top // scale, self.left // scale, height, width, scale)


def _block(words: list[int], row: int, column: int, channels: int) -> npt.NDArray[np.float32]:
    sequence = np.random.SeedSequence([*words, row % _WORD, column % _WORD])
    generator = np.random.Generator(np.random.Philox(sequence))
    return generator.standard_normal((channels, _BLOCK, _BLOCK), dtype=np.float32)
