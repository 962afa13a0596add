"""How far a sampler of a web UI is, told by its noise levels: what a differential mask goes by."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lib_finisher.hosts.webui.steps import Steps

LEVELS = [*np.geomspace(14.6, 0.03, 20).tolist(), 0.0]


def shares(levels: list[float]) -> list[float]:
    steps = Steps()
    steps.begin(LEVELS)
    return [steps.reach(level) for level in levels]


def test_a_call_a_step() -> None:
    """Sampling begins in the middle of the schedule, as img2img does."""
    assert shares(LEVELS[12:20]) == pytest.approx([number / 8 for number in range(8)])


def test_a_level_that_was_rounded_is_still_its_step() -> None:
    rounded = [float(np.float16(level)) for level in LEVELS[:20]]
    assert shares(rounded) == pytest.approx([number / 20 for number in range(20)], abs=1e-9)


def test_a_second_call_within_a_step_lies_within_it() -> None:
    between = [value for one, other in itertools.pairwise(LEVELS[10:20]) for value in (one, (one + other) / 2)]
    found = shares(between)
    assert found[::2] == pytest.approx([number / 10 for number in range(9)])
    assert all(one < middle < other for one, middle, other in zip(found[::2], found[1::2], found[2::2]))


def test_what_joined_in_stays_when_a_sampler_goes_back() -> None:
    found = shares([*LEVELS[10:16], *LEVELS[13:18]])
    assert found == sorted(found)
    assert found[5:9] == pytest.approx([0.5] * 4)


def test_one_step_and_no_schedule() -> None:
    assert shares(LEVELS[19:20]) == [0.0]
    assert Steps().reach(1.0) == 0.0
