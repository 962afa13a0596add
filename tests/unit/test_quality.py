"""The measures: each rises with its own defect, planted in steps, and is near zero on pictures without it."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.colour import from_lab, to_lab
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize
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


def test_another_frame_is_not_measured(face: Pixels) -> None:
    assert measured(face, face[:, :200]) is None
    assert measured(face, np.pad(face, ((0, 0), (8, 0), (0, 0)))) is None
    assert one_frame(Size(333, 217), Size(666, 434))
    assert one_frame(Size(333, 217), Size(456, 297))
    assert not one_frame(Size(333, 217), Size(333, 230))


def test_a_large_picture_costs_no_more_than_its_windows() -> None:
    before = np.broadcast_to(np.float32(0.5), (4000, 6000, 3))
    after = np.broadcast_to(np.float32(0.5), (8000, 12000, 3))
    parts = list(windows(before, after))
    assert sum(part.made.shape[0] * part.made.shape[1] for part in parts) <= 9 * 192 * 192
    assert {part.made.shape[:2] for part in parts} == {(192, 192)}
    assert {part.before.shape for part in parts} == {part.after.shape for part in parts}
