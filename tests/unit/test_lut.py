"""Lookup tables: what .cube files may hold, what is refused by line, and the values between entries."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from lib_finisher.imaging.cube import LARGEST_3D, MOST_BYTES, Cube, LutError, parse_cube, read_cube
from lib_finisher.imaging.hald import read_lut
from lib_finisher.imaging.lut import Lut, LutChain


def table(side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((side**3, 3), dtype=np.float32)


def text_of(entries: np.ndarray, head: str) -> str:
    return head + "\n" + "\n".join(" ".join(f"{value:.7f}" for value in entry) for entry in entries) + "\n"


def solid(side: int) -> str:
    return text_of(table(side), f"LUT_3D_SIZE {side}")


def only(data: bytes, name: str) -> Cube:
    (cube,) = parse_cube(data, name).tables
    return cube


def tetrahedral(cube: Cube, value: np.ndarray) -> np.ndarray:
    """One pixel at a time: walk from the lower corner of the cell to the upper one, the longest way first."""
    low, high = np.array(cube.lowest), np.array(cube.highest)
    place = np.clip((value - low) / (high - low), 0, 1) * (cube.size - 1)
    corner = np.minimum(place.astype(int), cube.size - 2)
    share = place - corner
    entry = lambda at: cube.table[at[0] + cube.size * (at[1] + cube.size * at[2])].astype(np.float64)
    result = entry(corner)
    for channel in np.argsort(-share, kind="stable"):
        before = entry(corner)
        corner = corner + np.eye(3, dtype=int)[channel]
        result = result + share[channel] * (entry(corner) - before)
    return result


@pytest.mark.parametrize("side", [2, 17, 33, 65])
def test_values_between_entries_are_those_of_a_slow_reference(side: int) -> None:
    cube = only(solid(side).encode(), "a.cube")
    picture = np.random.default_rng(side).random((9, 13, 3), dtype=np.float32)
    picture[0, 0], picture[0, 1], picture[0, 2], picture[0, 3] = 0, 1, (0.5, 0.5, 0.5), (1, 0, 0.5)
    expected = np.array([[tetrahedral(cube, pixel) for pixel in row] for row in picture.astype(np.float64)])
    assert np.abs(Lut.of(cube).apply(picture, 1.0) - expected).max() < 2e-5


def test_it_agrees_with_pillow_where_both_are_exact() -> None:
    """On a linear table every interpolation is the same; Pillow rounds to 8 bits."""
    axis = np.linspace(0, 1, 17)
    b, g, r = np.meshgrid(axis, axis, axis, indexing="ij")
    linear = np.stack([0.8 * r + 0.1 * g, 0.1 + 0.7 * g, 0.2 * r + 0.7 * b], axis=-1).reshape(-1, 3)
    picture = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    ours = Lut.of(Cube(linear.astype(np.float32), 17, True)).apply(picture.astype(np.float32) / np.float32(255), 1.0)
    theirs = Image.fromarray(picture).filter(ImageFilter.Color3DLUT(17, linear.ravel().tolist()))
    assert np.abs(ours * 255 - np.asarray(theirs)).max() < 0.51


def test_red_varies_fastest() -> None:
    cube = only(b"LUT_3D_SIZE 2\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n0 0 1\n1 0 1\n0 1 1\n1 1 1\n", "a.cube")
    picture = np.random.default_rng(2).random((5, 7, 3), dtype=np.float32)
    assert np.abs(Lut.of(cube).apply(picture, 1.0) - picture).max() < 1e-6


def test_a_1d_table_works_on_every_channel_for_itself() -> None:
    entries = np.stack([np.linspace(0, 1, 9) ** 2, np.linspace(1, 0, 9), np.linspace(0, 0.5, 9)], axis=-1)
    cube = only(text_of(entries, "LUT_1D_SIZE 9").encode(), "a.cube")
    picture = np.random.default_rng(3).random((5, 7, 3), dtype=np.float32)
    at = np.linspace(0, 1, 9)
    expected = np.stack([np.interp(picture[..., c], at, entries[:, c]) for c in range(3)], axis=-1)
    # It is looked up at steps of 16 bits: within a hundredth of a level of 8, as docs/speed.md says.
    assert np.abs(Lut.of(cube).apply(picture, 1.0) - expected).max() * 255 < 0.01


def test_strength_mixes_and_nothing_depends_on_the_strips() -> None:
    lut = Lut.of(only(solid(5).encode(), "a.cube"))
    picture = np.random.default_rng(4).random((300, 260, 3), dtype=np.float32)
    whole, half = lut.apply(picture, 1.0), lut.apply(picture, 0.5)
    assert np.abs(half - (picture + whole) / 2).max() < 1e-6
    assert np.array_equal(whole[100:150], lut.apply(picture[100:150], 1.0))


def test_comments_blank_lines_crlf_and_a_mark_of_byte_order_are_read() -> None:
    lines = ["\ufeff# made by hand", 'TITLE "Warm # 1"', "", "LUT_3D_SIZE 2", "# red first", "DOMAIN_MIN 0 0 0"]
    lines += ["DOMAIN_MAX 1 1 1", "", *(" ".join(map(str, entry)) for entry in itertools.product((0, 1), repeat=3))]
    lines.insert(11, "   # between entries")
    cube = only("\r\n".join(lines).encode("utf-8"), "a.cube")
    assert (cube.size, cube.solid, cube.table.shape) == (2, True, (8, 3))
    assert parse_cube("\r\n".join(lines).encode("utf-8"), "a.cube").title == "Warm # 1"


@pytest.mark.parametrize(
    ("head", "lowest", "highest"),
    [
        ("DOMAIN_MIN -0.5 0 0.25\nDOMAIN_MAX 1.5 1 0.75", (-0.5, 0.0, 0.25), (1.5, 1.0, 0.75)),
        ("LUT_3D_INPUT_RANGE -1 3", (-1.0,) * 3, (3.0,) * 3),
    ],
)
def test_inputs_are_taken_over_the_range_that_the_file_tells(head: str, lowest: tuple, highest: tuple) -> None:
    cube = only(f"{head}\n{solid(4)}".encode(), "a.cube")
    assert (cube.lowest, cube.highest) == (lowest, highest)
    picture = np.random.default_rng(5).random((4, 5, 3), dtype=np.float32) * 3 - 1
    expected = np.array([[tetrahedral(cube, pixel) for pixel in row] for row in picture.astype(np.float64)])
    assert np.abs(Lut.of(cube).apply(picture, 1.0) - expected).max() < 2e-5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "neither LUT_1D_SIZE nor LUT_3D_SIZE"),
        ("0 0 0\n", "neither LUT_1D_SIZE nor LUT_3D_SIZE"),
        (solid(3).rsplit("\n", 2)[0] + "\n", "27 entries expected, 26 found"),
        (solid(2) + "0 0 0\n", "line 10: one entry too many; the size asks for 8"),
        (solid(2).replace("\n", "\nnan 0 0\n", 1), "line 2: 'nan 0 0' is no entry"),
        (solid(2) + "0 nan 0", "line 10"),
        (solid(2).replace("\n", "\n1e999 0 0\n", 1), "line 2: an entry must be finite"),
        (solid(2).replace("\n", "\n0 inf 0\n", 1), "line 2: an entry must be finite"),
        (solid(2).replace("\n", "\n0 0\n", 1), "line 2: '0 0' is no entry; an entry is three numbers"),
        (solid(2).replace("\n", "\n0 0 1_0\n", 1), "line 2: '0 0 1_0' is no entry"),
        (solid(2) + "LUT_3D_SIZE 2\n", "line 10"),
        ("LUT_1D_SIZE 4\nLUT_3D_SIZE 2\n0 0 0", "12 entries expected, 1 found"),
        ("LUT_3D_SIZE 4\nLUT_3D_SIZE 2\n0 0 0", "line 2: a second LUT_3D_SIZE"),
        ("LUT_3D_SIZE 1\n0 0 0", "line 1: LUT_3D_SIZE 1 is not accepted; 2 to 129 are"),
        (f"LUT_3D_SIZE {LARGEST_3D + 1}\n0 0 0", "line 1: LUT_3D_SIZE 130 is not accepted"),
        ("LUT_1D_SIZE 65537\n0 0 0", "line 1: LUT_1D_SIZE 65537 is not accepted"),
        ("LUT_3D_SIZE 3.5\n0 0 0", "line 1: LUT_3D_SIZE must be one whole number"),
        ("LUT_3D_SIZE " + "9" * 5000, "line 1: LUT_3D_SIZE must be one whole number"),
        ("LUT_3D_SIZE ³", "line 1: LUT_3D_SIZE must be one whole number"),
        ("LUT_3D_SIZE", "line 1: LUT_3D_SIZE must be one whole number"),
        ("DOMAIN_MIN 0 0\n" + solid(2), "line 1: DOMAIN_MIN must be 3 numbers"),
        ("DOMAIN_MAX 1 nan 1\n" + solid(2), "line 1: DOMAIN_MAX must be 3 numbers"),
        ("DOMAIN_MIN 1 0 0\n" + solid(2), "line 1: the inputs' range is empty or the wrong way round"),
        ("\n\nhello world\n", "neither LUT_1D_SIZE nor LUT_3D_SIZE"),
        ("0 0 0\n" * 4096, "neither LUT_1D_SIZE nor LUT_3D_SIZE"),
        (solid(2) + "LUT_IN_VIDEO_RANGE\n", "line 10"),
        ("LUT_3D_SIZE 2\0\n", "not a text file"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(LutError) as caught:
        parse_cube(text.encode(), "film.cube")
    assert str(caught.value).startswith("film.cube")
    assert told in str(caught.value)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.cube"
    with file.open("wb") as out:
        out.truncate(MOST_BYTES + 1)
    with pytest.raises(LutError, match="65 MiB, more than the 64 MiB"):
        read_cube(file)
    with pytest.raises(LutError, match=r"gone\.cube: cannot be read"):
        read_cube(tmp_path / "gone.cube")


def test_the_largest_size_is_read_and_finite_values_stay_finite() -> None:
    entries = np.tile(np.array([["0.5 0.25 1"]]), (LARGEST_3D**3, 1)).ravel()
    cube = only(f"LUT_3D_SIZE {LARGEST_3D}\n".encode() + "\n".join(entries).encode(), "a.cube")
    assert cube.table.shape == (LARGEST_3D**3, 3)
    extreme = only(b"LUT_1D_SIZE 2\n-1e300 0 0\n1e300 1 1\n", "a.cube")
    assert np.isfinite(Lut.of(extreme).apply(np.full((2, 2, 3), 0.3, np.float32), 1.0)).all()


def through(data: bytes | str, picture: np.ndarray) -> np.ndarray:
    return LutChain.of(parse_cube(data if isinstance(data, bytes) else data.encode(), "a.cube")).apply(picture, 1.0)


@pytest.fixture()
def picture() -> np.ndarray:
    return np.random.default_rng(6).random((12, 9, 3), dtype=np.float32)


def swapped(form: str = "{:.6f} {:.6f} {:.6f}") -> str:
    """A table of 5 a side that swaps red and blue, which every interpolation does exactly."""
    axis = np.linspace(0, 1, 5)
    return "\n".join(form.format(b, g, r) for b in axis for g in axis for r in axis) + "\n"


BODY = swapped()
LOOSE = {
    "a comment behind the size": "LUT_3D_SIZE 5   # points\n" + BODY,
    "comments behind values": "LUT_3D_SIZE 5\n" + BODY.replace("\n", " # a\n").replace("# a", "// b", 9),
    "a title without quotes": "TITLE My 709 look\nLUT_3D_SIZE 5\n" + BODY,
    "a title without quotes and with a hash": "TITLE look #3\nLUT_3D_SIZE 5\n" + BODY,
    "a title without a blank": 'TITLE"look"\nLUT_3D_SIZE 5\n' + BODY,
    "a title over two lines": 'TITLE "35mm\n0 0 0 look"\nLUT_3D_SIZE 5\n' + BODY,
    "a title over two lines without quotes": "TITLE My\nlook of film\nLUT_3D_SIZE 5\n" + BODY,
    "a title that is never closed": 'TITLE "look\nLUT_3D_SIZE 5\n' + BODY,
    "the size twice": "LUT_3D_SIZE 5\nLUT_3D_SIZE 5\n" + BODY,
    "an equals sign and small letters": "lut_3d_size = 5\n" + BODY,
    "no size": BODY,
    "tabs": "LUT_3D_SIZE\t5\n" + BODY.replace(" ", "\t"),
    "carriage returns only": ("LUT_3D_SIZE 5\n" + BODY).replace("\n", "\r"),
    "the end mark of DOS": "LUT_3D_SIZE 5\n" + BODY + "\x1a",
    "zeros behind": "LUT_3D_SIZE 5\n" + BODY + "\0" * 300,
    "decimal commas": "LUT_3D_SIZE 5\nDOMAIN_MAX 1,0 1,0 1,0\n" + BODY.replace(".", ","),
    "commas between": "LUT_3D_SIZE 5\n" + swapped("{:.6f}, {:.6f},{:.6f}"),
    "commas between whole numbers": "LUT_3D_SIZE 2\n0,0,0\n0,0,1\n0,1,0\n0,1,1\n1, 0, 0\n1,0,1\n1,1,0\n1;1;1\n",
    "UTF-16 with a mark": ("LUT_3D_SIZE 5\n" + BODY).encode("utf-16"),
    "UTF-16, high byte first": b"\xfe\xff" + ("LUT_3D_SIZE 5\n" + BODY).encode("utf-16-be"),
    "UTF-16 without a mark": ("LUT_3D_SIZE 5\n" + BODY).encode("utf-16-le"),
    "a keyword of a later version": "LUT_3D_SIZE 5\nLUT_3D_LOOK_OF_TOMORROW 1\n" + BODY,
}


@pytest.mark.parametrize("way", LOOSE)
def test_what_editors_read_is_read(way: str, picture: np.ndarray) -> None:
    assert np.abs(through(LOOSE[way], picture) - picture[..., ::-1]).max() < 2e-6
    assert np.abs(picture - picture[..., ::-1]).max() > 0.5, "doing nothing would be seen"


def test_what_was_guessed_or_passed_over_is_told() -> None:
    assert parse_cube(BODY.encode(), "a.cube").notes == (
        "a.cube: it tells no size; its 125 entries were taken for a 3D table of 5 a side",
    )
    (note,) = parse_cube(LOOSE["a keyword of a later version"].encode(), "a.cube").notes  # type: ignore[union-attr]
    assert note == "a.cube: unknown and passed over: line 2, 'LUT_3D_LOOK_OF_TOMORROW 1'"
    (note,) = parse_cube(("a b\n" * 9 + "LUT_3D_SIZE 5\n" + BODY).encode(), "a.cube").notes
    assert note.endswith("line 3, 'a b' and 6 more")
    assert parse_cube(LOOSE["a title over two lines"].encode(), "a.cube").title == "35mm 0 0 0 look"  # type: ignore[union-attr]
    single = parse_cube(("\n".join(f"{v} {v} {v}" for v in np.linspace(0, 1, 1024))).encode(), "a.cube")
    assert (single.tables[0].solid, single.tables[0].size) == (False, 1024)


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_video_range_is_64_to_940_of_1023(picture: np.ndarray, strength: float) -> None:
    squared = "\n".join(f"{v * v} {v * v} {v * v}" for v in np.linspace(0, 1, 4001))
    video = picture * 876 / 1023 + 64 / 1023
    for lines, expected in (
        ("", picture**2),
        ("LUT_IN_VIDEO_RANGE\n", video**2),
        ("LUT_OUT_VIDEO_RANGE\n", (picture**2 - 64 / 1023) * 1023 / 876),
        ("LUT_IN_VIDEO_RANGE\nLUT_OUT_VIDEO_RANGE\n", (video**2 - 64 / 1023) * 1023 / 876),
    ):
        file = parse_cube(f"LUT_1D_SIZE 4001\n{lines}{squared}".encode(), "a.cube")
        result = LutChain.of(file).apply(picture, strength)
        assert np.abs(result - (picture + strength * (expected - picture))).max() < 2e-5, lines


def test_a_shaper_comes_before_the_table_that_it_shapes_for(picture: np.ndarray) -> None:
    """As OpenColorIO reads Resolve's: 0..4 through a root to 0..2, then a table over 0..2 that halves and swaps."""
    roots = "\n".join(f"{v} {v} {v}" for v in np.sqrt(np.linspace(0, 4, 65536)))
    axis = np.linspace(0, 1, 3)
    swap = "\n".join(f"{b} {g} {r}" for b in axis for g in axis for r in axis)
    for head in ("LUT_1D_SIZE 65536\nLUT_3D_SIZE 3\n", "LUT_3D_SIZE 3\nLUT_1D_SIZE 65536\n"):
        text = f"{head}LUT_1D_INPUT_RANGE 0.0 4.0\nLUT_3D_INPUT_RANGE 0 2\n{roots}\n{swap}\n"
        light = picture * 4
        assert np.abs(through(text, light) - (np.sqrt(light) / 2)[..., ::-1]).max() < 2e-3
    (shaper, table_) = parse_cube(text.encode(), "a.cube").tables
    assert (shaper.solid, shaper.highest, table_.solid, table_.highest) == (False, (4.0,) * 3, True, (2.0,) * 3)


def hald(level: int, depth: int) -> np.ndarray:
    """As its author describes it: the colours in order, red first; here red and blue are swapped."""
    side, most = level**2, 2**depth - 1
    pixels = np.empty((level**3, level**3, 3), np.uint16)
    number = 0
    for b in range(side):
        for g in range(side):
            for r in range(side):
                pixels[number // level**3, number % level**3] = [round(v * most / (side - 1)) for v in (b, g, r)]
                number += 1
    return pixels if depth == 16 else pixels.astype(np.uint8)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("level", [2, 4])
def test_a_picture_of_a_table_is_read(tmp_path: Path, picture: np.ndarray, level: int, depth: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), hald(level, depth)[..., ::-1])
    result = LutChain.of(read_lut(tmp_path / "a.png")).apply(picture, 1.0)
    assert np.abs(result - picture[..., ::-1]).max() < (1e-4 if depth == 16 else 0.51 / 255)


def test_a_strip_of_squares_is_read(tmp_path: Path, picture: np.ndarray) -> None:
    strip = np.empty((16, 256, 3), np.uint8)
    for x in range(256):
        for y in range(16):
            strip[y, x] = (x // 16 * 17, y * 17, x % 16 * 17)
    Image.fromarray(strip).save(tmp_path / "a.png")
    assert np.abs(LutChain.of(read_lut(tmp_path / "a.png")).apply(picture, 1.0) - picture[..., ::-1]).max() < 1e-5


def test_a_picture_that_is_no_table_is_told(tmp_path: Path) -> None:
    for size in ((64, 63), (65, 65), (4096, 4096), (100, 100)):
        Image.new("RGB", size).save(tmp_path / "a.png")
        with pytest.raises(
            LutError, match=rf"a\.png: {size[0]} × {size[1]} pixels are no HaldCLUT; it is square, .* 512"
        ):
            read_lut(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(LutError, match=r"^b\.png: not a picture"):
        read_lut(tmp_path / "b.png")


@pytest.mark.parametrize(("low", "high", "off"), [(0.0, 1.0, 3e-4), (-0.5, 1.5, 3e-4), (0.0, 60.0, 1e-5)])
def test_a_1d_table_is_read_between_its_entries(low: float, high: float, off: float) -> None:
    """Against numpy's own interpolation in double precision, beyond both ends and on every entry."""
    at = np.linspace(low, high, 33)
    table = np.stack([np.sqrt(np.linspace(0, 1, 33)), np.linspace(1, 0, 33), np.sin(np.arange(33))], -1)
    cube = Cube(table.astype(np.float32), 33, False, (low,) * 3, (high,) * 3)
    values = np.concatenate([at, np.linspace(low - 1, high + 1, 5001), np.linspace(0, 0.05, 501)]).astype(np.float32)
    picture = np.ascontiguousarray(np.repeat(values[None, :, None], 3, axis=-1))
    made = Lut.of(cube).apply(picture, 1.0)
    for channel in range(3):
        assert np.abs(made[0, :, channel] - np.interp(values, at, table[:, channel])).max() < off
