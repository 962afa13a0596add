"""Fine detail where tiles are mixed: as much as the tiles had, and nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, Size, look, paste_region
from lib_finisher.imaging.masks import ellipse
from lib_finisher.redraw.fine_detail import FineDetail
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


def blended(
    grid: Grid,
    old: Pixels,
    drawings: list[Pixels],
    restored: bool = True,
    mask: Mask | None = None,
    missing: tuple[int, ...] = (),
) -> Pixels:
    """`old` with the tiles of a grid, each its own drawing, limited by a mask and without those that are missing."""
    height, width = old.shape[:2]
    picture, detail, tiles = old.copy(), FineDetail(height, width), grid.tiles()
    for number, ((box, tent), drawing) in enumerate(zip(tiles, drawings)):
        if number in missing:
            continue
        weight = tent() if mask is None else tent() * np.asarray(look(mask, box))
        region = paste_region(Size(width, height), box)
        assert region is not None
        picture[region[0]] += ((drawing - look(old, box)) * weight[..., None])[region[1]]
        detail.add(drawing, weight, box)
    if restored:
        detail.restore(picture, *mixed_strips([box for box, _ in tiles], Size(width, height)))
    return picture


@settings(max_examples=30, deadline=None)
@given(st.integers(300, 700), st.integers(300, 700), st.integers(0, 120))
def test_tiles_that_agree_stay_as_they_are(width: int, height: int, overlap: int) -> None:
    grid = grid_over(width, height, overlap)
    picture = drawn(1, 1.0, height, width)
    crops = [np.asarray(look(picture, box)) for box, _ in grid.tiles()]
    old = np.zeros_like(picture)
    assert np.abs(blended(grid, old, crops) - picture).max() < 0.25 / 255


@pytest.mark.parametrize("finest", [0.0, 1.0, 3.0])
def test_tiles_that_have_nothing_in_common_keep_their_detail(finest: float) -> None:
    grid = grid_over(SIDE, SIDE)
    tile = grid.tile
    drawings = [drawn(number, finest, tile.height, tile.width) for number in range(len(grid))]
    start, end = grid.columns.starts[1], grid.columns.starts[0] + tile.width
    middle = slice((start + end) // 2 - 6, (start + end) // 2 + 6)
    old = np.full((SIDE, SIDE, 3), 0.5, dtype=np.float32)
    plain, picture = blended(grid, old, drawings, restored=False), blended(grid, old, drawings)
    steps = [np.abs(np.diff(item[..., 0], axis=1)) for item in (plain, picture)]
    own = np.abs(np.diff(drawings[0][..., 0], axis=1)).mean()
    assert steps[0][:, middle].mean() / own < 0.88
    assert steps[1][:, middle].mean() / own == pytest.approx(1.0, abs=0.06)
    changed = plain != picture
    across, down = changed.any(axis=(0, 2)), changed.any(axis=(1, 2))
    upright, lying = mixed_strips([box for box, _ in grid.tiles()], Size(SIDE, SIDE))
    for strip in upright + lying:
        changed[strip.top : strip.bottom, strip.left : strip.right] = False
    assert across.any() and down.any() and not changed.any(), "only what is mixed is written to"


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("missing", [(), (4,), (0, 5)])
def test_beside_what_fades_into_the_old_picture_tiles_that_agree_stay_as_they_are(
    strength: float, missing: tuple[int, ...]
) -> None:
    """An old picture with less or more detail than the new one says nothing of what was lost between tiles."""
    grid = grid_over(SIDE, SIDE)
    new, old = drawn(1, 1.0, SIDE, SIDE), 0.5 + strength * (drawn(2, 1.0, SIDE, SIDE) - 0.5)
    crops = [np.asarray(look(new, box)) for box, _ in grid.tiles()]
    mask = ellipse(SIDE, SIDE, (250.0, 270.0), (190.0, 150.0), 24.0)
    plain = blended(grid, old, crops, restored=False, mask=mask, missing=missing)
    picture = blended(grid, old, crops, mask=mask, missing=missing)
    assert np.abs(picture - plain).max() < 0.25 / 255
    assert np.array_equal(picture[mask == 0], old[mask == 0])


def test_nothing_is_weakened_and_what_is_not_wholly_redrawn_is_left_alone() -> None:
    grid = grid_over(SIDE, SIDE)
    tile = grid.tile
    drawings = [drawn(number, 1.0, tile.height, tile.width) for number in range(len(grid))]
    old = drawn(99, 1.0, SIDE, SIDE)
    number = len(grid) // 2
    plain, picture = (blended(grid, old, drawings, restored, missing=(number,)) for restored in (False, True))
    box = grid.tiles()[number][0]
    changed = (plain != picture).any(axis=-1)
    assert not changed[box.top + 24 : box.bottom - 24, box.left + 24 : box.right - 24].any()
    for upright in mixed_strips([box for box, _ in grid.tiles()], Size(SIDE, SIDE))[0]:
        rows = slice(0, grid.rows.starts[1])
        energy = [
            np.square(item[rows, upright.left : upright.right] - 0.5).mean(axis=(0, 2)) for item in (plain, picture)
        ]
        assert (energy[1] > 0.98 * energy[0]).all() and energy[1].mean() > 1.2 * energy[0].mean()


def test_what_is_lost_wholly_is_not_made_up() -> None:
    """Opposite drawings take each other out; what little stays is not blown up."""
    grid = grid_over(SIDE, 200)
    one = drawn(7, 1.0, 200, SIDE)
    columns = grid.columns.starts
    crops = [np.asarray(look(one, box)) for box, _ in grid.tiles()]
    drawings = [crop if columns.index(box.left) % 2 else 1.0 - crop for crop, (box, _) in zip(crops, grid.tiles())]
    old = np.full_like(one, 0.5)
    plain, picture = (blended(grid, old, drawings, restored) for restored in (False, True))
    for strip in mixed_strips([box for box, _ in grid.tiles()], Size(SIDE, 200))[0]:
        part = (
            slice(0, grid.rows.starts[1] if len(grid.rows.starts) > 1 else 200),
            slice(strip.left + 11, strip.right - 11),
        )
        energy = [float(np.square(item[part] - 0.5).mean()) for item in (plain, picture)]
        assert 1.5 * energy[0] < energy[1] < 2.3 * energy[0]


def test_boxes_between_cells_are_left_out() -> None:
    detail = FineDetail(64, 64)
    tile = drawn(3, 1.0, 40, 40)
    for box in (Box(4, 0, 44, 40), Box(-8, 0, 32, 40)):
        detail.add(tile, np.ones((40, 40), dtype=np.float32), box)
    picture = drawn(4, 1.0, 64, 64)
    before = picture.copy()
    detail.restore(picture, [Box(8, 0, 32, 64)], [Box(0, 8, 64, 32)])
    assert np.array_equal(picture, before)
