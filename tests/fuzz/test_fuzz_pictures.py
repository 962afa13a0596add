"""Files of pictures, changed in their bytes or in the parts beside the pixels: read, or told in words."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import struct
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from lib_finisher.api.pictures import Upload
from lib_finisher.api.problems import RequestError
from lib_finisher.imaging.exif import Exif
from lib_finisher.imaging.files import Header, LoadedPicture, PictureError, load_header, load_mask, load_picture
from lib_finisher.imaging.hald import read_lut
from lib_finisher.imaging.opening import kinds_here, opened
from lib_finisher.imaging.png_chunks import SIGNATURE, chunk, chunks_of, split_png, with_side_data
from lib_finisher.imaging.side_data import SideData
from lib_finisher.imaging.user_comment import user_comment
from lib_finisher.infotext.own_base import own_base
from tests.fuzz.budget import tried, within
from tests.fuzz.mutations import mutated

INFOTEXT = "a fox\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 8x8"
XMP = b"<x:xmpmeta><rdf:Description tiff:Orientation='6'><exif:UserComment><rdf:li>{&quot;c&quot;: 1}</rdf:li></exif:UserComment></rdf:Description></x:xmpmeta>"  # noqa: E501
MIB, _MOST_PIXELS = 48, 200_000


def exif_block() -> bytes:
    made = Image.Exif()
    made[0x0112], made[0x010E], made[0x0110] = 6, "words", 'prompt:{"1": {"inputs": {}}}'
    # Older Pillows do not write what is put into `get_ifd`.
    made[0x8769] = {0x9286: b"UNICODE\0" + INFOTEXT.encode("utf-16-be"), 0xA002: 8}
    return made.tobytes()


def originals() -> dict[str, bytes]:
    noise = np.random.default_rng(0).integers(0, 255, (9, 13, 4), np.uint8)
    colours, clear = Image.fromarray(noise[..., :3]), Image.fromarray(noise)
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", INFOTEXT)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add_text("Comment", json.dumps({"prompt": "a", "seed": 5}), zip=True)
    exif = exif_block()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    deep = np.random.default_rng(1).integers(0, 65535, (5, 4), np.uint16)
    ways: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "png": (clear, "PNG", {"pnginfo": info, "exif": exif, "dpi": (72, 72)}),
        "palette": (colours.convert("P"), "PNG", {"transparency": 3}), "deep": (Image.fromarray(deep), "PNG", {}),
        "jpeg": (colours, "JPEG", {"exif": exif, "comment": b"words"}),
        "profile": (colours, "PNG", {"icc_profile": profile}), "in a jpeg": (colours, "JPEG", {"icc_profile": profile}),
        "cmyk": (colours.convert("CMYK"), "JPEG", {"progressive": True}),
        "webp": (clear, "WEBP", {"exif": exif, "xmp": XMP, "lossless": True}), "lossy": (colours, "WEBP", {}),
        "gif": (colours.convert("P"), "GIF", {"save_all": True, "append_images": [colours.convert("P")]}),
        "tiff": (colours, "TIFF", {"tiffinfo": Image.Exif()}), "bmp": (colours, "BMP", {}), "grey": (colours.convert("L"), "BMP", {}),  # noqa: E501
    }  # fmt: skip
    if "AVIF" in kinds_here():
        ways["avif"] = (colours, "AVIF", {"exif": exif, "speed": 10})
    made = {}
    for name, (image, kind, how) in ways.items():
        stream = io.BytesIO()
        image.save(stream, kind, **how)
        made[name] = stream.getvalue()
    return made


FILES = originals()


@pytest.fixture(scope="module", name="folder")
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def read_all(data: bytes, folder: Path) -> tuple[LoadedPicture | None, Header | None]:
    """What is made of a file by all that read files of pictures; nothing but their errors may come out."""
    file = folder / "x.png"
    file.write_bytes(data)
    picture = header = None
    with warnings.catch_warnings():
        # Pillow's remarks on damaged files.
        warnings.simplefilter("ignore")
        try:
            picture = load_picture(file)
        except PictureError as error:
            assert str(error).startswith(str(file))
        try:
            header = load_header(file)
        except PictureError as error:
            assert str(error).startswith(str(file))
        with contextlib.suppress(RequestError):
            upload = Upload(base64.b64encode(data).decode(), "image")
            assert upload.size.area > 0
        with contextlib.suppress(PictureError):
            load_mask(file, (13, 9))
        with contextlib.suppress(ValueError):
            read_lut(file)
    return picture, header


def is_small(data: bytes) -> bool:
    """Whether a picture's header does not say that it is large, which is read and takes what it takes."""
    try:
        with opened(data) as image:
            return image.width * image.height <= _MOST_PIXELS
    except Exception:  # noqa: BLE001 - what is wrong with it is looked at elsewhere
        return True


def check(data: bytes, folder: Path) -> LoadedPicture | None:
    if not is_small(data):
        return None
    with within(300_000, mib=MIB):
        picture, header = read_all(data, folder)
        for told in (picture, header):
            if told is not None:
                own_base(told.infotext, told.side)
    if picture is not None:
        assert picture.pixels.dtype == np.float32
        assert picture.pixels.ndim == 3 and picture.pixels.shape[2] == 3 and min(picture.pixels.shape) > 0
        assert np.isfinite(picture.pixels).all() and picture.pixels.min() >= 0 and picture.pixels.max() <= 1
        assert picture.alpha is None or picture.alpha.shape == picture.pixels.shape[:2]
        if header is not None and "cut" not in " ".join(picture.notes):
            assert header.size == picture.pixels.shape[1::-1]
    return picture


@pytest.mark.parametrize("name", FILES)
def test_the_original_is_read(name: str, folder: Path) -> None:
    picture = check(FILES[name], folder)
    assert picture is not None
    if name in ("png", "jpeg", "webp"):
        assert own_base(picture.infotext, picture.side)[0].seed == 5


@tried(400)
@given(data=mutated(list(FILES.values())) | st.binary(max_size=80))
def test_a_changed_file_is_read_or_told(data: bytes, folder: Path) -> None:
    check(data, folder)


@st.composite
def changed_png(draw: st.DrawFn) -> bytes:
    """A PNG whose chunks are changed inside, swapped, doubled or left out, each with the checksum that it needs."""
    parts = [
        (kind, body) for kind, body, _ in chunks_of(FILES[draw(st.sampled_from(["png", "palette", "deep", "profile"]))])
    ]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(parts) - 1))
        kind, body = parts[at]
        how = draw(st.integers(0, 4))
        if how == 0:
            parts[at] = draw(st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"pHYs", b"tRNS", b"acTL", b"sRGB", b"gAMA", b"PLTE"])), body  # noqa: E501  # fmt: skip
        elif how == 1:
            parts.insert(draw(st.integers(0, len(parts))), (kind, body))
        elif how == 2 and len(parts) > 1:
            del parts[at]
        else:
            parts[at] = kind, draw(mutated([body], most=3))
    return SIGNATURE + b"".join(chunk(kind, body) for kind, body in parts)


@tried(300)
@given(data=changed_png())
def test_a_png_with_changed_chunks_is_read_or_told(data: bytes, folder: Path) -> None:
    check(data, folder)
    with within(60_000, mib=MIB):
        parts = split_png(data)
        side = SideData(tuple(item for item in parts.texts if item.keyword.isascii()))
        kept = split_png(with_side_data(FILES["deep"], {}, side))
    # What is carried over to a result stands there as it came.
    assert kept.notes == ()
    assert kept.texts == side.texts


@tried(60)
@given(profile=mutated([ImageCms.ImageCmsProfile(ImageCms.createProfile(kind)).tobytes() for kind in ("sRGB", "LAB")]))
def test_a_changed_colour_profile_costs_nothing_but_itself(profile: bytes, folder: Path) -> None:
    """The picture is read whatever its profile says."""
    for original in ("palette", "deep", "png"):
        parts = [(kind, body) for kind, body, _ in chunks_of(FILES[original])]
        parts.insert(1, (b"iCCP", b"x\0\0" + zlib.compress(profile)))
        data = SIGNATURE + b"".join(chunk(kind, body) for kind, body in parts)
        assert check(data, folder) is not None


@tried(250)
@given(block=mutated([exif_block(), exif_block().replace(b"II*\0", b"MM\0*")]), name=st.sampled_from(["jpeg", "webp", "png"]))  # noqa: E501  # fmt: skip
def test_changed_exif_costs_nothing_but_itself(block: bytes, name: str, folder: Path) -> None:
    """The picture is read whatever its EXIF says; what is kept of it is an EXIF that others read."""
    image = Image.open(io.BytesIO(FILES["bmp"]), formats=kinds_here())
    stream = io.BytesIO()
    with contextlib.suppress(ValueError, struct.error, OSError):
        image.save(stream, {"jpeg": "JPEG", "webp": "WEBP", "png": "PNG"}[name], exif=block)
    data = stream.getvalue()
    with within(60_000, mib=MIB):
        read = Exif(block)
        kept = read.for_result()
        assert Exif(kept).orientation == 1 or kept == b""
        assert isinstance(read.comment, str)
    if data:
        assert check(data, folder) is not None


@tried(200)
@given(raw=st.binary(max_size=60) | mutated([b"UNICODE\0" + INFOTEXT.encode("utf-16-le"), b"ASCII\0\0\0" + INFOTEXT.encode()]), little=st.booleans())  # noqa: E501  # fmt: skip
def test_a_comment_is_a_text(raw: bytes, little: bool) -> None:
    with within(5_000):
        assert isinstance(user_comment(raw, little), str)
