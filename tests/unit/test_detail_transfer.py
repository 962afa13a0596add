"""Detail transfer: smoothed texture comes back, moved edges, new texture and noise do not."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from lib_finisher.imaging import detail_transfer
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.detail_transfer import Transferred, give_back, lost_detail
from lib_finisher.imaging.noise import _bands_of, noise_of

LEVEL = 1 / 255


def grey(plane: np.ndarray) -> Pixels:
    return np.repeat(np.asarray(plane, dtype=np.float32)[..., None], 3, axis=2)


def texture(seed: int, amount: float, finest: float = 0.7, size: tuple[int, int] = (160, 200)) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(size).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), finest)
    return noise * amount / noise.std()


def with_detail(before: Pixels, after: Pixels, strength: float = 1.0, noise: float = 0.0) -> Pixels:
    return np.clip(after + lost_detail(before, after, strength, noise)[0], 0, 1)


def off(truth: Pixels, other: Pixels) -> float:
    """The root mean square error, in levels."""
    return float(np.sqrt(np.square(truth - other).mean())) / LEVEL


@pytest.fixture(scope="module")
def face(portrait: Pixels) -> Pixels:
    return np.ascontiguousarray(portrait[0:256, 120:376])


@pytest.mark.parametrize("deviation", [0.8, 1.5])
def test_what_a_blur_takes_comes_back_by_the_strength(face: Pixels, deviation: float) -> None:
    smooth = cv2.GaussianBlur(face, (0, 0), deviation)
    errors = [off(face, with_detail(face, smooth, strength)) for strength in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.4 * errors[0]
    assert with_detail(face, smooth, 0.0) == pytest.approx(smooth)


def test_nothing_changes_where_nothing_was_lost(face: Pixels) -> None:
    sharper = np.clip(face + 0.5 * (face - cv2.GaussianBlur(face, (0, 0), 1.5)), 0, 1)
    assert not lost_detail(face, face, 1.0)[0].any()
    assert np.abs(lost_detail(face, sharper, 1.0)[0]).mean() < 0.02 * LEVEL


@pytest.mark.parametrize("amount", [0.8, 1.0, 2.0])
def test_a_texture_that_was_drawn_instead_stays_untouched(amount: float) -> None:
    before, after = grey(0.5 + texture(1, 0.05)), grey(0.5 + amount * texture(2, 0.05))
    assert lost_detail(before, after, 1.0)[0].std() < 0.02 * texture(1, 0.05).std()


@pytest.mark.parametrize("shape", ["edge", "line"])
@pytest.mark.parametrize("softer", [0.0, 1.2, 2.0])
@pytest.mark.parametrize("shift", [2, 3, 5, 9])
def test_an_edge_that_moved_does_not_appear_twice(shape: str, softer: float, shift: int) -> None:
    def drawn(at: int) -> np.ndarray:
        x = np.arange(128)
        row = np.where(x >= at if shape == "edge" else np.abs(x - at) <= 1, 0.75, 0.25)
        return np.tile(row.astype(np.float32), (96, 1))

    before, moved = grey(drawn(64)), grey(drawn(64 + shift))
    after = cv2.GaussianBlur(moved, (0, 0), softer) if softer else moved
    made = with_detail(before, after)
    assert np.abs(made - after).max() < 4 * LEVEL
    unmoved = cv2.GaussianBlur(before, (0, 0), max(softer, 1.2))
    assert np.abs(with_detail(before, unmoved) - unmoved).max() > 15 * LEVEL


def test_no_value_lies_beyond_those_nearby(face: Pixels) -> None:
    for deviation in (1.0, 2.0):
        after = cv2.GaussianBlur(face, (0, 0), deviation)
        made = with_detail(face, after)
        lumas = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (face, after, made)]
        window = np.ones((3, 3), np.uint8)
        highest = np.maximum(*(cv2.dilate(luma, window) for luma in lumas[:2]))
        lowest = np.minimum(*(cv2.erode(luma, window) for luma in lumas[:2]))
        assert (lumas[2] - highest).max() < 0.5 * LEVEL
        assert (lowest - lumas[2]).max() < 0.5 * LEVEL


@pytest.mark.parametrize("left", [0.0, 0.1])
def test_an_object_that_is_gone_stays_gone(left: float) -> None:
    plain = 0.6 + texture(3, 0.01)
    spot = cv2.circle(np.zeros_like(plain), (100, 80), 4, 1.0, -1)
    before, after = grey(plain - 0.3 * spot), grey(plain - left * 0.3 * spot)
    near = cv2.dilate(spot, np.ones((15, 15), np.uint8)) > 0
    assert np.abs(lost_detail(before, after, 1.0)[0])[near].max() < 2 * LEVEL


@pytest.mark.parametrize("noise", [4, 12])
def test_a_sensors_noise_does_not_come_back(face: Pixels, noise: int) -> None:
    noisy = np.clip(face + np.random.default_rng(4).normal(0, noise * LEVEL, face.shape), 0, 1).astype(np.float32)
    levels = (noisy * 255).astype(np.uint8)
    cleaned = cv2.fastNlMeansDenoisingColored(levels, None, 1.2 * noise, 1.2 * noise, 5, 15).astype(np.float32) / 255
    blind, seeing = with_detail(noisy, cleaned), with_detail(noisy, cleaned, noise=noise_of(noisy))
    luma = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    spread = cv2.blur(luma * luma, (7, 7)) - cv2.blur(luma, (7, 7)) ** 2
    calm = spread < np.quantile(spread, 0.1)
    assert (seeing - cleaned)[calm].std() < 0.5 * (blind - cleaned)[calm].std()
    assert off(face, seeing) < min(off(face, cleaned), off(face, blind))


def test_jpegs_blocks_do_not_come_back(face: Pixels) -> None:
    buffer = io.BytesIO()
    Image.fromarray((face * 255).round().astype(np.uint8)).save(buffer, "JPEG", quality=10)
    blocky = np.asarray(Image.open(buffer), dtype=np.float32) / 255
    smooth = cv2.bilateralFilter(blocky, 7, 0.15, 3)
    blind, seeing = with_detail(blocky, smooth), with_detail(blocky, smooth, noise=noise_of(blocky))
    assert off(face, seeing) < off(face, blind)
    assert np.abs(seeing - smooth).mean() < 0.6 * np.abs(blind - smooth).mean()


def test_noise_is_measured_in_steps_and_is_small_in_clean_pictures(face: Pixels) -> None:
    generator = np.random.default_rng(5)
    measured = []
    for noise in (0.0, 2.0, 4.0, 8.0, 16.0):
        plane = generator.normal(0, noise * LEVEL, face.shape[:2]).astype(np.float32)
        measured.append(noise_of(np.clip(face + plane[..., None], 0, 1)) / LEVEL)
    assert measured[0] < 1.5
    assert measured == sorted(measured)
    for noise, value in zip((4.0, 8.0, 16.0), measured[2:]):
        assert 0.9 * noise < value < 1.6 * noise
    blocks = []
    for quality in (90, 50, 20, 5):
        buffer = io.BytesIO()
        Image.fromarray((face * 255).round().astype(np.uint8)).save(buffer, "JPEG", quality=quality)
        decoded = np.asarray(Image.open(buffer), dtype=np.float32) / 255
        # Cut elsewhere, as after a crop: the phase of the blocks is not known.
        blocks.append(noise_of(decoded[3:, 5:]) / LEVEL)
    assert blocks == sorted(blocks) and blocks[-1] > 3.0
    assert noise_of(np.zeros((64, 64, 3), np.float32)) == 0.0
    assert noise_of(face[:20, :20]) == 0.0


def test_grey_stays_grey_and_one_hue_stays_one_hue(face: Pixels) -> None:
    plain = grey(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)) * 0.9
    hue = np.array([1.0, 0.8, 0.5], dtype=np.float32)
    for colour in (np.ones(3, np.float32), hue):
        before = plain * colour
        added = lost_detail(before, cv2.GaussianBlur(before, (0, 0), 1.5), 1.0)[0] / colour
        assert np.abs(added).max() > 5 * LEVEL
        assert np.ptp(added, axis=2).max() < 0.01 * LEVEL


def test_a_large_picture_is_worked_on_in_strips_bit_for_bit(face: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = np.ascontiguousarray(face[:251, :213])
    smooth = cv2.GaussianBlur(odd, (0, 0), 1.3)
    where = np.linspace(0, 1, odd.shape[1], dtype=np.float32)[None].repeat(len(odd), axis=0)
    whole, told = lost_detail(odd, smooth, 0.8, 1 * LEVEL, where)
    monkeypatch.setattr(detail_transfer, "_STRIP_PIXELS", 20 * odd.shape[1])
    parts, summed = lost_detail(odd, smooth, 0.8, 1 * LEVEL, where)
    assert np.array_equal(whole, parts)
    assert summed.restored == pytest.approx(told.restored, rel=1e-4)
    assert not whole[:, 0].any()


def test_the_share_that_came_back_is_that_of_the_projection(face: Pixels) -> None:
    smooth = cv2.GaussianBlur(face, (0, 0), 1.3)
    added, told = lost_detail(face, smooth, 1.0)

    def band(pixels: Pixels) -> np.ndarray:
        plane = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.float64)
        return plane - cv2.GaussianBlur(plane, (0, 0), 2.0)

    was = band(face)
    for share, picture in ((told.kept, smooth), (told.restored, smooth + added)):
        assert share / told.energy == pytest.approx((was * band(picture)).sum() / (was * was).sum(), abs=0.02)
    assert told.share == (told.restored - told.kept) / told.energy
    assert (told + told).share == pytest.approx(told.share)
    assert Transferred().share == 0.0


@pytest.mark.parametrize(("left", "least", "most"), [(-0.5, 0.4, 0.8), (-1.2, 0.0, 0.02), (0.5, 0.35, 0.55)])
def test_no_more_than_what_was_there_comes_back_and_nothing_where_as_much_is(
    left: float, least: float, most: float
) -> None:
    """Texture turned into its own negative: at half its strength, and stronger than it was."""
    below = np.tile(0.5 + 0.1 * np.sin(np.arange(200, dtype=np.float32) * 2 * np.pi / 20), (160, 1))
    own = texture(1, 0.03)
    own -= cv2.GaussianBlur(own, (0, 0), 2.0)
    lost, _ = lost_detail(grey(below + own), grey(below + left * own), 1.0)
    share = float((lost[..., 0] * own)[8:-8, 8:-8].sum() / np.square(own[8:-8, 8:-8]).sum())
    assert least <= share <= most


def test_no_value_is_led_out_of_black_and_white() -> None:
    own = texture(2, 0.06)[..., None]
    before = np.clip(np.float32([0.97, 0.5, 0.03]) + own * np.float32([1.0, 0.4, 1.0]), 0, 1)
    after = cv2.GaussianBlur(before, (0, 0), 1.5)
    made = after + lost_detail(before, after, 1.0)[0]
    assert made.min() >= 0.0 and made.max() <= 1.0
    assert np.abs(made - after).mean() > 0.5 * LEVEL


def test_what_counts_in_the_sums_is_said_by_the_weight(face: Pixels) -> None:
    smooth = cv2.GaussianBlur(face, (0, 0), 1.3)
    left = np.zeros(face.shape[:2], np.float32)
    left[:, :100] = 1.0
    parts = [lost_detail(face, smooth, 1.0, counted=weight)[1] for weight in (None, left, 1 - left, 0 * left)]
    for name in ("energy", "kept", "restored"):
        whole, one, other, none = (getattr(part, name) for part in parts)
        assert whole == pytest.approx(one + other, rel=1e-4) and one > 0 and none == 0.0


def test_an_enlargement_gets_it_by_the_strength(face: Pixels) -> None:
    source = cv2.resize(face, (128, 128), interpolation=cv2.INTER_AREA)
    plastic = cv2.bilateralFilter(cv2.resize(source, (256, 256), interpolation=cv2.INTER_CUBIC), 9, 0.12, 3.0)
    changes = []
    for strength in (0.0, 0.3, 1.0):
        made = plastic.copy()
        give_back(made, source, strength)
        changes.append(float(np.abs(made - np.clip(plastic, 0, 1)).mean()))
    assert changes[0] == 0.0 and changes[1] == pytest.approx(0.3 * changes[2], rel=0.1)


def test_what_is_nearly_black_or_white_says_nothing_of_the_noise() -> None:
    noise = np.random.default_rng(6).normal(0, 8 * LEVEL, (256, 256)).astype(np.float32)
    for plain in (0.99, 0.01):
        picture = grey(0.5 + noise)
        picture[:96] = plain
        assert 7 * LEVEL < noise_of(picture) < 13 * LEVEL


def test_steps_between_blocks_count_in_both_directions_and_only_where_they_stand_out() -> None:
    steps = np.random.default_rng(7).normal(0, 4 * LEVEL, (32, 1)).repeat(8, axis=0).repeat(256, axis=1)
    lying, upright = noise_of(grey(0.5 + steps)), noise_of(grey(0.5 + steps.T))
    assert lying == pytest.approx(upright, rel=1e-4) and lying > 1.0 * LEVEL
    # Eight steps of eight heights: none of them stands out from the others.
    row = 0.5 + np.cumsum(np.tile([1, 2, -3, 4, 5, 6, -7, -8], 32)) * LEVEL
    assert noise_of(grey(np.tile(row, (256, 1)))) < 0.05 * LEVEL


def test_a_tall_picture_is_read_in_bands_from_end_to_end() -> None:
    picture = np.broadcast_to(np.float32(0.5), (9000, 64, 3))
    assert sum(len(band) for band in _bands_of(picture)) == 16 * 128
    quiet = grey(0.5 + np.random.default_rng(8).normal(0, 8 * LEVEL, (4096, 64)))
    for part in (slice(0, 600), slice(-600, None), slice(1700, 2300)):
        picture = quiet.copy()
        picture[part] = 0.5
        assert noise_of(picture) < 1 * LEVEL < noise_of(quiet)


def test_an_enlargement_gets_what_it_lost_of_its_source(face: Pixels) -> None:
    truth = face
    source = cv2.resize(truth, (128, 128), interpolation=cv2.INTER_AREA)
    plain = cv2.resize(source, (256, 256), interpolation=cv2.INTER_CUBIC)
    plastic = cv2.bilateralFilter(plain, 9, 0.12, 3.0)
    made = plastic.copy()
    told = give_back(made, source, 1.0, noise_of(source))
    assert off(truth, made) < 0.96 * off(truth, plastic)
    assert told.restored > told.kept
    untouched = plastic.copy()
    nowhere = np.zeros((128, 128), np.float32)
    give_back(untouched, source, 1.0, 0.0, nowhere)
    assert np.array_equal(untouched, np.clip(plastic, 0, 1))
