"""Writing finished pictures."""

from __future__ import annotations

import io
import os
import uuid
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint8
from lib_finisher.imaging.dither import dithered
from lib_finisher.imaging.png16 import png16
from lib_finisher.imaging.png_chunks import with_side_data
from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData


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
    plain = png16(pixels, alpha) if depth == 16 else _png8(pixels, alpha, dither)
    write_whole(path, with_side_data(plain, texts or {}, side), replace)


def write_whole(path: Path, data: bytes, replace: bool = True) -> None:
    """Write a file whole or not at all, its folder too. Raises OSError; FileExistsError as `save_png`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(data)
        if replace:
            part.replace(path)
        else:
            _name_anew(part, path)
    finally:
        part.unlink(missing_ok=True)


def _png8(pixels: Pixels, alpha: Mask | None, dither: bool) -> bytes:
    channels: npt.NDArray[np.uint8] = dithered(pixels) if dither else to_uint8(pixels)
    if alpha is not None:
        channels = np.dstack([channels, to_uint8(alpha)])
    buffer = io.BytesIO()
    Image.fromarray(channels).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _name_anew(part: Path, path: Path) -> None:
    """Give a complete file its name unless there is one of that name, also when two do so at once."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: reserve the name first.
        path.open("xb").close()
        part.replace(path)
