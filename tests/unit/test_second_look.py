"""The second look: what is shown of a finding, how it is turned, and what is made of the looks' scores."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.second_look import second_look, turned_look
from lib_finisher.imaging.geometry import Box

SHOWN = {128: 48, 192: 80, 256: 128}
BOX = Box(170, 120, 230, 180)
CROWN = 24


def with_crown(degrees: float) -> np.ndarray:
    """A dark picture with a light dot where the crown of a head in the middle of `BOX` is that is turned clockwise."""
    picture = np.zeros((300, 400, 3), np.uint8)
    angle = math.radians(degrees)
    x, y = 200 + CROWN * math.sin(angle), 150 - CROWN * math.cos(angle)
    picture[round(y) - 3 : round(y) + 3, round(x) - 3 : round(x) + 3] = 255
    return picture


def crown_of(shown: np.ndarray) -> float:
    """How far the dot lies from straight above the middle, in degrees."""
    rows, columns = np.nonzero(shown[..., 0] > 100)
    middle = shown.shape[0] / 2 - 0.5
    return math.degrees(math.atan2(columns.mean() - middle, middle - rows.mean()))


def in_the_middle(shown: np.ndarray, score: float, down: float = 0.0) -> list[Detection]:
    side = shown.shape[0]
    half, low = SHOWN[side] // 2, round(down * SHOWN[side])
    return [
        Detection(
            Box(side // 2 - half, side // 2 - half + low, side // 2 + half, side // 2 + half + low), score, "face"
        )
    ]


class Upright:
    """Is sure of faces that stand upright, and remembers what it is shown."""

    def __init__(self, sure: float = 0.9, unsure: float = 0.3) -> None:
        self.sure, self.unsure, self.sides = sure, unsure, list[int]()

    def __call__(self, shown: np.ndarray) -> list[Detection]:
        self.sides.append(shown.shape[0])
        return in_the_middle(shown, self.sure if abs(crown_of(shown)) < 10 else self.unsure)


def face(roll: float = 0.0) -> Detection:
    """A finding whose landmarks say that it is turned so far."""
    sine, cosine = math.sin(math.radians(roll)), math.cos(math.radians(roll))
    points = ((-12, -8), (12, -8), (0, 2), (-9, 12), (9, 12))
    turned = tuple((200 + x * cosine - y * sine, 150 + y * cosine + x * sine) for x, y in points)
    return Detection(BOX, 0.4, "face", turned)


@pytest.mark.parametrize("degrees", [-120, -30, 40, 90, 180])
def test_a_finding_is_shown_as_upright_as_its_landmarks_say(degrees: float) -> None:
    assert second_look(Upright(), with_crown(degrees), face(degrees)) == pytest.approx(0.9)
    assert second_look(Upright(), with_crown(degrees), face(degrees + 20)) == pytest.approx(0.3)
    assert second_look(Upright(), with_crown(degrees), face(degrees + 20), turn=-20) == pytest.approx(0.9)


@pytest.mark.parametrize("error", [180, 90, -90, 25, -25])
def test_landmarks_that_are_wrong_by_a_turn_are_seen_through(error: float) -> None:
    assert turned_look(Upright(), with_crown(30 + error), face(30)) == pytest.approx(0.9)


@pytest.mark.parametrize("error", [55, -55, 135, -135])
def test_other_turns_are_not_tried(error: float) -> None:
    assert turned_look(Upright(), with_crown(30 + error), face(30)) == 0.0


def test_the_surest_turn_is_the_one_that_is_looked_at_again() -> None:
    def look(shown: np.ndarray) -> list[Detection]:
        near = {180: 0.55, 90: 0.8, -90: 0.6, 25: 0.55, -25: 0.5}
        turn = min(near, key=lambda value: abs((abs(crown_of(shown)) - abs(value) + 180) % 360 - 180))
        return in_the_middle(shown, near[turn] if turn != -90 else 0.8)

    assert turned_look(look, with_crown(0), face()) == pytest.approx(0.8)


@pytest.mark.parametrize(("score", "looks"), [(0.85, 2 + 6), (0.84, 10 + 6), (0.5, 10 + 6), (0.49, 10)])
def test_turning_ends_when_it_is_sure_enough_and_leads_nowhere_when_it_is_not(score: float, looks: int) -> None:
    look = Upright(score, 0.1)
    # On its head: the first turn is the right one.
    assert turned_look(look, with_crown(180), face()) == pytest.approx(score if score >= 0.5 else 0.0)
    assert len(look.sides) == looks


def test_a_turn_that_only_the_mirror_likes_is_none() -> None:
    number = iter(range(1000))
    assert (
        turned_look(lambda shown: in_the_middle(shown, 0.9 if next(number) % 2 else 0.0), with_crown(0), face()) == 0.0
    )


@pytest.mark.parametrize(("down", "seen"), [(0.0, 0.8), (0.3, 0.8), (0.5, 0.0)])
def test_what_lies_above_or_below_is_something_else(down: float, seen: float) -> None:
    assert second_look(lambda shown: in_the_middle(shown, 0.8, down), with_crown(0), face()) == pytest.approx(seen)


def shown_of(picture: np.ndarray, found: Detection) -> list[np.ndarray]:
    pictures: list[np.ndarray] = []

    def look(shown: np.ndarray) -> list[Detection]:
        pictures.append(shown)
        return []

    second_look(look, picture, found)
    return pictures


def test_what_surrounds_a_tilted_finding_is_shown_into_the_corners() -> None:
    x, y = np.meshgrid(np.arange(400) - 200, np.arange(300) - 150)
    picture = np.repeat(np.uint8(np.clip(128 + 0.8 * (x + y), 0, 255))[..., None], 3, axis=2)
    for shown in shown_of(picture, face(45)):
        # Turned back by 45 degrees, a slope along the diagonal runs along an axis, all the way.
        plane = shown[..., 0].astype(float)
        level, slope = sorted((float(np.ptp(plane, axis=axis).min()), axis) for axis in (0, 1))
        assert np.ptp(plane, axis=level[1]).max() < 8 and slope[0] > 100


def test_beyond_the_pictures_border_nothing_dark_begins() -> None:
    light = np.full((80, 90, 3), 200, np.uint8)
    for shown in shown_of(light, Detection(Box(0, 0, 40, 40), 0.4, "face")):
        assert (shown == 200).all()


def test_a_large_finding_is_reduced_by_averaging() -> None:
    fine = np.zeros((900, 900, 3), np.uint8)
    fine[::2, ::2] = fine[1::2, 1::2] = 255
    for shown in shown_of(fine, Detection(Box(100, 100, 800, 800), 0.4, "face")):
        middle = shown.shape[0] // 2
        assert np.ptp(shown[middle - 20 : middle + 20, middle - 20 : middle + 20].astype(int)) < 60
