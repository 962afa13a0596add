"""Grain: the same for a seed whatever part is computed, as strong and as large as asked, gone when off."""

from __future__ import annotations

import numpy as np
import pytest

from lib_finisher.imaging.curves import Curves
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.grain import Grain, scaled_size
from lib_finisher.stages.grade_settings import GradeSettings
from lib_finisher.stages.grade_strips import Extras, Grading

GREY = np.full((200, 700, 3), 0.5, dtype=np.float32)


@pytest.mark.parametrize("one", [Grain(0.3, 1.0, 7), Grain(0.3, 1.2, 7), Grain(0.3, 3.7, 7, colour=0.6)])
def test_parts_of_a_picture_have_the_grain_of_the_whole(one: Grain) -> None:
    whole = one.apply(GREY)
    for rows in (1, 13, 64, 199):
        parts = [one.apply(GREY[top : top + rows], top) for top in range(0, 200, rows)]
        assert np.array_equal(np.concatenate(parts), whole)


def test_a_narrower_picture_has_the_same_grain() -> None:
    one = Grain(0.3, 1.2, 7)
    assert np.array_equal(one.apply(GREY[:, :512])[:, :500], one.apply(GREY)[:, :500])


def test_a_seed_is_one_grain_and_another_seed_another() -> None:
    first, again, other = Grain(0.3, 1.2, 7), Grain(0.3, 1.2, 7), Grain(0.3, 1.2, 8)
    assert np.array_equal(first.apply(GREY), again.apply(GREY))
    difference = np.corrcoef((first.apply(GREY) - 0.5).ravel(), (other.apply(GREY) - 0.5).ravel())[0, 1]
    assert abs(difference) < 0.02
    assert np.isfinite(Grain(0.3, 1.2, -5).apply(GREY)).all()


@pytest.mark.parametrize("size", [1.0, 1.2, 2.0, 4.0, 12.0])
def test_its_strength_does_not_depend_on_its_size(size: float) -> None:
    assert Grain(0.5, size, 3).field(0, 0, 400, 700).std() == pytest.approx(1.0, abs=0.08)
    deviation = (Grain(0.5, size, 3).apply(GREY) - GREY).std()
    assert deviation == pytest.approx(0.05, rel=0.08)


def test_larger_grain_is_smoother() -> None:
    def alike(size: float) -> float:
        field = Grain(1.0, size, 1).field(0, 0, 300, 300)
        return float(np.corrcoef(field[:, :-2].ravel(), field[:, 2:].ravel())[0, 1])

    assert abs(alike(1.0)) < 0.02 < alike(1.5) < alike(2.5) < alike(4.0)


def test_it_follows_the_luminance() -> None:
    def strength(one: Grain, light: float) -> float:
        picture = np.full((200, 200, 3), light, dtype=np.float32)
        return float((one.apply(picture) - picture).std())

    plain = Grain(1.0, 1.2, 2)
    assert strength(plain, 0.0) == pytest.approx(0.35 * strength(plain, 0.5), rel=0.02)
    assert strength(plain, 1.0) == pytest.approx(0.35 * strength(plain, 0.5), rel=0.02)
    film = Grain(1.0, 1.2, 2, shadows=1.0, highlights=0.0)
    assert strength(film, 0.0) == pytest.approx(strength(film, 0.5), rel=0.02)
    assert strength(film, 1.0) == 0.0


def test_mono_grain_is_the_same_in_all_channels_and_colour_grain_is_not() -> None:
    mono = Grain(1.0, 1.2, 4).apply(GREY) - GREY
    assert np.array_equal(mono[..., 0], mono[..., 1]) and np.array_equal(mono[..., 1], mono[..., 2])
    colour = (Grain(1.0, 1.2, 4, colour=1.0).apply(GREY) - GREY).reshape(-1, 3)
    between = np.corrcoef(colour.T)[[0, 0, 1], [1, 2, 2]]
    assert np.abs(between).max() < 0.02
    half = (Grain(1.0, 1.2, 4, colour=0.5).apply(GREY) - GREY).reshape(-1, 3)
    assert half.std() == pytest.approx(mono.std(), rel=0.03)
    assert np.corrcoef(half.T)[0, 1] == pytest.approx(0.75, abs=0.03)


def test_its_size_follows_the_picture_where_that_is_asked_for() -> None:
    assert scaled_size(1.2, Size(1024, 1024)) == pytest.approx(1.2)
    assert scaled_size(1.2, Size(4096, 4096)) == pytest.approx(4.8)
    assert scaled_size(1.2, Size(256, 256)) == 1.0


def test_no_grain_is_no_grain() -> None:
    settings = GradeSettings(contrast=0.0, saturation=0.0, grain=0.0)
    assert Grading(GREY, settings, Extras(Curves()), 1).idle
    graded = GradeSettings(contrast=0.3, saturation=0.0, grain=0.0)
    flat = Grading(GREY, graded, Extras(Curves()), 1).apply()[0]
    assert np.ptp(flat.reshape(-1, 3), axis=0).max() == 0
