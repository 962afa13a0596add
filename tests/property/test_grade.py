"""Properties of the grade: tones keep their order, parsers end in a value or their own error, 8 bits stay near."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lib_finisher.assets import LUT, AssetError, Assets
from lib_finisher.imaging.colour import from_lab, to_lab
from lib_finisher.imaging.cube import LutError, parse_cube
from lib_finisher.imaging.curves import CurveError, read_curves, through
from lib_finisher.imaging.dither import dithered
from lib_finisher.imaging.lut import LutChain
from lib_finisher.imaging.tones import between_points, contrasted, exposed, opened

LIGHT = np.linspace(0, 100, 513, dtype=np.float32)[None]
SHARE = st.floats(-1, 1)
POINT = st.floats(-0.3, 0.3)
COORDINATE = st.integers(0, 255)


@settings(deadline=None)
@given(SHARE, POINT, POINT, SHARE, SHARE)
def test_tones_keep_their_order(contrast: float, black: float, white: float, shadows: float, highlights: float) -> None:
    light = between_points(LIGHT, black, white)
    assert np.diff(light).min() >= -1e-4 and light.min() >= -1e-3 and light.max() <= 100.001
    light = light + opened(light, shadows, highlights)
    assert np.diff(light).min() >= -1e-4
    light = contrasted(np.clip(light, 0, 100), contrast)
    assert np.diff(light).min() >= -1e-4 and light.min() >= -1e-3 and light.max() <= 100.001


@settings(deadline=None)
@given(st.floats(-3, 3, width=32))
def test_exposure_keeps_the_order_and_white(stops: float) -> None:
    light = exposed(LIGHT / np.float32(100), stops)
    assert np.diff(light).min() >= 0
    assert light[0, 0] == 0 and light.max() <= 1.0001
    assert stops < 0 or light[0, -1] == pytest.approx(1, abs=1e-4)


@settings(deadline=None)
@given(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=2, max_size=12, unique_by=lambda point: point[0]))
def test_a_curve_meets_its_points_and_stays_between_them(points: list[tuple[int, int]]) -> None:
    points = sorted(points)
    table = read_curves("; ".join(f"{x},{y}" for x, y in points)).tables["l"]
    steep = max(abs(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(points))
    for x, y in points:
        # The nearest entries of the table lie up to a 32nd of a level away.
        assert through(np.array([x / 255], np.float32), table)[0] * 255 == pytest.approx(y, abs=0.05 + 0.25 * steep)
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        between = through(np.linspace(x, to_x, 9, dtype=np.float32) / np.float32(255), table) * 255
        assert min(y, to_y) - 0.3 - steep / 4 <= between.min() and between.max() <= max(y, to_y) + 0.3 + steep / 4


@settings(deadline=None)
@given(st.text(alphabet="0123456789.,;:|rgbl-+eE nan\n", max_size=80))
def test_any_text_is_curves_or_told(text: str) -> None:
    with contextlib.suppress(CurveError):
        for table in read_curves(text).tables.values():
            assert np.isfinite(table).all()


LINES = st.one_of(
    st.sampled_from(
        ["LUT_3D_SIZE 2", "LUT_1D_SIZE 3", "TITLE x", "# a", "", "DOMAIN_MIN 0 0 0", "DOMAIN_MAX 2 2 2", "0 0 0",
         "1 1 1", "0.5 .5 5e-1", "nan 0 0", "1 2", "LUT_3D_INPUT_RANGE 0 1", "-1 0 1e30", "LUT_3D_SIZE x", "1_0 0 0",
         "0,5 1 1", "LUT_IN_VIDEO_RANGE", "LUT_OUT_VIDEO_RANGE"]
    ),
    st.text(max_size=12),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(LINES, max_size=14), st.sampled_from(["\n", "\r\n"]))
def test_any_file_is_a_table_or_told_by_name(lines: list[str], end: str) -> None:
    try:
        file = parse_cube(end.join(lines).encode("utf-8", "replace"), "x.cube")
    except LutError as error:
        assert str(error).startswith("x.cube")
        return
    assert all(len(cube.table) == (cube.size**3 if cube.solid else cube.size) for cube in file.tables)
    picture = np.random.default_rng(0).random((3, 3, 3), dtype=np.float32)
    assert np.isfinite(LutChain.of(file).apply(picture, 0.7)).all()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_told(data: bytes) -> None:
    with contextlib.suppress(LutError):
        parse_cube(data, "x.cube")


@settings(deadline=None)
@given(arrays.arrays(np.float32, (7, 9, 3), elements=st.floats(-0.5, 1.5, width=32)))
def test_dithering_is_never_off_by_a_level(picture: np.ndarray) -> None:
    assert np.abs(dithered(picture) - np.clip(picture, 0, 1) * np.float32(255)).max() < 1


@settings(deadline=None)
@given(arrays.arrays(np.uint8, (5, 6, 3)))
def test_lab_and_back_is_the_same_to_a_fraction_of_a_level(levels: np.ndarray) -> None:
    picture = levels.astype(np.float32) / np.float32(255)
    assert np.abs(from_lab(to_lab(picture)) - picture).max() * 255 < 0.12


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=30))
def test_no_name_finds_what_is_not_in_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("luts")
    (folder / "a.cube").touch()
    try:
        found = Assets(luts=(folder,)).find(LUT, name)
    except AssetError:
        return
    assert found == folder / "a.cube" and isinstance(found, Path)
