"""What stands beside the pixels: read wherever programs put it, and carried into the result as it came."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features
from PIL.TiffImagePlugin import IFDRational

from lib_finisher.imaging.exif import Exif
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.saving import save_png
from lib_finisher.imaging.user_comment import user_comment

TEXT = "a red fox, snow\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 96x96"
FAR = "雪の中の狐, schnee ❄\nSteps: 20, Sampler: Euler, Seed: 5"
UNICODE = b"UNICODE\0"
# (bytes of the comment, order of the file, what it says)
COMMENTS = {
    "the web UIs'": (UNICODE + TEXT.encode("utf-16-be"), "MM", TEXT),
    "high byte first in a file of the other order": (UNICODE + TEXT.encode("utf-16-be"), "II", TEXT),
    "exiftool's": (UNICODE + TEXT.encode("utf-16-le"), "II", TEXT),
    "low byte first in a file of the other order": (UNICODE + TEXT.encode("utf-16-le"), "MM", TEXT),
    "a mark, low byte first": (UNICODE + b"\xff\xfe" + FAR.encode("utf-16-le"), "MM", FAR),
    "a mark, high byte first": (UNICODE + b"\xfe\xff" + FAR.encode("utf-16-be"), "II", FAR),
    "Japanese, low byte first": (UNICODE + FAR.encode("utf-16-le"), "MM", FAR),
    "Japanese, high byte first": (UNICODE + FAR.encode("utf-16-be"), "II", FAR),
    "UTF-8 behind UNICODE": (UNICODE + FAR.encode(), "II", FAR),
    "UTF-8 with a mark behind UNICODE": (UNICODE + b"\xef\xbb\xbf" + FAR.encode(), "II", FAR),
    "ASCII": (b"ASCII\0\0\0" + TEXT.encode(), "II", TEXT),
    "UTF-8 behind ASCII": (b"ASCII\0\0\0" + FAR.encode(), "II", FAR),
    "UTF-16 behind ASCII": (b"ASCII\0\0\0" + FAR.encode("utf-16-le"), "II", FAR),
    "JIS": (b"JIS\0\0\0\0\0" + "狐 Steps: 20".encode("iso2022_jp"), "II", "狐 Steps: 20"),
    "no code": (bytes(8) + FAR.encode(), "II", FAR),
    "no prefix": (FAR.encode(), "II", FAR),
    "no prefix, UTF-16": (FAR.encode("utf-16-le"), "II", FAR),
    "zeros behind": (UNICODE + FAR.encode("utf-16-le") + bytes(3), "II", FAR),
    "an odd byte behind": (UNICODE + TEXT.encode("utf-16-be") + b"x", "II", ""),
    "no text": (bytes(range(1, 200)), "II", ""),
    "Latin-1": ("Steps: 20, füchse".encode("latin-1"), "II", ""),
}


def block(raw: bytes, order: str = "II", kind: int = 7, first: bool = False, turned: int = 0) -> bytes:
    """EXIF with a UserComment, made by hand."""
    e = "<" if order == "II" else ">"
    more = struct.pack(e + "HHIHH", 0x0112, 3, 1, turned, 0) if turned else b""
    count = 1 + bool(turned)
    head = (b"II*\0" if order == "II" else b"MM\0*") + struct.pack(e + "IH", 8, count) + more
    after = 8 + 2 + 12 * count + 4
    if first:
        return head + struct.pack(e + "HHIII", 0x9286, kind, len(raw), after, 0) + raw
    inner = struct.pack(e + "HHHIII", 1, 0x9286, kind, len(raw), after + 18, 0)
    return head + struct.pack(e + "HHIII", 0x8769, 4, 1, after, 0) + inner + raw


@pytest.mark.parametrize("way", COMMENTS)
def test_a_comment_is_its_text_or_nothing(way: str) -> None:
    raw, order, text = COMMENTS[way]
    assert user_comment(raw, order == "II") == text
    for first in (False, True):
        for kind in (7, 1):
            assert Exif(b"Exif\0\0" + block(raw, order, kind, first)).comment == text


def test_every_letter_of_a_megabyte_comes_back() -> None:
    text = ("ein Fuchs, " * 100_000) + "Steps: 20"
    for encoding in ("utf-16-le", "utf-16-be", "utf-8"):
        assert user_comment(UNICODE + text.encode(encoding)) == text


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "AVIF"])
def test_the_infotext_is_found_in_every_kind(tmp_path: Path, kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow does not write AVIF")
    file = tmp_path / "a"
    Image.new("RGB", (32, 24), (9, 90, 200)).save(file, kind, exif=b"Exif\0\0" + block(COMMENTS["exiftool's"][0]))
    assert load_picture(file).infotext == TEXT


def test_a_comment_of_a_person_is_no_infotext_and_stays(tmp_path: Path) -> None:
    told = b"Exif\0\0" + block(b"ASCII\0\0\0a day by the sea")
    Image.new("RGB", (32, 24)).save(tmp_path / "a.jpg", exif=told, comment=b"and so on")
    loaded = load_picture(tmp_path / "a.jpg")
    assert (loaded.infotext, loaded.side.comment) == ("", b"and so on")
    save_png(tmp_path / "b.png", loaded.pixels, side=loaded.side)
    result = Image.open(tmp_path / "b.png")
    result.load()
    assert result.getexif().get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0a day by the sea"
    assert result.info["Comment"] == "and so on"


def rich_exif() -> bytes:
    """EXIF as a camera writes it, a small picture of it within; made by Pillow."""
    made = Image.Exif()
    made[0x0112], made[0x013B], made[0x011A] = 6, "the artist", 300
    # Not by get_ifd, which older Pillows do not write.
    made[0x8769] = {0x9286: UNICODE + TEXT.encode("utf-16-be"), 0xA002: 4000, 0x829A: IFDRational(1, 60)}
    made[0x8825] = {1: "N", 2: (47.0, 22.0, 8.5)}
    return made.tobytes()


def test_exif_beside_another_picture_tells_no_lies() -> None:
    before = Exif(rich_exif())
    assert (before.orientation, before.comment) == (6, TEXT)
    for comment, expected in (("", None), ("new, ✓", UNICODE + "new, ✓".encode("utf-16-be"))):
        after = Image.Exif()
        after.load(b"Exif\0\0" + before.for_result(comment))
        inner = after.get_ifd(0x8769)
        assert (after[0x0112], after[0x013B], inner.get(0x9286)) == (1, "the artist", expected)
        assert (0xA002 in inner, inner[0x829A], after.get_ifd(0x8825)[2]) == (
            False,
            IFDRational(1, 60),
            (47.0, 22.0, 8.5),
        )
    assert Exif(before.for_result(keep_comment=True)).comment == TEXT
    assert Exif(Exif(b"").for_result("new")).comment == "new"
    only = Exif(b"Exif\0\0" + block(COMMENTS["ASCII"][0]))
    assert only.for_result() == b""


def test_a_thumbnail_does_not_stay() -> None:
    first = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 1, 0, 26)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, 4, 0) + b"\xff\xd8\xff\xd9"
    data = b"II*\0" + struct.pack("<I", 8) + first + second
    assert b"\xff\xd8" in data
    after = Exif(data).for_result()
    assert b"\xff\xd8" not in after
    assert Exif(after).orientation == 1


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_no_block_of_any_length_raises(cut: int) -> None:
    data = rich_exif()[:cut]
    for changed in (data, data[:20] + b"\xff\xff\xff\xff" + data[24:], data.replace(b"\x69\x87", b"\x25\x88")):
        told = Exif(changed)
        assert told.orientation in range(1, 9)
        assert isinstance(told.comment, str)
        Exif(told.for_result("x")).for_result()


def hide(levels: np.ndarray, data: bytes, mark: bytes, in_alpha: bool) -> np.ndarray:
    """Bit by bit, as the extension that began with it does."""
    bits = "".join(f"{byte:08b}" for byte in mark) + f"{len(data) * 8:032b}" + "".join(f"{byte:08b}" for byte in data)
    result, at = levels.copy(), 0
    for x in range(levels.shape[1]):
        for y in range(levels.shape[0]):
            for channel in (3,) if in_alpha else (0, 1, 2):
                if at < len(bits):
                    result[y, x, channel] = (int(result[y, x, channel]) & 254) | int(bits[at])
                    at += 1
    assert at == len(bits)
    return result


@pytest.mark.parametrize("in_alpha", [True, False])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("size", [(64, 96), (300, 20), (7, 400)])
def test_infotexts_hidden_in_last_bits_are_read(
    tmp_path: Path, size: tuple[int, int], packed: bool, in_alpha: bool
) -> None:
    levels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    levels[..., 3] = 255
    mark = f"stealth_{'png' if in_alpha else 'rgb'}{'comp' if packed else 'info'}".encode()
    hidden = hide(levels, gzip.compress(FAR.encode()) if packed else FAR.encode(), mark, in_alpha)
    Image.fromarray(hidden if in_alpha else hidden[..., :3]).save(tmp_path / "a.png")
    loaded = load_picture(tmp_path / "a.png")
    assert loaded.infotext == FAR
    assert loaded.alpha is None, "transparency of a text's bits is none"
    assert "hidden" in loaded.notes[0]
    Image.fromarray(levels).save(tmp_path / "b.png")
    plain = load_picture(tmp_path / "b.png")
    assert (plain.infotext, plain.notes, plain.alpha is None) == ("", (), False)


def test_what_novelai_hides_stands_in_the_result_as_its_texts(tmp_path: Path) -> None:
    told = {"Description": "a fox", "Software": "NovelAI", "Comment": json.dumps({"steps": 28, "seed": 5})}
    levels = np.full((80, 80, 4), 255, np.uint8)
    packed = gzip.compress(json.dumps(told).encode())
    Image.fromarray(hide(levels, packed, b"stealth_pngcomp", True)).save(tmp_path / "a.png")
    loaded = load_picture(tmp_path / "a.png")
    assert loaded.infotext == ""
    assert {key: loaded.side.text(key) for key in told} == told


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFFF8, 8 * 40])
def test_a_hidden_text_that_is_none_costs_nothing(tmp_path: Path, length: int) -> None:
    levels = np.full((64, 64, 4), 255, np.uint8)
    hidden = hide(levels, b"", b"stealth_pngcomp" + struct.pack(">I", length), True)
    Image.fromarray(hidden).save(tmp_path / "a.png")
    assert load_picture(tmp_path / "a.png").infotext == ""


@pytest.mark.parametrize("depth", [8, 16])
def test_what_others_wrote_goes_into_the_result_as_it_came(tmp_path: Path, depth: int) -> None:
    told = {"prompt": '{"3": {}}', "workflow": '{"nodes": []}', "invokeai_metadata": '{"seed": 5}', "Title": "fänger"}
    info = PngImagePlugin.PngInfo()
    for key, value in told.items():
        info.add_text(key, value)
    info.add_itxt("dream", "狐", "ja", "夢")
    info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6" a="1"/>')
    info.add_text("parameters", TEXT)
    Image.new("RGB", (32, 24)).save(tmp_path / "a.png", pnginfo=info, dpi=(300, 150), exif=rich_exif())
    loaded = load_picture(tmp_path / "a.png")
    assert loaded.infotext == TEXT
    save_png(tmp_path / "b.png", loaded.pixels, texts={"parameters": "own"}, depth=depth, side=loaded.side)
    result = Image.open(tmp_path / "b.png")
    result.load()
    assert {key: result.info[key] for key in told} == told
    assert (result.info["dream"], result.info["parameters"]) == ("狐", "own")
    assert result.info["XML:com.adobe.xmp"] == '<x tiff:Orientation="1" a="1"/>'
    assert [round(value) for value in result.info["dpi"]] == [300, 150]
    assert result.getexif()[0x013B] == "the artist"
    assert 0x9286 not in result.getexif().get_ifd(0x8769), "an infotext there would hide the result's own"
    assert b"tEXtTitle\0f\xe4nger" in (tmp_path / "b.png").read_bytes()


def test_the_packet_and_the_resolution_of_other_kinds_are_read(tmp_path: Path) -> None:
    packet = b'<x tiff:Orientation="3"/>'
    segment = b"http://ns.adobe.com/xap/1.0/\0" + packet
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24)).save(buffer, "JPEG", dpi=(240, 240))
    data = buffer.getvalue()
    put = data[:20] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[20:]
    (tmp_path / "a.jpg").write_bytes(put)
    Image.new("RGB", (32, 24)).save(tmp_path / "a.webp", xmp=packet)
    Image.new("RGB", (32, 24)).save(tmp_path / "a.tif", dpi=(240, 240), tiffinfo={700: packet, 0x013B: "the artist"})
    for name in ("a.jpg", "a.webp", "a.tif"):
        side = load_picture(tmp_path / name).side
        assert side.xmp == b'<x tiff:Orientation="1"/>', name
        assert side.dpi == (None if name == "a.webp" else (240.0, 240.0))
    made = Image.Exif()
    made.load(b"Exif\0\0" + load_picture(tmp_path / "a.tif").side.exif)
    assert dict(made) == {0x013B: "the artist"}


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(buffer, "PNG")
    data = buffer.getvalue()
    made = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return data[:33] + b"".join(made) + data[33:]


BESIDE = {
    "a large packed text": ((b"zTXt", b"workflow\0\0" + zlib.compress(b" " * 1_500_000)), ""),
    "a text that fills the memory": ((b"zTXt", b"workflow\0\0" + zlib.compress(b" " * 80_000_000)), "workflow"),
    "64 MB of text": ((b"tEXt", b"workflow\0" + b" " * 64_000_000), "workflow"),
    "a text that is no packed one": ((b"zTXt", b"workflow\0\0nonsense"), "workflow"),
    "a large profile": ((b"iCCP", b"p\0\0" + zlib.compress(bytes(2_000_000))), "colour profile"),
    "a profile that is no packed one": ((b"iCCP", b"p\0\0nonsense"), "colour profile"),
    "a chunk of another length": ((b"gAMA", b"1"), ""),
    "a resolution of another length": ((b"pHYs", b"1"), ""),
    "broken EXIF": ((b"eXIf", b"II*\0nonsense"), ""),
}


@pytest.mark.parametrize("what", BESIDE)
def test_nothing_beside_the_pixels_costs_the_picture(tmp_path: Path, what: str) -> None:
    part, note = BESIDE[what]
    (tmp_path / "a.png").write_bytes(png_of(part, (b"tEXt", b"parameters\0" + TEXT.encode())))
    loaded = load_picture(tmp_path / "a.png")
    assert np.array_equal(np.rint(loaded.pixels[0, 0] * 255), [1, 2, 3])
    assert loaded.infotext == TEXT
    assert (note in loaded.notes[0]) if note else loaded.notes == ()


def test_a_wrong_checksum_beside_the_pixels_costs_nothing(tmp_path: Path) -> None:
    data = png_of((b"tEXt", b"Title\0abc"))
    (tmp_path / "a.png").write_bytes(data.replace(b"Title\0abc", b"Title\0abd"))
    assert load_picture(tmp_path / "a.png").side.text("Title") == "abd"
