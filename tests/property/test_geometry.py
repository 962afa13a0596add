"""Geometry, layouts and masks for any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_finisher.imaging.geometry import Box, Size, cut, frame, paste_region
from lib_finisher.imaging.masks import ellipse, feathered, rounded_box, smoothstep
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.layout import even_grid, split_axis
from lib_finisher.redraw.noise import NoiseField

sides = st.integers(1, 40)


@given(sides, sides, st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 80), st.integers(1, 80))
def test_a_cut_is_the_mirrored_picture(height: int, width: int, left: int, top: int, w: int, h: int) -> None:
    picture = np.arange(height * width, dtype=np.float32).reshape(height, width)
    box = Box(left, top, left + w, top + h)
    crop = cut(picture, box)
    assert crop.shape == (h, w)
    margin = 160
    rows = [(margin, margin), (margin, margin)]
    wide = np.pad(picture, rows, mode="reflect")
    assert np.array_equal(crop, wide[top + margin : top + margin + h, left + margin : left + margin + w])


@given(sides, sides, st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 80), st.integers(1, 80))
def test_cut_and_paste_return_the_picture(height: int, width: int, left: int, top: int, w: int, h: int) -> None:
    picture = np.random.default_rng(1).random((height, width, 3), dtype=np.float32)
    box = Box(left, top, left + w, top + h)
    region = paste_region(Size(width, height), box)
    overlaps = box.intersection(frame(Size(width, height))) is not None
    assert (region is not None) == overlaps
    if region is not None:
        copy = np.zeros_like(picture)
        copy[region[0]] = cut(picture, box)[region[1]]
        assert np.array_equal(copy[region[0]], picture[region[0]])


@settings(max_examples=300)
@given(st.integers(1, 16384), st.integers(64, 2048), st.integers(0, 700), st.sampled_from([8, 16, 64]))
def test_tiles_of_an_axis(length: int, target: int, overlap: int, multiple: int) -> None:
    axis = split_axis(length, target, overlap, multiple)
    padded = -(-length // multiple) * multiple
    assert axis.starts[0] == 0
    assert axis.starts[-1] + axis.tile == padded, "the tiles end where the padded picture ends"
    assert all(start % multiple == 0 for start in axis.starts)
    assert axis.tile % multiple == 0
    gaps = np.diff(axis.starts)
    assert (gaps > 0).all()
    assert (gaps <= axis.tile).all(), "no gap between tiles"
    total = np.zeros(padded)
    for start, weight in zip(axis.starts, axis.weights()):
        assert weight.shape == (axis.tile,)
        assert (weight >= 0).all()
        total[start : start + axis.tile] += weight
    assert np.abs(total - 1.0).max() < 1e-12


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 1500), st.integers(1, 1500), st.integers(64, 640), st.integers(0, 200))
def test_a_grid_covers_exactly_once(width: int, height: int, target: int, overlap: int) -> None:
    grid = even_grid(Size(width, height), Size(target, target), overlap, 8)
    total = np.zeros((height, width))
    for box, tent in grid.tiles():
        assert box.size == grid.tile
        region = paste_region(Size(width, height), box)
        if region is not None:
            total[region[0]] += tent()[region[1]]
    assert np.abs(total - 1.0).max() < 1e-5


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(1, 90), st.integers(1, 90), st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_overlapping_crops_see_one_noise(top: int, left: int, height: int, width: int, index: int) -> None:
    field = NoiseField(7, "test")
    whole = field.crop(index, 3, top - 20, left - 20, height + 40, width + 40)
    part = field.crop(index, 3, top, left, height, width)
    assert np.array_equal(whole[:, 20 : 20 + height, 20 : 20 + width], part)


def test_noise_is_normal_white_and_differs_by_seed_salt_and_draw() -> None:
    fields = [NoiseField(1, "a"), NoiseField(2, "a"), NoiseField(1, "b")]
    maps = [field.crop(index, 3, -100, 37, 256, 256) for field in fields for index in (0, 1)]
    for one in maps:
        assert abs(one.mean()) < 0.01
        assert abs(one.std() - 1) < 0.01
        assert abs(np.mean(one[:, 1:] * one[:, :-1])) < 0.01
    for number, one in enumerate(maps):
        assert all(abs(np.mean(one * other)) < 0.01 for other in maps[:number])


@given(st.integers(1, 60), st.integers(1, 60), st.integers(-10, 10), st.floats(0, 12))
@settings(max_examples=60, deadline=None)
def test_masks_stay_masks(height: int, width: int, grow: int, feather: float) -> None:
    blob = np.zeros((height, width), dtype=np.float32)
    blob[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = 1
    for mask in (
        feathered(blob, grow, feather),
        rounded_box(height, width, (3, 2, 4, 1), feather),
        ellipse(height, width, (width / 2, height / 2), (width / 3, height / 4), feather),
    ):
        assert mask.shape == (height, width)
        assert mask.dtype == np.float32
        assert mask.min() >= 0
        assert mask.max() <= 1


@given(st.floats(0, 1))
def test_smoothstep_and_its_mirror_sum_to_one(value: float) -> None:
    assert smoothstep(np.array(value)) + smoothstep(np.array(1 - value)) == pytest.approx(1.0)


def test_resizing_to_the_same_size_changes_nothing() -> None:
    picture = np.random.default_rng(2).random((13, 7, 3), dtype=np.float32)
    assert np.array_equal(resize(picture, Size(7, 13)), picture)
    assert resize(picture[..., 0], Size(20, 5)).shape == (5, 20)


@pytest.mark.parametrize("width, height", [(0, 5), (5, 0), (-1, 3)])
def test_an_empty_size_is_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="at least 1 × 1"):
        Size(width, height)


def test_an_empty_box_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        Box(3, 0, 3, 5)


@given(
    st.integers(-300, 900), st.integers(-300, 900), st.integers(1, 700), st.integers(1, 700), sides, st.integers(1, 800)
)
def test_a_shifted_box_keeps_its_size(left: int, top: int, w: int, h: int, width: int, height: int) -> None:
    picture = Size(width, height)
    moved = Box(left, top, left + w, top + h).shifted_inside(picture)
    assert moved.size == Size(w, h)
    if w <= width:
        assert moved.left >= 0
        assert moved.right <= width
    if h <= height:
        assert moved.top >= 0
        assert moved.bottom <= height
