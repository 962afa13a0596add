"""Tile layouts for any picture from 64 to 16384 pixels a side, any overlap, any rows × columns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_finisher.hosts.embedded.engine import CAPABILITIES
from lib_finisher.imaging.geometry import Size, paste_region
from lib_finisher.redraw.layout import Axis, Grid, counted_axis, even_grid
from lib_finisher.stages.frame import Look, tile_overlap, tiles

lengths = st.integers(64, 16384)
overlaps = st.integers(0, 700)
multiples = st.sampled_from([8, 16, 64])


def check_axis(axis: Axis, length: int, multiple: int, smallest: int) -> None:
    """Full cover, one size, allowed sides, at most two tiles anywhere, weights that sum to 1."""
    end = axis.starts[-1] + axis.tile
    assert axis.length == length
    assert axis.starts[0] == 0
    assert end == max(-(-length // multiple) * multiple, -(-smallest // multiple) * multiple)
    assert axis.tile % multiple == 0 and axis.tile >= smallest
    assert all(start % multiple == 0 for start in axis.starts)
    count, total = np.zeros(end, dtype=int), np.zeros(end)
    weights = axis.weights()
    for start, weight in zip(axis.starts, weights):
        assert weight.shape == (axis.tile,)
        assert (weight >= 0).all()
        count[start : start + axis.tile] += 1
        total[start : start + axis.tile] += weight
    assert count.min() == 1
    assert count.max() <= 2
    assert np.abs(total - 1.0).max() < 1e-12


@settings(max_examples=200, deadline=None)
@given(lengths, st.integers(1, 64), overlaps, multiples, st.sampled_from([8, 64]))
def test_any_number_of_tiles_along_an_axis(length: int, count: int, overlap: int, multiple: int, smallest: int) -> None:
    axis = counted_axis(length, count, overlap, multiple, smallest)
    check_axis(axis, length, multiple, smallest)
    assert len(axis.starts) <= count
    # Where tiles were left out, so many would not have fitted in pairs.
    if len(axis.starts) < count:
        assert length < (count + 1) * max(smallest, 2 * multiple)


@settings(max_examples=200, deadline=None)
@given(lengths, st.integers(2, 32), st.integers(0, 512))
def test_neighbours_share_what_was_asked_for(length: int, count: int, overlap: int) -> None:
    axis = counted_axis(length, count, overlap, 8)
    shared = [one + axis.tile - following for one, following in zip(axis.starts, axis.starts[1:])]
    if len(axis.starts) == count and overlap <= length // (count + 1) - 24:
        assert min(shared) >= overlap
    assert max(shared, default=0) - min(shared, default=0) <= 8


@settings(max_examples=150, deadline=None)
@given(lengths, lengths, st.sampled_from([512, 768, 1024]), st.floats(0, 1), multiples)
def test_a_layout_covers_any_picture(width: int, height: int, target: int, strength: float, multiple: int) -> None:
    grid = even_grid(Size(width, height), Size(target, target), tile_overlap(target, strength), multiple, 64)
    check_axis(grid.columns, width, multiple, 64)
    check_axis(grid.rows, height, multiple, 64)
    assert len(grid.tiles()) == len(grid)
    assert {box.size for box, _ in grid.tiles()} == {grid.tile}


@settings(max_examples=150, deadline=None)
@given(lengths, lengths, st.sampled_from([512, 1024]), st.floats(0, 0.6))
def test_tiles_are_about_as_large_as_the_target(width: int, height: int, target: int, strength: float) -> None:
    grid = even_grid(Size(width, height), Size(target, target), tile_overlap(target, strength), 8, 64)
    side = math.sqrt(grid.tile.area)
    # A picture that is a little larger than a tile stays in one piece; one that is smaller has no larger tiles.
    assert side <= 1.4 * target
    if min(width, height) >= 0.75 * target and max(width, height) >= 1.5 * target:
        assert 0.75 * target <= side <= 1.25 * target
        assert 1 / 1.8 < grid.tile.width / grid.tile.height < 1.8


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (2, 2), (3, 0), (0, 5), (7, 4)])
def test_tiles_by_hand(columns: int, rows: int) -> None:
    grid = even_grid(Size(3000, 2000), Size(512, 512), 64, 8, 64, columns, rows)
    assert len(grid.columns.starts) == columns or not columns
    assert len(grid.rows.starts) == rows or not rows


@settings(max_examples=25, deadline=None)
@given(
    st.integers(64, 900), st.integers(64, 900), st.integers(0, 300), st.integers(0, 9), st.integers(0, 9),
    st.sampled_from([64, 128, 256, 512]),
)  # fmt: skip
def test_weights_sum_to_one_everywhere(
    width: int, height: int, overlap: int, columns: int, rows: int, target: int
) -> None:
    picture = Size(width, height)
    total = np.zeros((height, width))
    patches = tiles(picture, target, overlap, Look(0.3), CAPABILITIES, columns=columns, rows=rows)
    for patch in patches:
        assert patch.canvas == patch.box.size == patches[0].canvas, "one size, and nothing is resampled"
        region = paste_region(picture, patch.box)
        assert region is not None, "no tile lies outside"
        total[region[0]] += patch.weight()[region[1]]
    assert np.abs(total - 1.0).max() < 1e-5


def test_no_layout_within_the_band_is_cheaper() -> None:
    """Against every pair of counts, for sizes with no pattern."""
    generator = np.random.default_rng(5)
    for _ in range(40):
        picture = Size(*(int(side) for side in generator.integers(900, 9000, 2)))
        target, overlap = 1024, 96
        chosen = even_grid(picture, Size(target, target), overlap, 8, 64)
        every = [
            Grid(
                counted_axis(picture.width, columns, overlap, 8, 64), counted_axis(picture.height, rows, overlap, 8, 64)
            )
            for columns in range(1, 16)
            for rows in range(1, 16)
        ]
        within = [
            grid.sampled
            for grid in every
            if 1 / 1.125 <= math.sqrt(grid.tile.area) / target <= 1.125
            and 1 / 1.5 <= grid.tile.width / grid.tile.height <= 1.5
        ]
        if within:
            assert chosen.sampled <= 1.02 * min(within)
            assert 1 / 1.125 - 1e-6 <= math.sqrt(chosen.tile.area) / target <= 1.125 + 1e-6
