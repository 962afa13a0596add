"""Colour profiles count by what is in them; the truth is the arithmetic of the standards, written down once more."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.icc import IccError, read_icc
from tests.conftest import PORTRAIT

WHITE = np.array([0.95047, 1.0, 1.08883])
D50 = np.array([0.96422, 1.0, 0.82521])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# x and y of red, green and blue (BT.709, P3, BT.2020, Adobe RGB); white is that of D65.
PRIMARIES = {
    "709": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "P3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    "2020": ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046)),
    "Adobe": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
}


def to_xyz(primaries: str) -> np.ndarray:
    """RGB to XYZ of D65 (SMPTE RP 177)."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in PRIMARIES[primaries]]).T
    return columns * np.linalg.solve(columns, WHITE)


def adapted(primaries: str) -> np.ndarray:
    scale = (BRADFORD @ D50) / (BRADFORD @ WHITE)
    return np.linalg.inv(BRADFORD) @ np.diag(scale) @ BRADFORD @ to_xyz(primaries)


def srgb_decode(v: np.ndarray) -> np.ndarray:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb_encode(v: np.ndarray) -> np.ndarray:
    v = np.clip(v, 0, 1)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def para(kind: int, *values: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + fixed(*values)


def table(function: object, count: int = 1024) -> bytes:
    levels = np.rint(function(np.linspace(0, 1, count)) * 65535).astype(int)  # type: ignore[operator]
    return b"curv\0\0\0\0" + struct.pack(f">I{count}H", count, *levels)


# The curve as a profile holds it, and what it makes of a value.
CURVES = {
    "linear": (b"curv\0\0\0\0" + bytes(4), lambda v: v),
    "gamma": (b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)), lambda v: v ** (round(2.2 * 256) / 256)),
    "table": (table(lambda v: v**1.8), lambda v: v**1.8),
    "sRGB table": (table(srgb_decode), srgb_decode),
    "formula 0": (para(0, 2.4), lambda v: v**2.4),
    "formula 1": (para(1, 2.0, 1.1, -0.1), lambda v: np.maximum(1.1 * v - 0.1, 0) ** 2),
    "formula 2": (para(2, 2.0, 1.0, -0.1, 0.05), lambda v: np.maximum(v - 0.1, 0) ** 2 + 0.05),
    "formula 3": (para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045), srgb_decode),
    "formula 4": (
        para(4, 2.0, 0.9, 0.1, 0.3, 0.2, 0.01, 0.02),
        lambda v: np.where(v >= 0.2, (0.9 * v + 0.1) ** 2 + 0.01, 0.3 * v + 0.02),
    ),
}  # fmt: skip


def icc(curve: str, primaries: str = "709", space: bytes = b"RGB ", name: str = "sRGB", cut: int = 0) -> bytes:
    data, matrix = CURVES[curve][0], adapted(primaries)
    described = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name.encode() + bytes(79)
    tags = [(b"desc", described), (b"wtpt", b"XYZ \0\0\0\0" + fixed(*D50))]
    if space == b"GRAY":
        tags.append((b"kTRC", data))
    else:
        for number, letter in enumerate((b"r", b"g", b"b")):
            tags += [(letter + b"XYZ", b"XYZ \0\0\0\0" + fixed(*matrix[:, number])), (letter + b"TRC", data)]
    places, body, at = b"", b"", 132 + 12 * len(tags)
    for key, value in tags:
        places += struct.pack(">4sII", key, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", 132 + len(places) + len(body), b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(24) + bytes(4) + fixed(*D50) + bytes(48)
    return (head + struct.pack(">I", len(tags)) + places + body)[: cut or None]


def truth(rgb: np.ndarray, curve: str, primaries: str) -> np.ndarray:
    """Through XYZ of D65, where no adaptation is needed."""
    linear = CURVES[curve][1](rgb)
    return srgb_encode(linear @ (np.linalg.inv(to_xyz("709")) @ to_xyz(primaries)).T)


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("primaries", PRIMARIES)
@pytest.mark.parametrize("curve", CURVES)
def test_a_profile_is_applied_by_its_content(tmp_path: Path, levels: np.ndarray, curve: str, primaries: str) -> None:
    is_srgb = curve in ("sRGB table", "formula 3") and primaries == "709"
    profile = icc(curve, primaries, name="Display P3" if is_srgb else "sRGB IEC61966-2.1")
    Image.fromarray(levels).save(tmp_path / "a.png", icc_profile=profile)
    loaded = load_picture(tmp_path / "a.png")
    expected = truth(levels / 255, curve, primaries)
    # The curve is steep in the darks, where a fixed number of 16 bits is coarse.
    assert np.abs(loaded.pixels - expected).max() < (1.5e-7 if is_srgb else 1.5 / 255)
    assert np.abs(loaded.pixels - expected).mean() < 0.1 / 255
    assert ("colour profile" in " ".join(loaded.notes)) is not is_srgb
    nothing = np.abs(levels / 255 - expected).max()
    assert is_srgb or nothing > 4 / 255, "doing nothing would be seen"


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_is_that_of_the_standard_everywhere(curve: str) -> None:
    read = read_icc(icc(curve)).curves
    assert read is not None
    places = np.linspace(0, 1, 257)
    assert np.abs(read[1](places) - CURVES[curve][1](places)).max() < 5e-5


def test_what_lies_outside_srgb_is_cut_off() -> None:
    corners = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]], np.float32)
    made = read_icc(icc("linear", "2020")).to_srgb(corners)
    assert made.min() == 0.0 and made.max() <= 1.0
    assert np.abs(made[0, 3] - 1).max() < 2e-3


# CIELAB of D50 of the corners of sRGB (B. Lindbloom's tables), the last channel the quickest.
LAB = {
    (0, 0, 0): (0.0, 0.0, 0.0), (0, 0, 1): (29.57, 68.30, -112.03), (0, 1, 0): (87.82, -79.27, 80.99),
    (0, 1, 1): (90.67, -50.67, -14.96), (1, 0, 0): (54.29, 80.81, 69.89), (1, 0, 1): (60.17, 93.55, -60.50),
    (1, 1, 0): (97.61, -15.75, 93.39), (1, 1, 1): (100.0, 0.0, 0.0),
}  # fmt: skip


def turning_profile() -> bytes:
    """A profile of tables (lut16Type, ICC.1:2010, 10.10) by which red is green, green is blue and blue is red."""
    table_of = b""
    for red, green, blue in LAB:
        light, a, b = LAB[blue, red, green]
        table_of += struct.pack(">3H", round(light * 652.8), round((a + 128) * 256), round((b + 128) * 256))
    straight = struct.pack(">2H", 0, 65535)
    lut = b"mft2" + bytes(4) + bytes((3, 3, 2, 0)) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + struct.pack(">2H", 2, 2)
    lut += straight * 3 + table_of + straight * 3
    whole = icc("linear")
    described = b"desc" + bytes(4) + struct.pack(">I", 5) + b"turn\0" + bytes(79)
    tags = [(b"desc", described), (b"wtpt", b"XYZ " + bytes(4) + fixed(*D50)), (b"A2B0", lut)]
    places, body, at = b"", b"", 132 + 12 * len(tags)
    for key, value in tags:
        places += struct.pack(">4sII", key, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I", at + len(body)) + whole[4:20] + b"Lab " + whole[24:128]
    return head + struct.pack(">I", len(tags)) + places + body


def test_profiles_of_tables_are_applied_in_eight_and_in_sixteen_bits(tmp_path: Path) -> None:
    corners = np.array([list(LAB)], np.uint8)
    expected = corners[..., [2, 0, 1]].astype(float)
    Image.fromarray(corners * 255).save(tmp_path / "a.png", icc_profile=turning_profile())
    eight = load_picture(tmp_path / "a.png")
    assert np.abs(eight.pixels - expected).max() < 3 / 255
    assert any("converted to sRGB" in note for note in eight.notes)
    ramp = np.zeros((1, 4096, 3), np.uint16)
    ramp[0, :, 0] = np.linspace(0, 65535, 4096)
    deep = np.concatenate([corners.astype(np.uint16) * 65535, ramp], axis=1)
    done, data = cv2.imencode(".png", deep[..., ::-1])
    assert done
    other = io.BytesIO()
    Image.new("RGB", (1, 1)).save(other, "PNG", icc_profile=turning_profile())
    start = other.getvalue().index(b"iCCP") - 4
    length = 12 + struct.unpack_from(">I", other.getvalue(), start)[0]
    plain = data.tobytes()
    (tmp_path / "b.png").write_bytes(plain[:33] + other.getvalue()[start : start + length] + plain[33:])
    sixteen = load_picture(tmp_path / "b.png")
    assert np.abs(sixteen.pixels[:, :8] - expected).max() < 3 / 255
    assert any("converted to sRGB" in note for note in sixteen.notes)
    # As in 8 bits, between its levels too: the same curve, in finer steps.
    Image.fromarray((ramp[:, ::16] // 257).astype(np.uint8)).save(tmp_path / "c.png", icc_profile=turning_profile())
    coarse = load_picture(tmp_path / "c.png").pixels
    assert np.abs(sixteen.pixels[:, 8::16] - coarse).mean() < 2 / 255
    assert len(np.unique(sixteen.pixels[0, 8:, 1])) > 3000


def test_a_grey_picture_may_have_a_profile_of_colours(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=icc("table"))
    assert np.abs(load_picture(tmp_path / "a.png").pixels[..., 0] - srgb_encode((grey / 255.0) ** 1.8)).max() < 1 / 255
    Image.fromarray(grey).save(tmp_path / "b.png", icc_profile=turning_profile())
    turned = load_picture(tmp_path / "b.png")
    assert any("converted to sRGB" in note for note in turned.notes)
    assert np.abs(turned.pixels[0, 0]).max() < 2 / 255 and np.abs(turned.pixels[15, 15] - 1).max() < 3 / 255


def test_sixteen_bits_are_converted_in_full_depth(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(1, -1, 1).repeat(3, 2).repeat(2, 0)
    ramp[1, :, 1:] //= 2
    done, data = cv2.imencode(".png", ramp[..., ::-1])
    assert done
    plain = data.tobytes()
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG", icc_profile=icc("linear", "P3"))
    other = buffer.getvalue()
    start = other.index(b"iCCP") - 4
    length = 12 + struct.unpack_from(">I", other, start)[0]
    (tmp_path / "a.png").write_bytes(plain[:33] + other[start : start + length] + plain[33:])
    loaded = load_picture(tmp_path / "a.png")
    assert np.abs(loaded.pixels - truth(ramp / 65535, "linear", "P3")).max() < 1e-3
    assert len(np.unique(loaded.pixels[0, :, 0])) > 4000


def test_grey_pictures_have_grey_profiles(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = srgb_encode((grey / 255.0) ** 1.8)
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=icc("table", space=b"GRAY"))
    loaded = load_picture(tmp_path / "a.png")
    assert np.abs(loaded.pixels - expected[..., None]).max() < 0.5 / 255
    Image.fromarray(grey).save(tmp_path / "b.png", icc_profile=icc("sRGB table", space=b"GRAY"))
    same = load_picture(tmp_path / "b.png")
    assert (np.abs(same.pixels[..., 0] - grey / 255).max() < 1e-6, same.notes) == (True, ())
    Image.fromarray(grey).convert("RGB").save(tmp_path / "c.png", icc_profile=icc("table", space=b"GRAY"))
    wrong = load_picture(tmp_path / "c.png")
    assert "it is one for GRAY pictures, not for RGB" in wrong.notes[0]
    assert np.abs(wrong.pixels[..., 0] - grey / 255).max() < 1e-6


def lab_profile() -> bytes:
    made = ImageCms.createProfile("LAB")
    assert made is not None
    return ImageCms.ImageCmsProfile(made).tobytes()


def test_what_is_no_profile_is_said_and_costs_nothing(tmp_path: Path, levels: np.ndarray) -> None:
    whole = icc("table", "P3")
    for data in (b"nonsense", whole[:100], whole[:150], whole[:500], whole.replace(b"curv", b"xxxx"), lab_profile()):
        Image.fromarray(levels).save(tmp_path / "a.png", icc_profile=data)
        loaded = load_picture(tmp_path / "a.png")
        assert np.abs(loaded.pixels - levels / 255).max() < 1e-6
        assert "the colour profile could not be used (" in loaded.notes[0]
    short = icc("table").replace(struct.pack(">I", 1024), struct.pack(">I", 60000))
    with pytest.raises(IccError, match="cut short"):
        read_icc(short)
    with pytest.raises(IccError, match="unknown kind 9"):
        read_icc(icc("formula 0").replace(para(0, 2.4), para(9, 2.4)))


def test_it_agrees_with_littlecms(levels: np.ndarray) -> None:
    """Which rounds to 8 bits."""
    photo = np.asarray(Image.open(PORTRAIT).convert("RGB").resize((96, 96)))
    for curve, primaries in (("gamma", "Adobe"), ("formula 3", "P3"), ("linear", "709")):
        profile = icc(curve, primaries)
        theirs = ImageCms.profileToProfile(
            Image.fromarray(photo), ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        )
        ours = read_icc(profile).to_srgb(photo.astype(np.float32) / np.float32(255))
        assert np.abs(ours * 255 - np.asarray(theirs)).max() < 1.6, curve
