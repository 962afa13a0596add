"""Fine detail where tiles are mixed: as much as the tiles had, and nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size, look, paste_region
from lib_finisher.redraw.detail import FineDetail
from lib_finisher.redraw.layout import Grid, even_grid, mixed_strips

SIDE = 512


def grid_over(width: int, height: int, overlap: int = 64) -> Grid:
    return even_grid(Size(width, height), Size(256, 256), overlap, 8)


def drawn(number: int, finest: float, height: int, width: int) -> Pixels:
    """A drawing of its own: noise with details of `finest` pixels, of the same strength everywhere."""
    noise = np.random.default_rng(number).standard_normal((height, width)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), finest) if finest > 0 else noise
    grey = 0.5 + 0.05 * noise / noise.std()
    return np.repeat(grey[..., None], 3, axis=2).astype(np.float32)


def blended(grid: Grid, height: int, width: int, drawings: list[Pixels], restored: bool = True) -> Pixels:
    old = np.zeros((height, width, 3), dtype=np.float32)
    picture = old.copy()
    detail, tiles = FineDetail(height, width), grid.tiles()
    for (box, weight), drawing in zip(tiles, drawings):
        region = paste_region(Size(width, height), box)
        assert region is not None
        picture[region[0]] += (drawing * weight()[..., None])[region[1]]
        detail.add(drawing, weight(), box)
    if restored:
        detail.restore(old, picture, mixed_strips([box for box, _ in tiles], Size(width, height)))
    return picture


@settings(max_examples=30, deadline=None)
@given(st.integers(300, 700), st.integers(300, 700), st.integers(0, 120))
def test_tiles_that_agree_stay_as_they_are(width: int, height: int, overlap: int) -> None:
    grid = grid_over(width, height, overlap)
    picture = drawn(1, 1.0, height, width)
    crops = [np.asarray(look(picture, box)) for box, _ in grid.tiles()]
    assert np.abs(blended(grid, height, width, crops) - picture).max() < 0.25 / 255


@pytest.mark.parametrize("finest", [0.0, 1.0, 3.0])
def test_tiles_that_have_nothing_in_common_keep_their_detail(finest: float) -> None:
    grid = grid_over(SIDE, SIDE)
    tile = grid.tile
    drawings = [drawn(number, finest, tile.height, tile.width) for number in range(len(grid))]
    start, end = grid.columns.starts[1], grid.columns.starts[0] + tile.width
    middle = slice((start + end) // 2 - 6, (start + end) // 2 + 6)
    plain = blended(grid, SIDE, SIDE, drawings, restored=False)
    picture = blended(grid, SIDE, SIDE, drawings)
    steps = [np.abs(np.diff(item[..., 0], axis=1)) for item in (plain, picture)]
    own = np.abs(np.diff(drawings[0][..., 0], axis=1)).mean()
    assert steps[0][:, middle].mean() / own < 0.88
    assert steps[1][:, middle].mean() / own == pytest.approx(1.0, abs=0.06)
    changed = plain != picture
    across, down = changed.any(axis=(0, 2)), changed.any(axis=(1, 2))
    strips = mixed_strips([box for box, _ in grid.tiles()], Size(SIDE, SIDE))
    for strip in strips:
        changed[strip.top : strip.bottom, strip.left : strip.right] = False
    assert across.any() and down.any() and not changed.any(), "only what is mixed is written to"


def test_what_fades_into_the_old_picture_is_left_alone() -> None:
    grid = grid_over(SIDE, SIDE)
    tile = grid.tile
    old = np.full((SIDE, SIDE, 3), 0.5, dtype=np.float32)
    picture = old.copy()
    detail, boxes = FineDetail(SIDE, SIDE), [box for box, _ in grid.tiles()]
    # One tile is missing: its neighbours fade out.
    for number, (box, weight) in enumerate(grid.tiles()[:-1]):
        drawing = drawn(number, 1.0, tile.height, tile.width)
        picture[box.top : box.bottom, box.left : box.right] += (drawing - 0.5) * weight()[..., None]
        detail.add(drawing, weight(), box)
    before = picture.copy()
    detail.restore(old, picture, mixed_strips(boxes, Size(SIDE, SIDE)))
    missing = boxes[-1]
    lone = slice(missing.top + 80, None), slice(missing.left + 80, None)
    assert np.array_equal(picture[lone], before[lone])
    fading = slice(missing.top + 80, None), slice(missing.left, missing.left + 64)
    assert np.abs(picture[fading] - before[fading]).max() < 0.5 / 255
    assert not np.array_equal(picture, before), "the other overlaps are restored"


def test_boxes_between_cells_are_left_out() -> None:
    detail = FineDetail(64, 64)
    tile = drawn(3, 1.0, 40, 40)
    for box in (Box(4, 0, 44, 40), Box(-8, 0, 32, 40)):
        detail.add(tile, np.ones((40, 40), dtype=np.float32), box)
    picture, old = drawn(4, 1.0, 64, 64), drawn(5, 1.0, 64, 64)
    before = picture.copy()
    detail.restore(old, picture, [Box(8, 0, 32, 64)])
    assert np.array_equal(picture, before)
