"""Lookup tables: what .cube files may hold, what is refused by line, and the values between entries."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lib_finisher.imaging.cube import LARGEST_3D, MOST_BYTES, Cube, CubeError, parse_cube, read_cube
from lib_finisher.imaging.lut import Lut


def table(side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((side**3, 3), dtype=np.float32)


def text_of(entries: np.ndarray, head: str) -> str:
    return head + "\n" + "\n".join(" ".join(f"{value:.7f}" for value in entry) for entry in entries) + "\n"


def solid(side: int) -> str:
    return text_of(table(side), f"LUT_3D_SIZE {side}")


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
    cube = parse_cube(solid(side).encode(), "a.cube")
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
    cube = parse_cube(b"LUT_3D_SIZE 2\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n0 0 1\n1 0 1\n0 1 1\n1 1 1\n", "a.cube")
    picture = np.random.default_rng(2).random((5, 7, 3), dtype=np.float32)
    assert np.abs(Lut.of(cube).apply(picture, 1.0) - picture).max() < 1e-6


def test_a_1d_table_works_on_every_channel_for_itself() -> None:
    entries = np.stack([np.linspace(0, 1, 9) ** 2, np.linspace(1, 0, 9), np.linspace(0, 0.5, 9)], axis=-1)
    cube = parse_cube(text_of(entries, "LUT_1D_SIZE 9").encode(), "a.cube")
    picture = np.random.default_rng(3).random((5, 7, 3), dtype=np.float32)
    at = np.linspace(0, 1, 9)
    expected = np.stack([np.interp(picture[..., c], at, entries[:, c]) for c in range(3)], axis=-1)
    assert np.abs(Lut.of(cube).apply(picture, 1.0) - expected).max() < 1e-6


def test_strength_mixes_and_nothing_depends_on_the_strips() -> None:
    lut = Lut.of(parse_cube(solid(5).encode(), "a.cube"))
    picture = np.random.default_rng(4).random((300, 260, 3), dtype=np.float32)
    whole, half = lut.apply(picture, 1.0), lut.apply(picture, 0.5)
    assert np.abs(half - (picture + whole) / 2).max() < 1e-6
    assert np.array_equal(whole[100:150], lut.apply(picture[100:150], 1.0))


def test_comments_blank_lines_crlf_and_a_mark_of_byte_order_are_read() -> None:
    lines = ["\ufeff# made by hand", 'TITLE "Warm # 1"', "", "LUT_3D_SIZE 2", "# red first", "DOMAIN_MIN 0 0 0"]
    lines += ["DOMAIN_MAX 1 1 1", "", *(" ".join(map(str, entry)) for entry in itertools.product((0, 1), repeat=3))]
    lines.insert(11, "   # between entries")
    cube = parse_cube("\r\n".join(lines).encode("utf-8"), "a.cube")
    assert (cube.title, cube.size, cube.solid, cube.table.shape) == ("Warm # 1", 2, True, (8, 3))


@pytest.mark.parametrize(
    ("head", "lowest", "highest"),
    [
        ("DOMAIN_MIN -0.5 0 0.25\nDOMAIN_MAX 1.5 1 0.75", (-0.5, 0.0, 0.25), (1.5, 1.0, 0.75)),
        ("LUT_3D_INPUT_RANGE -1 3", (-1.0,) * 3, (3.0,) * 3),
    ],
)
def test_inputs_are_taken_over_the_range_that_the_file_tells(head: str, lowest: tuple, highest: tuple) -> None:
    cube = parse_cube(f"{head}\n{solid(4)}".encode(), "a.cube")
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
        ("LUT_1D_SIZE 4\nLUT_3D_SIZE 2\n0 0 0", "line 2: a second size"),
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
        ("\n\nhello world\n" + solid(2), "line 3: 'hello world' is no keyword"),
        ("LUT_3D_SIZE 2\0\n", "not a text file"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(CubeError) as caught:
        parse_cube(text.encode(), "film.cube")
    assert str(caught.value).startswith("film.cube")
    assert told in str(caught.value)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.cube"
    with file.open("wb") as out:
        out.truncate(MOST_BYTES + 1)
    with pytest.raises(CubeError, match="MiB are too many"):
        read_cube(file)
    with pytest.raises(CubeError, match=r"gone\.cube: cannot be read"):
        read_cube(tmp_path / "gone.cube")


def test_the_largest_size_is_read_and_finite_values_stay_finite() -> None:
    entries = np.tile(np.array([["0.5 0.25 1"]]), (LARGEST_3D**3, 1)).ravel()
    cube = parse_cube(f"LUT_3D_SIZE {LARGEST_3D}\n".encode() + "\n".join(entries).encode(), "a.cube")
    assert cube.table.shape == (LARGEST_3D**3, 3)
    extreme = parse_cube(b"LUT_1D_SIZE 2\n-1e300 0 0\n1e300 1 1\n", "a.cube")
    assert np.isfinite(Lut.of(extreme).apply(np.full((2, 2, 3), 0.3, np.float32), 1.0)).all()
