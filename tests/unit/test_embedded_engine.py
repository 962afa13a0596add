"""The embedded engine is real diffusion: what the design asks of it, measured."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.embedded.sampler import start_angle
from lib_finisher.hosts.port import Batch, Element, HostError, Interrupted, Sampling
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.noise import FieldCrop, NoiseField
from tests.conftest import Onward

SAMPLING = Sampling(denoising_strength=0.3, steps=20)


def element(pixels: np.ndarray, seed: int = 5, mask: np.ndarray | None = None) -> Element:
    return Element(pixels, mask, "", "", seed, FieldCrop(NoiseField(seed, "test")))


def run(host: EmbeddedHost, elements: list[Element], sampling: Sampling = SAMPLING) -> list[np.ndarray]:
    return host.redraw(Batch(sampling, tuple(elements)), Onward())


@pytest.fixture(scope="module")
def crop(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[60:188, 150:310])


@pytest.mark.parametrize("sampler", ["Euler", "Euler a"])
def test_same_seed_same_bits_other_seed_other_bits(host: EmbeddedHost, crop: np.ndarray, sampler: str) -> None:
    sampling = replace(SAMPLING, sampler=sampler)
    first, again = (run(host, [element(crop)], sampling)[0] for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, run(host, [element(crop, seed=6)], sampling)[0])


@pytest.mark.parametrize("sampler", ["Euler", "Euler a"])
def test_a_batch_of_eight_is_eight_batches_of_one(host: EmbeddedHost, portrait: np.ndarray, sampler: str) -> None:
    sampling = replace(SAMPLING, sampler=sampler)
    crops = [np.ascontiguousarray(portrait[y : y + 72, 200:280]) for y in range(0, 400, 50)]
    elements = [element(one, seed) for seed, one in enumerate(crops)]
    together = run(host, elements, sampling)
    for one, result in zip(elements, together):
        assert np.array_equal(run(host, [one], sampling)[0], result)


def test_strength_zero_returns_the_input(host: EmbeddedHost, crop: np.ndarray) -> None:
    assert np.array_equal(run(host, [element(crop)], replace(SAMPLING, denoising_strength=0.0))[0], crop)


def test_change_grows_with_strength(host: EmbeddedHost, portrait: np.ndarray) -> None:
    changes = []
    for strength in (0.1, 0.2, 0.3, 0.5, 0.75, 1.0):
        result = run(host, [element(portrait)], replace(SAMPLING, denoising_strength=strength))[0]
        changes.append(float(np.abs(result - portrait).mean()) * 255)
    assert all(one < other for one, other in itertools.pairwise(changes)), changes
    assert changes[2] >= 4.0, "at 0.3 the picture is visibly redrawn"


def test_at_full_strength_the_input_is_gone(host: EmbeddedHost, portrait: np.ndarray, gradient) -> None:  # type: ignore[no-untyped-def]
    one, other = np.ascontiguousarray(portrait[:192, 100:292]), gradient(192, 192)
    sampling = replace(SAMPLING, denoising_strength=1.0)
    before = float(np.abs(one - other).mean())
    results = run(host, [element(one), element(other)], sampling)
    assert float(np.abs(results[0] - results[1]).mean()) <= before / 5


def test_at_strength_03_a_photograph_comes_through_clean(host: EmbeddedHost, portrait: np.ndarray) -> None:
    result = run(host, [element(portrait)])[0]
    error = result - portrait
    low = resize(resize(error, Size(16, 16), "area"), Size(512, 512), "bilinear")
    assert float(low.std()) * 255 < 1.5, "no blotches"
    light, before = result.mean(axis=-1), portrait.mean(axis=-1)
    slope = [np.hypot(*np.gradient(plane)) for plane in (before, light)]
    edges = slope[0] > np.quantile(slope[0], 0.97)
    assert float(slope[1][edges].mean() / slope[0][edges].mean()) > 0.8, "edges stay"
    backdrop = (slice(20, 90), slice(330, 420))
    assert float(light[backdrop].std()) < float(before[backdrop].std()) + 3 / 255, "no noise is left on the backdrop"


def test_outside_the_mask_nothing_moves(host: EmbeddedHost, crop: np.ndarray) -> None:
    mask = np.zeros(crop.shape[:2], dtype=np.float32)
    mask[30:80, 40:100] = 1
    result = run(host, [element(crop, mask=mask)], replace(SAMPLING, denoising_strength=0.6))[0]
    outside = mask == 0
    assert float(np.abs(result - crop)[outside].max()) < 0.5 / 255
    assert float(np.abs(result - crop)[~outside].mean()) > 4 / 255


def test_the_noise_multiplier_scales_the_noise_that_sampling_begins_with(host: EmbeddedHost, crop: np.ndarray) -> None:
    """What is missing leaves the result smoother, what is left over becomes texture."""

    def roughness(multiplier: float) -> float:
        result = run(host, [element(crop)], replace(SAMPLING, noise_multiplier=multiplier))[0]
        return float(np.abs(np.diff(result, axis=0)).mean())

    values = [roughness(multiplier) for multiplier in (0.5, 0.8, 1.0, 1.2, 1.5)]
    assert all(one < other for one, other in itertools.pairwise(values)), values


@pytest.mark.parametrize("sampler", ["Euler", "Euler a"])
def test_a_mask_of_zeros_and_ones_is_differential_already(host: EmbeddedHost, crop: np.ndarray, sampler: str) -> None:
    mask = np.zeros(crop.shape[:2], dtype=np.float32)
    mask[30:80, 40:100] = 1
    soft = replace(SAMPLING, denoising_strength=0.5, sampler=sampler)
    results = [run(host, [element(crop, mask=mask)], replace(soft, differential=way))[0] for way in (False, True)]
    assert np.array_equal(*results)


@pytest.mark.parametrize("late", [3, 7])
def test_a_pixel_that_joins_in_late_is_sampled_at_a_lower_strength(
    host: EmbeddedHost, crop: np.ndarray, late: int
) -> None:
    """With a mask of 1 - k/n the first k of the n steps keep the picture under its own noise: the last n - k are a
    redraw that begins there."""
    sampling = replace(SAMPLING, denoising_strength=0.6, differential=True)
    count = host.sampled_steps(sampling)
    begin = start_angle(0.6) * (1.0 - late / count)
    lower = next(value for value in np.linspace(0, 0.6, 600_001) if start_angle(value) >= begin)
    steps = next(
        number for number in range(1, 99) if host.sampled_steps(Sampling(float(lower), number)) == count - late
    )
    mask = np.full(crop.shape[:2], 1.0 - late / count, dtype=np.float32)
    found = run(host, [element(crop, mask=mask)], sampling)[0]
    expected = run(host, [element(crop)], Sampling(float(lower), steps))[0]
    assert float(np.abs(found - expected).max()) < 0.25 / 255
    soft = run(host, [element(crop, mask=mask)], replace(sampling, differential=False))[0]
    assert float(np.abs(found - soft).mean()) > 0.5 / 255


def test_a_differential_mask_moves_nothing_outside_and_everything_inside(host: EmbeddedHost, crop: np.ndarray) -> None:
    mask = np.tile(np.linspace(-0.5, 1.5, crop.shape[1], dtype=np.float32).clip(0, 1), (crop.shape[0], 1))
    sampling = replace(SAMPLING, denoising_strength=0.6)
    soft, hard = (
        np.abs(run(host, [element(crop, mask=mask)], replace(sampling, differential=way))[0] - crop) * 255
        for way in (False, True)
    )
    feather = (mask > 0.3) & (mask < 0.7)
    assert hard[mask == 0].max() < 0.5
    assert hard[mask == 1].mean() == pytest.approx(soft[mask == 1].mean(), rel=0.1)
    assert hard[feather].mean() > 1.3 * soft[feather].mean()


@pytest.mark.parametrize("sampler", ["Euler", "Euler a"])
def test_the_extras_do_not_see_the_batch(host: EmbeddedHost, portrait: np.ndarray, sampler: str) -> None:
    sampling = replace(SAMPLING, sampler=sampler, noise_multiplier=1.1, differential=True)
    ramp = np.tile(np.linspace(0, 1, 80, dtype=np.float32), (72, 1))
    masks = (ramp, None, ramp[:, ::-1].copy(), np.sqrt(ramp))
    elements = [
        element(np.ascontiguousarray(portrait[90 * i : 90 * i + 72, 200:280]), i, mask) for i, mask in enumerate(masks)
    ]
    for one, result in zip(elements, run(host, elements, sampling)):
        assert np.array_equal(run(host, [one], sampling)[0], result)


@pytest.mark.parametrize("height, width", [(1, 1), (16, 16), (17, 33), (64, 8), (8, 300)])
def test_any_size(host: EmbeddedHost, gradient, height: int, width: int) -> None:  # type: ignore[no-untyped-def]
    picture = gradient(height, width)
    result = run(host, [element(picture)])[0]
    assert result.shape == picture.shape
    assert np.isfinite(result).all()


def test_steps_are_counted_as_they_run(host: EmbeddedHost, crop: np.ndarray) -> None:
    for strength, steps in ((0.3, 20), (0.05, 20), (1.0, 7)):
        sampling, watch = Sampling(strength, steps), Onward()
        host.redraw(Batch(sampling, (element(crop[:32, :32]),)), watch)
        assert watch.steps == host.sampled_steps(sampling)


def test_the_schedule() -> None:
    assert start_angle(0.0) == 0.0
    assert start_angle(1.0) == pytest.approx(np.pi / 2)
    angles = [start_angle(value) for value in np.linspace(0, 1, 50)]
    assert all(one < other for one, other in itertools.pairwise(angles))


def test_interruption_leaves_nothing(host: EmbeddedHost, crop: np.ndarray) -> None:
    class Stop(Onward):
        def step(self, number: int, total: int) -> None:
            if number == 3:
                raise Interrupted

    with pytest.raises(Interrupted):
        host.redraw(Batch(SAMPLING, (element(crop),)), Stop())


def test_what_it_does_not_have_is_said(host: EmbeddedHost, crop: np.ndarray) -> None:
    with pytest.raises(HostError, match="it has Euler, Euler a"):
        run(host, [element(crop)], replace(SAMPLING, sampler="DPM++ 2M"))
    with pytest.raises(HostError, match="sd_xl"):
        host.model("sd_xl")
