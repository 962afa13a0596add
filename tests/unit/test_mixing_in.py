"""A tile is mixed into the picture strip by strip: as if its change were made, weighed and added whole."""

from __future__ import annotations

import numpy as np
import pytest

from lib_finisher.imaging.geometry import Box
from lib_finisher.redraw.fitting import mix_in, weigh
from lib_finisher.redraw.gates import broken

CHANCE = np.random.default_rng(3)


@pytest.mark.parametrize(
    "box", [Box(0, 0, 90, 70), Box(13, 21, 80, 100), Box(-9, 40, 30, 130), Box(70, -20, 140, 150)], ids=str
)
def test_it_comes_to_the_same_bits(box: Box) -> None:
    picture = CHANCE.random((110, 90, 3), dtype=np.float32)
    result, before = (CHANCE.random((box.height, box.width, 3), dtype=np.float32) for _ in range(2))
    weight = CHANCE.random((box.height, box.width), dtype=np.float32)
    expected = picture.copy()
    for row in range(box.height):
        for column in range(box.width):
            y, x = box.top + row, box.left + column
            if 0 <= y < 110 and 0 <= x < 90:
                expected[y, x] += (result[row, column] - before[row, column]) * weight[row, column]
    mix_in(picture, box, result, before, weight)
    assert np.array_equal(picture, expected)


def test_outside_nothing_happens() -> None:
    picture, part = np.zeros((20, 20, 3), np.float32), np.ones((8, 8, 3), np.float32)
    mix_in(picture, Box(30, 0, 38, 8), part, 0 * part, part[..., 0])
    assert not picture.any()


def test_a_change_is_weighed_to_its_last_row() -> None:
    change, weight = CHANCE.random((101, 17, 3), dtype=np.float32), CHANCE.random((101, 17), dtype=np.float32)
    expected = change * weight[..., None]
    weigh(change, weight.astype(np.float64).astype(np.float32))
    assert np.array_equal(change, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_found_in_a_large_picture(value: float) -> None:
    before = CHANCE.random((1024, 1024, 3), dtype=np.float32)
    after = before.copy()
    assert broken(before, after) == ""
    after[1023, 1001, 2] = value
    assert "not numbers" in broken(before, after)
