"""Pictures whose last bytes are missing: finished with a note, or refused with the share that is there."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lib_finisher.imaging.files import PictureError, load_picture
from lib_finisher.imaging.png_chunks import chunk
from tests.conftest import PORTRAIT


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.open(PORTRAIT).convert("RGB").resize((160, 160))


def written(picture: Image.Image, kind: str, **more: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def read(folder: Path, data: bytes) -> tuple[np.ndarray, str]:
    (folder / "a").write_bytes(data)
    loaded = load_picture(folder / "a")
    return np.rint(loaded.pixels * 255), " ".join(loaded.notes)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1"])
def test_a_png_without_its_end_is_whole(tmp_path: Path, photo: Image.Image, mode: str) -> None:
    picture = photo.convert(mode)
    data = written(picture, "PNG")
    expected = np.asarray(picture.convert("RGB"))
    for cut in (1, 4, 5, 12, 14):
        pixels, note = read(tmp_path, data[:-cut])
        assert np.array_equal(pixels, expected)
        assert note == ("" if cut <= 4 else "the end of the file is missing; all of the picture is there")
    assert read(tmp_path, data)[1] == ""


def test_of_a_cut_png_the_rows_that_are_there_are_right(tmp_path: Path, photo: Image.Image) -> None:
    data, expected = written(photo, "PNG"), np.asarray(photo)
    pixels, note = read(tmp_path, data[: len(data) * 3 // 4])
    there = int((pixels != 0).any(axis=(1, 2)).sum())
    assert 0.6 * 160 < there < 0.9 * 160
    assert np.array_equal(pixels[: there - 1], expected[: there - 1])
    assert not pixels[there:].any()
    assert "the file is cut short: 7" in note
    assert "of 160 rows are black" in note
    with pytest.raises(PictureError, match=r"cut short \(only 1\d % of the picture are there\)"):
        read(tmp_path, data[: len(data) // 6])


def test_sixteen_bits_are_read_of_a_cut_file_too(tmp_path: Path, photo: Image.Image) -> None:
    deep = np.asarray(photo).astype(np.uint16) * 257 + 3
    data = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    (tmp_path / "a.png").write_bytes(data[:-14])
    loaded = load_picture(tmp_path / "a.png")
    assert np.abs(loaded.pixels[:150] * 65535 - deep[:150]).max() < 0.1
    assert "end of the file" in loaded.notes[0] or "cut short" in loaded.notes[0]


def interlaced(levels: np.ndarray) -> bytes:
    """An Adam7 PNG, which Pillow does not write."""
    rows = b""
    for left, top, across, down in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):  # fmt: skip  # noqa: E501
        rows += b"".join(b"\0" + row.tobytes() for row in levels[top::down, left::across] if row.size)
    head = levels.shape[1].to_bytes(4, "big") + levels.shape[0].to_bytes(4, "big") + b"\x08\x02\0\0\x01"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(160, 160), (1, 1), (3, 5), (9, 2)])
def test_an_interlaced_png_without_its_end_is_whole(tmp_path: Path, photo: Image.Image, size: tuple[int, int]) -> None:
    levels = np.asarray(photo.resize(size))
    data = interlaced(levels)
    assert np.array_equal(read(tmp_path, data)[0], levels)
    pixels, note = read(tmp_path, data[:-14])
    assert np.array_equal(pixels, levels)
    assert "all of the picture is there" in note


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_last_bytes_is_read(
    tmp_path: Path, photo: Image.Image, mode: str, progressive: bool
) -> None:
    data = written(photo.convert(mode), "JPEG", quality=90, progressive=progressive)
    expected, _ = read(tmp_path, data)
    for cut in (1, 2, 10, 60):
        pixels, note = read(tmp_path, data[:-cut])
        assert np.abs(pixels[:120] - expected[:120]).mean() < 1
        assert "the end of the file is missing" in note or (mode == "L" and cut <= 2)


def test_of_a_cut_jpeg_the_rows_that_are_there_are_right(tmp_path: Path, photo: Image.Image) -> None:
    data = written(photo, "JPEG", quality=90)
    expected, _ = read(tmp_path, data)
    pixels, note = read(tmp_path, data[: len(data) * 4 // 5])
    grey = int((np.abs(pixels - 128) <= 1).all(axis=(1, 2)).sum())
    assert 8 <= grey <= 60
    assert f"the last {grey} of 160 rows of the picture are grey" in note
    assert np.array_equal(pixels[: 160 - grey - 32], expected[: 160 - grey - 32])
    with pytest.raises(PictureError, match=r"only \d+ % of the picture are there"):
        read(tmp_path, data[: len(data) // 4])


def test_a_picture_of_one_colour_is_not_taken_for_missing(tmp_path: Path) -> None:
    data = written(Image.new("RGB", (160, 160), (200, 30, 30)), "JPEG")
    pixels, note = read(tmp_path, data[:-2])
    assert np.abs(pixels - [200, 30, 30]).max() < 4
    assert "rows of the picture are grey" not in note


def test_a_jpeg_that_is_damaged_within_fails(tmp_path: Path, photo: Image.Image) -> None:
    data = written(photo, "JPEG")
    with pytest.raises(PictureError, match="damaged or cut short"):
        read(tmp_path, data[:300])
