"""PNG bytes, read again by Pillow, which has not written them."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from lib_finisher.imaging.png_bytes import png8, png16


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 37), (37, 1), (64, 53)])
def test_8_bits_come_back_as_they_were(channels: int, size: tuple[int, int]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (*size, channels), dtype=np.uint8)
    with Image.open(io.BytesIO(png8(levels))) as image:
        assert image.mode == ("RGB" if channels == 3 else "RGBA") and image.format == "PNG"
        assert np.array_equal(np.asarray(image), levels)


def test_parts_of_an_array_and_colours_in_their_order() -> None:
    levels = np.zeros((8, 8, 3), dtype=np.uint8)
    levels[..., 0] = 200
    with Image.open(io.BytesIO(png8(levels[::2, 1:5]))) as image:
        assert image.size == (4, 4) and image.getpixel((0, 0)) == (200, 0, 0)


@pytest.mark.parametrize("transparent", [False, True])
def test_16_bits_are_whole(transparent: bool) -> None:
    pixels = np.random.default_rng(0).random((9, 7, 3), dtype=np.float32)
    alpha = np.linspace(0, 1, 63, dtype=np.float32).reshape(9, 7) if transparent else None
    data = png16(pixels, alpha)
    assert struct.unpack(">BB", data[24:26]) == (16, 6 if transparent else 2)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None and np.abs(read[..., 2::-1] / 65535 - pixels).max() < 1e-5
    assert alpha is None or np.abs(read[..., 3] / 65535 - alpha).max() < 1e-5


def test_what_does_not_go_into_a_png_is_an_error_of_the_disks_kind() -> None:
    with pytest.raises(OSError):
        png8(np.zeros((0, 4, 3), dtype=np.uint8))
