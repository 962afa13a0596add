"""The measures: each rises with its own defect, planted in steps, and is near zero on pictures without it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.colour import from_lab, to_lab
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize
from lib_finisher.quality.detail import band
from lib_finisher.quality.edges import beyond_edges
from lib_finisher.quality.lattice import lattice
from lib_finisher.quality.measured import Quality, measured
from lib_finisher.quality.sampling import one_frame, windows

LEVEL = 1 / 255


@pytest.fixture(scope="module")
def face(portrait: Pixels) -> Pixels:
    return np.ascontiguousarray(portrait[0:256, 120:376])


def grain(seed: int, amount: float, shape: tuple[int, int], finest: float = 0.0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), finest) if finest else noise
    return (noise * amount / noise.std())[..., None]


def of(before: Pixels, after: Pixels) -> Quality:
    found = measured(before, after)
    assert found is not None
    return found


def rising(values: list[float]) -> bool:
    return all(one < following for one, following in itertools.pairwise(values))


def test_nothing_is_gained_or_lost_where_nothing_changed(face: Pixels) -> None:
    assert of(face, face.copy()) == Quality(pytest.approx(1.0), pytest.approx(0.0, abs=1e-6), 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("factor", [1.37, 1.5, 2.0, 3.0, 4.0])
def test_a_plain_enlargement_is_clean_at_any_factor(face: Pixels, factor: float) -> None:
    large = np.clip(resize(face, Size(round(256 * factor), round(256 * factor))), 0, 1)
    found = of(face, large)
    assert 0.9 < found.detail_kept <= 1.01
    assert found.detail_new < 0.02
    assert found.halo < 0.5 and found.fringe < 0.5 and found.lattice < 0.1 and found.tint < 0.05


def test_a_reduction_is_measured_as_well(face: Pixels) -> None:
    found = of(face, resize(face, Size(128, 128), "area"))
    assert found.detail_kept == pytest.approx(1.0, abs=0.01)
    assert found.halo < 0.5 and found.tint < 0.05


@pytest.mark.parametrize("left", [0.8, 0.5, 0.2, 0.0])
def test_detail_kept_is_the_share_that_was_left(face: Pixels, left: float) -> None:
    # The finest octaves of the spectrum, weakened by a known share.
    spectrum = np.fft.fft2(face.astype(np.float64), axes=(0, 1))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    spectrum *= np.where(frequency > 0.02, left, 1.0)[..., None]
    weaker = np.fft.ifft2(spectrum, axes=(0, 1)).real.astype(np.float32)
    assert of(face, weaker).detail_kept == pytest.approx(left, abs=0.03)


def test_more_detail_than_before_is_more_than_all_of_it(face: Pixels) -> None:
    smooth = cv2.GaussianBlur(face, (0, 0), 8.0)
    assert of(face, smooth + 1.3 * (face - smooth)).detail_kept == pytest.approx(1.3, abs=0.03)


@pytest.mark.parametrize("period", [5.0, 8.0, 16.0])
def test_the_fine_band_lies_between_two_gaussians(period: float) -> None:
    # A wave of frequency f leaves a Gaussian of deviation s with exp(-2 (pi s f)²) of its height.
    wave = 0.1 * np.cos(2 * np.pi * np.arange(240) / period)
    picture = np.broadcast_to((0.5 + wave).astype(np.float32)[None, :, None], (64, 240, 3))
    left = [np.exp(-2 * (np.pi * deviation / period) ** 2) for deviation in (0.6, 1.5)]
    inner = band(picture)[:, 24:-24].astype(np.float64)
    whole = inner[:, : round(int(192 / period) * period)]
    assert np.square(whole).mean() == pytest.approx((0.1 * (left[0] - left[1])) ** 2 / 2, rel=0.05)


def test_another_texture_of_the_same_strength_is_all_new_and_nothing_kept() -> None:
    one, other = (0.5 + np.repeat(grain(seed, 0.05, (256, 256), 0.8), 3, axis=2) for seed in (11, 12))
    found = of(one, other)
    assert found.detail_kept == pytest.approx(0.0, abs=0.02)
    assert found.detail_new == pytest.approx(1.0, abs=0.05)


def test_where_there_was_no_detail_none_is_lost_and_none_is_reckoned_as_new() -> None:
    flat = np.full((96, 96, 3), 0.5, np.float32)
    found = of(flat, flat + grain(1, 0.05, (96, 96)))
    assert (found.detail_kept, found.detail_new) == (1.0, 0.0)


def test_new_texture_is_new_and_not_kept(face: Pixels) -> None:
    rest = [of(face, face + grain(1, amount * LEVEL, (256, 256), 0.8)) for amount in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert rising([found.detail_new for found in rest])
    assert all(found.detail_kept == pytest.approx(1.0, abs=0.03) for found in rest)
    # Energies add up: twice the amount is four times the energy.
    assert rest[3].detail_new / rest[2].detail_new == pytest.approx(4.0, rel=0.1)


def _edge(amount: float = 0.0, width: int = 6, channel: int = 0) -> Pixels:
    """A step from L* 30 to 70 with a strip beside it, on its light side, that goes `amount` beyond in one plane."""
    lab = np.zeros((256, 256, 3), dtype=np.float32)
    lab[:, :128, 0], lab[:, 128:, 0] = 30, 70
    lab[:, 128 : 128 + width, channel] += amount
    return from_lab(lab)


def test_a_halo_is_the_overshoot_beside_edges() -> None:
    found = [of(_edge(), _edge(amount)) for amount in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert found[0].halo == 0.0
    assert rising([one.halo for one in found])
    # Of the pixels near the edge, 3 on either side, the light ones are overshot.
    for amount, one in zip((1.0, 2.0, 4.0, 8.0), found[1:]):
        assert one.halo == pytest.approx(0.5 * amount, rel=0.15)
        assert one.fringe < 0.1 * one.halo


@pytest.mark.parametrize(("step", "counts"), [(6.0, False), (14.0, True)])
def test_only_steps_of_more_than_ten_of_lightness_have_halos(step: float, counts: bool) -> None:
    lab = np.zeros((64, 256, 3), dtype=np.float32)
    lab[..., 0] = 50.0
    lab[:, 128:, 0] += step
    over = lab.copy()
    over[:, 128:134, 0] += 4.0
    assert (of(from_lab(lab), from_lab(over)).halo > 0) is counts


def test_what_lies_further_off_than_two_pixels_is_not_the_edges_own() -> None:
    lab = np.zeros((64, 256, 3), dtype=np.float32)
    lab[:, :128, 0], lab[:, 128:, 0] = 30, 70
    lab[:, 135, 0] = 90
    over = lab.copy()
    over[:, 128:134, 0] += 8.0
    # Edges within four pixels: columns 124 to 139. Of the six that are overshot the last one has 90 two pixels away.
    assert of(from_lab(lab), from_lab(over)).halo == pytest.approx(5 * 8.0 / 16, rel=0.05)


def test_at_twice_the_size_edges_and_what_is_beside_them_reach_twice_as_far() -> None:
    lab = np.zeros((32, 512, 3), dtype=np.float32)
    lab[:, :256, 0], lab[:, 256:, 0] = 30, 70
    lab[:, 270:272, 0] = 90
    over = lab.copy()
    over[:, 256:268, 0] += 8.0
    halo, fringe, count = beyond_edges(from_lab(lab), from_lab(over), 2.0)
    # Edges within seven pixels: columns 249 to 278. Of the twelve the last one has 90 three pixels away.
    assert count == 30 * 32
    assert halo == pytest.approx(11 * 8.0 * 32, rel=0.01) and fringe < 0.05 * halo


def test_a_dark_halo_counts_as_a_light_one_and_a_fringe_by_its_distance() -> None:
    dark = _edge()
    lab = to_lab(dark)
    lab[:, 122:128, 0] -= 8.0
    assert of(dark, from_lab(lab)).halo == pytest.approx(0.5 * 8.0, rel=0.15)
    lab = to_lab(dark)
    lab[:, 128:134, 1:] += np.float32([3.0, 4.0])
    assert of(dark, from_lab(lab)).fringe == pytest.approx(0.5 * 5.0, rel=0.15)


def test_a_fringe_is_colour_beside_edges() -> None:
    for channel in (1, 2):
        found = [of(_edge(), _edge(amount, channel=channel)) for amount in (0.0, 2.0, 4.0, 8.0)]
        assert found[0].fringe == 0.0
        assert rising([one.fringe for one in found])
        assert found[-1].fringe == pytest.approx(4.0, rel=0.2)
        assert found[-1].halo < 0.1


def test_sharpening_in_steps_makes_halos_in_steps_and_grain_hardly_any(face: Pixels) -> None:
    smooth = cv2.GaussianBlur(face, (0, 0), 2.0)
    halos = [of(face, np.clip(face + k * (face - smooth), 0, 1)).halo for k in (0.0, 0.25, 0.5, 1.0, 2.0)]
    assert halos[0] == 0.0 and rising(halos)
    assert of(face, np.clip(face + grain(2, LEVEL, (256, 256)), 0, 1)).halo < 0.2 * halos[-1]


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_lattice_is_found_under_the_grain_by_its_strength(face: Pixels, period: int) -> None:
    place = np.arange(256)
    wave = np.sqrt(2.0) * np.cos(2 * np.pi * (place + 0.25) / period) if period > 2 else np.where(place % 2, -1.0, 1.0)
    pattern = np.broadcast_to(wave.astype(np.float32), (256, 256))[..., None] * LEVEL
    noisy = face + grain(3, 1.0 * LEVEL, (256, 256))
    found = [of(face, noisy + amount * pattern).lattice for amount in (0.0, 0.5, 1.0, 2.0, 4.0)]
    assert found[0] < 0.15
    assert rising(found)
    for amount, value in zip((1.0, 2.0, 4.0), found[2:]):
        assert value == pytest.approx(amount, rel=0.35)


@pytest.mark.parametrize(("period", "side"), [(2, 24), (4, 48)])
def test_a_small_picture_shows_the_lattice_that_it_has_room_for(period: int, side: int) -> None:
    """Each place of a cell is seen 64 times; those of larger cells are not."""
    wave = np.where(np.arange(side) // (period // 2) % 2, -2.0, 2.0).astype(np.float32)[None, :, None]
    picture = 0.5 + wave * LEVEL + grain(5, 0.5 * LEVEL, (side, side))
    assert lattice(np.repeat(picture, 3, axis=2).astype(np.float32)) == pytest.approx(2.0, abs=0.1)


def test_chance_is_no_lattice_in_pictures_of_any_size() -> None:
    for side in (10, 18, 27, 40, 65, 96, 200):
        noise = 0.5 + grain(side, 4 * LEVEL, (side, side))
        assert lattice(np.repeat(noise, 3, axis=2).astype(np.float32)) < 0.2, side


def test_a_strip_lower_than_four_cells_says_nothing_of_them() -> None:
    wave = np.where(np.arange(2000) % 8 < 4, 2.0, -2.0).astype(np.float32)
    for height, seen in ((24, False), (40, True)):
        strip = 0.5 + np.broadcast_to(wave, (height, 2000))[..., None] * LEVEL + grain(6, 0.3 * LEVEL, (height, 2000))
        assert (lattice(np.repeat(strip, 3, axis=2).astype(np.float32)) > 1.0) is seen


def test_of_a_large_picture_the_windows_are_averaged_and_the_strongest_lattice_is_told() -> None:
    side = 640
    lab = np.zeros((side, side, 3), dtype=np.float32)
    lab[..., 0] = np.where(np.arange(side) // 64 % 2, 70.0, 30.0)
    over = lab.copy()
    for edge in range(64, side, 128):
        over[:, edge : edge + 6, :2] += 8.0
    over[: side // 2, :, 2] += 2.0
    over[side // 2 :, :, 2] -= 2.0
    found = of(from_lab(lab), from_lab(over))
    # Of the edges' pixels a quarter is overshot: every other edge, on its light side. In b* one half undoes the other.
    assert found.halo == pytest.approx(2.0, rel=0.25)
    assert found.fringe == pytest.approx(0.25 * 8.0 + 0.75 * 2.0, rel=0.35)
    assert found.tint == pytest.approx(8.0 * 6 / 128, rel=0.3)
    noisy = 0.5 + grain(7, 0.5 * LEVEL, (side, side))
    wave = np.where(np.arange(side) % 4 < 2, 2.0, -2.0).astype(np.float32)[None, :, None] * LEVEL
    before, after = (np.repeat(part, 3, axis=2).astype(np.float32) for part in (noisy, noisy + wave))
    assert of(before, after).lattice == pytest.approx(2.0, abs=0.2)


def test_there_is_no_lattice_in_photographs_and_a_lattice_that_was_there_is_no_gain(face: Pixels) -> None:
    assert lattice(face) < 0.15
    assert lattice(cv2.GaussianBlur(face, (0, 0), 1.0)) < 0.15
    wave = np.where(np.arange(256) % 8 < 4, 1.0, -1.0).astype(np.float32)
    laid = face + np.broadcast_to(wave, (256, 256))[..., None] * LEVEL
    assert lattice(laid) > 0.7
    assert of(laid, laid.copy()).lattice == 0.0
    assert lattice(np.zeros((3, 3, 3), np.float32)) == 0.0


def test_a_tint_is_the_mean_drift_of_the_colours(face: Pixels) -> None:
    muted = to_lab(0.25 + 0.5 * face)
    for red, yellow in ((0.0, 0.0), (1.0, 0.0), (0.0, -2.0), (3.0, 4.0)):
        other = from_lab(muted + np.array([0.0, red, yellow], dtype=np.float32))
        assert of(from_lab(muted), other).tint == pytest.approx(np.hypot(red, yellow), abs=0.05)
    assert of(face, cv2.GaussianBlur(face, (0, 0), 2.0)).tint < 0.1
    assert of(face, np.clip(face + grain(4, 4 * LEVEL, (256, 256)), 0, 1)).tint < 0.2


def test_opposite_tints_of_two_halves_are_no_drift() -> None:
    lab = np.full((640, 640, 3), (50.0, 0.0, 0.0), dtype=np.float32)
    over = lab.copy()
    over[:320, :, 1], over[320:, :, 1] = 3.0, -3.0
    over[:, :320, 2], over[:, 320:, 2] = -3.0, 3.0
    assert of(from_lab(lab), from_lab(over)).tint < 0.1


def test_beside_the_edges_of_an_enlargement_is_as_far_as_before_it() -> None:
    lab = np.zeros((64, 128, 3), dtype=np.float32)
    lab[:, :64, 0], lab[:, 64:, 0] = 30, 70
    large = np.kron(lab, np.ones((2, 2, 1), dtype=np.float32))
    large[:, 132:140, 0] += 8.0
    # Edges within seven pixels: columns 121 to 134, of which the last three are overshot.
    assert of(from_lab(lab), from_lab(large)).halo == pytest.approx(3 * 8.0 / 14, rel=0.2)


def test_another_frame_is_not_measured(face: Pixels) -> None:
    assert measured(face, face[:, :200]) is None
    assert measured(face, np.pad(face, ((0, 0), (8, 0), (0, 0)))) is None
    assert one_frame(Size(333, 217), Size(666, 434))
    assert one_frame(Size(333, 217), Size(456, 297))
    assert not one_frame(Size(333, 217), Size(333, 230))
    # A pixel before is four after.
    assert one_frame(Size(101, 75), Size(404, 304)) and not one_frame(Size(101, 75), Size(404, 316))


@pytest.mark.parametrize("side", [701, 1100])
def test_windows_of_a_large_enlargement_show_the_same_place_before_and_after(portrait: Pixels, side: int) -> None:
    large = np.clip(resize(portrait, Size(side, side)), 0, 1)
    found = of(portrait, large)
    assert found.detail_kept == pytest.approx(1.0, abs=0.08) and found.detail_new < 0.02
    for part in windows(portrait, large):
        assert np.abs(cv2.GaussianBlur(part.before - part.after, (0, 0), 2.0)).max() < 4 * LEVEL
        assert np.abs(cv2.GaussianBlur(part.plain - part.made, (0, 0), 4.0)[8:-8, 8:-8]).max() < 12 * LEVEL


def test_the_windows_lie_in_a_grid_over_the_whole_picture() -> None:
    place = np.zeros((1100, 1500, 3), np.float32)
    place[..., 0], place[..., 1] = np.meshgrid(np.arange(1500), np.arange(1100))
    firsts = sorted((int(part.made[0, 0, 1]), int(part.made[0, 0, 0])) for part in windows(place, place))
    assert firsts == [(top, left) for top in (0, 454, 908) for left in (0, 654, 1308)]


def test_a_large_picture_costs_no_more_than_its_windows() -> None:
    before = np.broadcast_to(np.float32(0.5), (4000, 6000, 3))
    after = np.broadcast_to(np.float32(0.5), (8000, 12000, 3))
    parts = list(windows(before, after))
    assert len(parts) == 9
    assert {part.made.shape[:2] for part in parts} == {(192, 192)}
    assert {part.before.shape for part in parts} == {part.after.shape for part in parts}


def test_what_is_said_of_it_is_one_line_and_names_what_came_back_where_something_did() -> None:
    found = Quality(0.94, 0.1, 0.24, 1.26, 0.0, 2.0)
    assert found.told == "detail 94% kept, 10% new, halo 0.2, fringe 1.3, lattice 0.0, tint 2.0"
    assert replace(found, brought_back=0.004).told == found.told
    assert replace(found, brought_back=0.03).told.startswith("detail 94% kept (3% brought back), 10% new, ")
