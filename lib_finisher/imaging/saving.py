"""Writing finished pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint8
from lib_finisher.imaging.dither import dithered
from lib_finisher.imaging.png_bytes import png8, png16
from lib_finisher.imaging.png_chunks import with_side_data
from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData
from lib_finisher.whole_files import write_whole


def save_png(
    path: Path,
    pixels: Pixels,
    alpha: Mask | None = None,
    texts: dict[str, str] | None = None,
    replace: bool = True,
    depth: int = 8,
    dither: bool = False,
    side: SideData = NO_SIDE_DATA,
) -> None:
    """Write a PNG of 8 or 16 bits with `texts` by keyword and the `side` data of its source, whole or not at all.

    `dither` is for pictures whose colours lie between the levels of 8 bits. Raises OSError; FileExistsError where there
    is a file of that name that must not be replaced.
    """
    write_picture(path, encode_png(pixels, alpha, texts, depth, dither, side), replace)


def encode_png(
    pixels: Pixels,
    alpha: Mask | None = None,
    texts: Mapping[str, str] | None = None,
    depth: int = 8,
    dither: bool = False,
    side: SideData = NO_SIDE_DATA,
) -> bytes:
    """The bytes of such a PNG. Raises OSError where the picture does not go into one."""
    plain = png16(pixels, alpha) if depth == 16 else _png8(pixels, alpha, dither)
    return with_side_data(plain, texts or {}, side)


def write_picture(path: Path, data: bytes, replace: bool = True) -> None:
    """Write a picture's file, its folder too, on the disk before it has its name. Raises OSError as `save_png`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data, synced=True, anew=not replace)


def _png8(pixels: Pixels, alpha: Mask | None, dither: bool) -> bytes:
    channels: npt.NDArray[np.uint8] = dithered(pixels) if dither else to_uint8(pixels)
    if alpha is not None:
        channels = np.dstack([channels, to_uint8(alpha)])
    return png8(channels)
