"""What holds for any picture, any mask and any model: bounds, untouched pixels, tones that stay, tiles that touch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_finisher.hosts.embedded.engine import CAPABILITIES
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import low_frequencies
from lib_finisher.imaging.geometry import Box, Size, cut
from lib_finisher.imaging.masks import ellipse
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.skin import Face, skin_by_colour, skin_of_faces
from lib_finisher.imaging.texture import blend_detail, lift_detail
from lib_finisher.stages.cover import covering, masked, touched
from lib_finisher.stages.frame import Look

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 90)
strengths = st.floats(0, 1, width=32)


def noise(seed: int, height: int, width: int) -> Pixels:
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


def spot(seed: int, height: int, width: int) -> Mask:
    """A soft ellipse somewhere, at times beyond the picture."""
    x, y, a, b = np.random.default_rng(seed).random(4)
    centre = (float(1.4 * x - 0.2) * width, float(1.4 * y - 0.2) * height)
    return ellipse(height, width, centre, (0.4 * width * float(a), 0.4 * height * float(b)), 6.0)


@settings(max_examples=60, deadline=None)
@given(seeds, sides, sides, strengths)
def test_blended_detail_stays_in_bounds_and_within_the_mask(
    seed: int, height: int, width: int, strength: float
) -> None:
    pixels, other, mask = noise(seed, height, width), noise(seed + 1, height, width), spot(seed, height, width)
    for where in (None, mask):
        made = blend_detail(pixels, other, strength, where)
        assert made.shape == pixels.shape and made.dtype == np.float32
        assert float(made.min()) >= 0.0 and float(made.max()) <= 1.0
    assert np.array_equal(made[mask == 0], pixels[mask == 0])
    assert np.array_equal(blend_detail(pixels, other, 0.0, mask), pixels)
    assert np.array_equal(blend_detail(pixels, pixels, strength), pixels)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(64, 160), st.integers(64, 160), st.floats(-0.2, 0.2), st.floats(0.7, 1.2))
def test_a_model_that_shifts_tones_shifts_none_here(
    seed: int, height: int, width: int, shift: float, gain: float
) -> None:
    """A model that only makes the picture lighter, darker, flatter: its low frequencies do not come over."""
    smooth = resize(noise(seed, 4, 5), Size(width, height)).clip(0.25, 0.75)
    pixels = np.clip(smooth + 0.03 * (noise(seed + 1, height, width) - 0.5), 0, 1).astype(np.float32)
    other = ((pixels - 0.5) * gain + 0.5 + shift).astype(np.float32)
    mask = spot(seed, height, width)
    plain = np.abs(low_frequencies(mask[..., None] * (other - pixels))).max()
    made = blend_detail(pixels, other, 1.0, mask)
    drift = float(np.abs(low_frequencies(made) - low_frequencies(pixels)).max())
    assert drift < 0.012 + 0.15 * abs(gain - 1)
    assert drift < 0.012 + 0.6 * plain


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(64, 700), st.integers(64, 700), st.integers(0, 4), st.integers(0, 4), st.integers(64, 300))
def test_no_patch_that_touches_the_mask_is_left_out(
    seed: int, height: int, width: int, columns: int, rows: int, tile: int
) -> None:
    size = Size(width, height)
    small = spot(seed, max(1, height // 3), max(1, width // 2))
    mask = np.clip(resize(small, size, "bilinear"), 0, 1)
    layout, _ = covering(
        size, Look(0.2), 128, CAPABILITIES, whole=False, tile=tile // 8 * 8, columns=columns, rows=rows
    )
    kept = touched(layout, small, size)
    for patch in layout:
        if (cut(mask, patch.box) > 0).any():
            assert patch in kept
    if not small.any():
        assert kept == []
    for patch in kept[:3]:
        made = masked(patch, mask)
        assert np.array_equal(made.weight() == 0, (patch.weight() * cut(mask, patch.box)) == 0)
        assert made.mask is not None and set(np.unique(made.mask)) <= {0.0, 1.0}
        assert (made.weight() <= made.mask).all()


@settings(max_examples=40, deadline=None)
@given(seeds, sides, sides, st.integers(-30, 90), st.integers(-30, 90), st.integers(1, 80), st.integers(1, 80))
def test_a_mask_of_skin_is_a_mask_whatever_the_face(
    seed: int, height: int, width: int, left: int, top: int, across: int, down: int
) -> None:
    pixels = noise(seed, height, width)
    box = Box(left, top, left + across, top + down)
    points = tuple((box.left + x * across, box.top + y * down) for x, y in np.random.default_rng(seed).random((5, 2)))
    for face in (Face(box), Face(box, points), Face(box, points, spot(seed, height, width))):
        mask = skin_of_faces(pixels, [face])
        assert mask.shape == (height, width) and mask.dtype == np.float32
        assert np.isfinite(mask).all() and float(mask.min()) >= 0 and float(mask.max()) <= 1
    by_colour = skin_by_colour(pixels)
    assert by_colour.shape == (height, width)
    assert float(by_colour.min()) >= 0 and float(by_colour.max()) <= 1


@settings(max_examples=20, deadline=None)
@given(seeds, strengths, st.floats(1, 8))
def test_the_lift_of_a_part_is_that_of_the_whole(seed: int, strength: float, radius: float) -> None:
    """So that only the part around a mask has to be lifted."""
    pixels = noise(seed, 200, 180)
    part = lift_detail(pixels[20:180, 10:170], strength, radius)
    assert lift_detail(pixels, strength, radius)[84:116, 74:106] == pytest.approx(part[64:96, 64:96], abs=2e-6)
