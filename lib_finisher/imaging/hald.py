"""HaldCLUT: a lookup table as a picture. Its pixels, row by row, are the entries, red varying fastest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lib_finisher.imaging.cube import Cube, LutError, LutFile, read_cube
from lib_finisher.imaging.files import PictureError, load_picture

SUFFIXES = frozenset({".png", ".tif", ".tiff"})
# Level 12 is 144 a side and 3 million entries, the largest in use.
_LEVELS = range(2, 13)


def read_lut(path: Path) -> LutFile:
    """The tables of a .cube file, or of a picture that is a HaldCLUT. Raises LutError."""
    return read_hald(path) if path.suffix.lower() in SUFFIXES else read_cube(path)


def read_hald(path: Path) -> LutFile:
    """The table in a picture of 8 or 16 bits whose side is a level's cube: of level 8, 512 × 512 pixels are 64 a side.

    A strip of squares side by side, as game engines have it, is read too: 32 × 32 of them are 1024 × 32 pixels.
    Raises LutError.
    """
    try:
        pixels = load_picture(path).pixels
    except PictureError as error:
        raise LutError(str(error).replace(str(path), path.name)) from error
    height, width = pixels.shape[:2]
    level = round(height ** (1 / 3))
    if width == height and level in _LEVELS and level**3 == height:
        return LutFile((Cube(np.ascontiguousarray(pixels.reshape(-1, 3)), level**2, True),))
    if width == height**2 and 2 <= height <= _LEVELS[-1] ** 2:
        # Blue goes from square to square, green down, red across.
        table = pixels.reshape(height, height, height, 3).transpose(1, 0, 2, 3).reshape(-1, 3)
        return LutFile((Cube(np.ascontiguousarray(table), height, True),))
    sides = ", ".join(f"{level**3}" for level in _LEVELS)
    raise LutError(f"{path.name}: {width} × {height} pixels are no HaldCLUT; it is square, with a side of {sides}.")
