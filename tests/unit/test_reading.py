"""Reading pictures whose tags are odd, that are damaged, or that are very large."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, UnidentifiedImageError, features

from lib_finisher.api.pictures import Upload
from lib_finisher.api.problems import RequestError
from lib_finisher.cli import main
from lib_finisher.imaging.files import PictureError, load_picture
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.opening import TooManyPixels, opened
from tests.conftest import PORTRAIT

ASCII, SHORT, LONG = 2, 3, 4
UPRIGHT = Image.Transpose.ROTATE_270
ROTATED = (0x0112, SHORT, 1, struct.pack("<H", 6))
ODD = {
    "a width in words": (0x0100, ASCII, 8, b"sixteen\0"),
    "a resolution in words": (0x011A, ASCII, 4, b"two\0"),
    "a maker that is a number": (0x010F, LONG, 1, struct.pack("<I", 7)),
}
TURNED_BY = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def exif(*tags: tuple[int, int, int, bytes], more: tuple[int, int, int, bytes] | None = None) -> bytes:
    """EXIF of these tags (number, type, count, value), whatever Pillow would think of them.

    `more` is a tag of those of the exposure, which stand by themselves.
    """
    whole = b"Exif\0\0II*\0" + struct.pack("<I", 8)
    if more is None:
        return whole + directory(8, *tags)
    return whole + directory(8, (0x8769, LONG, 1, struct.pack("<I", 26))) + directory(26, more)


def directory(at: int, *tags: tuple[int, int, int, bytes]) -> bytes:
    after = at + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for number, kind, count, value in sorted(tags):
        place = struct.pack("<I", after + len(values)) if len(value) > 4 else value.ljust(4, b"\0")
        values += value if len(value) > 4 else b""
        entries += struct.pack("<HHI", number, kind, count) + place
    return struct.pack("<H", len(tags)) + entries + bytes(4) + values


SILENT = {
    "an orientation in words": exif((0x0112, ASCII, 6, b"right\0")),
    "no such orientation": exif((0x0112, SHORT, 1, struct.pack("<H", 60))),
    "words for more tags": exif((0x8769, ASCII, 6, b"words\0")),
    "no tags where more should be": exif((0x8769, LONG, 1, struct.pack("<I", 3))),
    "cut short": exif(ROTATED)[:19],
    "no tags": b"Exif\0\0nonsense",
}


@pytest.fixture(scope="module")
def small() -> Image.Image:
    return Image.open(PORTRAIT).convert("RGB").crop((120, 0, 376, 256)).resize((64, 64)).crop((0, 0, 64, 48))


def as_read(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, dtype=np.float32) / 255


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_odd_tags_do_not_keep_a_picture_from_being_turned(
    small: Image.Image, tmp_path: Path, kind: str, odd: tuple[int, int, int, bytes]
) -> None:
    small.save(tmp_path / "odd", kind, exif=exif(odd, ROTATED), quality=95)
    loaded = load_picture(tmp_path / "odd")
    assert loaded.pixels.shape == (64, 48, 3)
    assert float(np.abs(loaded.pixels - as_read(small.transpose(UPRIGHT))).mean()) < 4 / 255
    upload = Upload(base64.b64encode((tmp_path / "odd").read_bytes()).decode(), "image")
    assert np.array_equal(upload.picture().pixels, loaded.pixels)


@pytest.mark.parametrize("told", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_where_tags_say_nothing_a_picture_is_read_as_it_lies(
    small: Image.Image, tmp_path: Path, kind: str, told: bytes
) -> None:
    small.save(tmp_path / "odd", kind, exif=told, quality=95)
    loaded = load_picture(tmp_path / "odd")
    assert float(np.abs(loaded.pixels - as_read(small)).mean()) < 4 / 255
    assert (loaded.infotext, loaded.notes) == ("", ())


def test_the_infotext_is_read_beside_tags_that_cannot_be(small: Image.Image, tmp_path: Path) -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("parameters", "a portrait")
    small.save(tmp_path / "odd.png", exif=SILENT["no tags"], pnginfo=told)
    loaded = load_picture(tmp_path / "odd.png")
    assert np.allclose(loaded.pixels, as_read(small), atol=1e-6)
    assert loaded.infotext == "a portrait"


@pytest.mark.parametrize("numbers", [(5, 999, *range(65, 77)), tuple(range(65, 91))])
def test_a_comment_that_is_no_text_is_no_infotext(small: Image.Image, tmp_path: Path, numbers: tuple[int, ...]) -> None:
    comment = (0x9286, SHORT, len(numbers), struct.pack(f"<{len(numbers)}H", *numbers))
    small.save(tmp_path / "odd.jpg", exif=exif(more=comment))
    with Image.open(tmp_path / "odd.jpg") as image:
        assert image.getexif().get_ifd(0x8769)[0x9286] == numbers
    assert load_picture(tmp_path / "odd.jpg").infotext == ""


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_a_tiff_is_turned_once(small: Image.Image, tmp_path: Path, orientation: int, compression: str) -> None:
    """Pillow and OpenCV turn it when they decode it, and some releases tell of its orientation still."""
    upright = as_read(small.transpose(TURNED_BY[orientation]))
    grey = Image.fromarray(np.asarray(small.convert("L"), dtype=np.uint16) * 257)
    for picture, expected in ((small, upright), (grey, as_read(small.convert("L").transpose(TURNED_BY[orientation])))):
        picture.save(tmp_path / "a.tif", compression=compression, tiffinfo={0x0112: orientation})
        loaded = load_picture(tmp_path / "a.tif").pixels
        assert np.allclose(loaded if picture is small else loaded[..., 0], expected, atol=1e-4)


def test_of_a_tiff_with_pages_the_first_is_read(small: Image.Image, tmp_path: Path) -> None:
    small.save(tmp_path / "a.tif", save_all=True, append_images=[small.rotate(180)])
    loaded = load_picture(tmp_path / "a.tif")
    assert np.allclose(loaded.pixels, as_read(small), atol=1e-6)
    assert "first of 2 frames" in loaded.notes[0]


def broken_tiff(picture: Image.Image) -> bytes:
    """A picture with a second page that has no tags at all, not even a size."""
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, len(data))
    return bytes(data) + bytes(6)


def test_whatever_pillow_raises_is_said_of_the_file(small: Image.Image, tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(broken_tiff(small))
    with pytest.raises(PictureError, match=r"broken\.tif: the picture is damaged or cut short \("):
        load_picture(tmp_path / "broken.tif")
    upload = Upload(base64.b64encode(broken_tiff(small)).decode(), "image")
    with pytest.raises(RequestError) as error:
        upload.picture()
    assert error.value.problems[0].text.startswith("the picture is damaged or cut short (")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow does not read AVIF")
def test_a_header_that_pillow_gives_up_on_is_said_of_the_request(small: Image.Image) -> None:
    """Which of its items is the picture is not told any more."""
    buffer = io.BytesIO()
    small.save(buffer, "AVIF")
    with pytest.raises(RequestError) as error:
        Upload(base64.b64encode(buffer.getvalue().replace(b"pitm", b"free")).decode(), "image")
    assert error.value.problems[0].text.startswith("the picture is damaged or cut short (RuntimeError: ")


def test_one_bad_file_does_not_cost_the_others(
    small: Image.Image, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    small.save(folder / "a.jpg", exif=exif(ODD["a width in words"], ROTATED))
    (folder / "b.tif").write_bytes(broken_tiff(small))
    (folder / "c.png").write_bytes(large(20000, 20000))
    small.save(folder / "d.png")
    off = [f"--set={name}.enabled=false" for name in ("refine", "detail", "upscale", "texture")]
    assert main(["finish", str(folder), "--out", str(tmp_path / "out"), "--no-cache", *off]) == 1
    assert {file.name for file in (tmp_path / "out").glob("[!.]*")} == {"a.png", "d.png"}
    assert Image.open(tmp_path / "out" / "a.png").size == (48, 64)
    told = capfd.readouterr().err
    assert "b.tif: the picture is damaged" in told
    assert "c.png: the picture is too large: 20000 × 20000 pixels, and no more than 16384 × 16384 are read." in told


def large(width: int, height: int, rows: bool = False) -> bytes:
    """A PNG of one bit a pixel, black but for the last row; without `rows` there is only its header."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    packed = zlib.compressobj(1)
    line = b"\0" + bytes(width // 8)
    data = b"".join([packed.compress(line) for _ in range(height - 1)]) if rows else b""
    data += packed.compress(b"\0" + b"\xff" * (width // 8)) + packed.flush() if rows else b""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_picture_beyond_pillows_own_limit_is_read(tmp_path: Path) -> None:
    """14000×14000, as Finisher makes it itself; Pillow's limit of 178956970 pixels stays as it is for others."""
    before = Image.MAX_IMAGE_PIXELS
    data = large(14000, 14000, rows=True)
    with opened(data) as image:
        assert (image.size, image.format) == ((14000, 14000), "PNG")
        assert [image.getpixel(place) for place in ((0, 0), (13999, 13998), (13999, 13999))] == [0, 0, 255]
    assert Upload(base64.b64encode(data).decode(), "image").size == Size(14000, 14000)
    assert before == Image.MAX_IMAGE_PIXELS
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))
    (tmp_path / "cut.png").write_bytes(large(14000, 14000))
    with pytest.raises(PictureError, match=r"cut\.png: the picture is damaged or cut short"):
        load_picture(tmp_path / "cut.png")


def resized(picture: Image.Image, kind: str, width: int, height: int) -> bytes:
    """A file whose header tells another size than its picture has."""
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    data = bytearray(buffer.getvalue())
    if kind == "JPEG":
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    elif kind == "BMP":
        struct.pack_into("<ii", data, 18, width, height)
    else:
        (first,) = struct.unpack_from("<I", data, 4)
        for number, side in ((0x0100, width), (0x0101, height)):
            place = data.index(struct.pack("<H", number), first + 2)
            struct.pack_into("<HII", data, place + 2, LONG, 1, side)
    return bytes(data)


@pytest.mark.parametrize("kind", ["JPEG", "BMP"])
def test_the_limit_is_the_same_for_other_kinds(small: Image.Image, kind: str) -> None:
    with opened(resized(small, kind, 16384, 16384)) as image:
        assert (image.size, image.format) == ((16384, 16384), kind)
    with (
        pytest.raises(TooManyPixels, match="too large: 16385 × 16384 pixels, and no more than 16384 × 16384 are read"),
        opened(resized(small, kind, 16385, 16384)),
    ):
        pass


def test_a_tiff_is_held_to_pillows_limit_and_that_is_said(small: Image.Image, tmp_path: Path) -> None:
    data = resized(small, "TIFF", 14000, 14000)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(PictureError, match=r"a\.tif: the picture is too large .*of 178956970 pixels.* Save it as PNG"):
        load_picture(tmp_path / "a.tif")
    with pytest.raises(RequestError) as error:
        Upload(base64.b64encode(data).decode(), "image")
    assert "Save it as PNG" in error.value.problems[0].text


@pytest.mark.parametrize("side", [16385, 60000])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(large(side, side))
    with pytest.raises(PictureError, match=rf"bomb\.png: the picture is too large: {side} × {side} pixels"):
        load_picture(tmp_path / "bomb.png")
    with pytest.raises(RequestError, match=f"too large: {side} × {side} pixels"):
        Upload(base64.b64encode(large(side, side)).decode(), "image")


def test_what_is_no_picture_is_none_beside_ultralytics_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It puts a function of its own in the place of Pillow's, which wants a package for what Pillow does not know."""
    pillows = Image.open

    def as_ultralytics(*arguments: Any, **more: Any) -> Image.Image:
        try:
            return pillows(*arguments, **more)
        except UnidentifiedImageError as error:
            raise ModuleNotFoundError("No module named 'pi_heif'") from error

    monkeypatch.setattr(Image, "open", as_ultralytics)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match="not a picture that can be read"):
        load_picture(tmp_path / "a.png")
