"""How many findings a pass leaves alone, each under its own reason, and in which words."""

from __future__ import annotations

import numpy as np
import pytest

from lib_finisher.detect.detection import Detection
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.stages.detail import DetailPass, _told
from lib_finisher.stages.detail_patches import Choice, choose
from lib_finisher.stages.stage import Base, Tools
from tests.conftest import Onward

PICTURE = Size(384, 256)


def face(x: int, y: int, side: int = 40, thin: bool = False) -> Detection:
    box = Box(x - side // 2, y - side // 2, x + side // 2, y + side // 2)
    strokes = np.zeros((side, side), np.float32)
    strokes[:, side // 2 : side // 2 + 3] = 1
    return Detection(box, 0.9, "face", silhouette=strokes if thin else np.ones((side, side), np.float32))


def right_half(area: Box) -> Mask:
    """Where the pass may draw."""
    columns = (np.arange(area.left, area.right) >= PICTURE.width // 2).astype(np.float32)
    return np.tile(columns, (area.height, 1))


def chosen(found: list[Detection], where: object = right_half, **one: object) -> tuple[Choice, str]:
    settings = DetailPass(**{"detector": "a", "mask_blur": 0.0, "dilation": 0.0, "padding": 0.1, **one})  # type: ignore[arg-type]
    tools = Tools(EmbeddedHost(), lambda *_, **__: [], Onward())
    choice = choose(found, PICTURE, settings, Base(), tools, where)  # type: ignore[arg-type]
    return choice, "; ".join(_told(settings, found, found, choice))


EMPTY = "left alone: the mask is empty, its dilation shrank it to nothing"
AWAY = "left alone: its offset moved the mask outside the picture"
OUTSIDE = "outside where this pass may draw"
WITHIN, BEYOND = face(300, 100), face(60, 100)


def test_each_reason_has_its_own_number() -> None:
    found = [
        face(300, 60), face(300, 190, thin=True), face(340, 60, thin=True), BEYOND, face(60, 190), face(100, 60),
        face(60, 40, thin=True),
    ]  # fmt: skip
    choice, text = chosen(found, dilation=-0.5)
    assert [patch.about for patch in choice.patches] == [found[0].box]
    assert (choice.empty, choice.outside, choice.away, choice.large) == (3, 3, 0, 0)
    assert f"3 {EMPTY}" in text and f"3 {OUTSIDE}" in text and AWAY not in text
    assert text.startswith("a found 7 × face (")


def test_what_is_moved_away_is_no_empty_mask() -> None:
    found = [face(30, 100), face(40, 30), WITHIN]
    choice, text = chosen(found, None, x_offset=-2.0)
    assert (choice.away, choice.empty, choice.outside, len(choice.patches)) == (2, 0, 0, 1)
    assert f"2 {AWAY}" in text and EMPTY not in text and OUTSIDE not in text


@pytest.mark.parametrize("only_masked", [True, False])
def test_merged_masks_share_a_reason(only_masked: bool) -> None:
    for found, more, counts in (
        ([BEYOND, face(60, 190)], {}, (0, 2, 0)),
        ([face(300, 60, thin=True), face(300, 190, thin=True)], {"dilation": -0.5}, (2, 0, 0)),
        ([face(300, 60, thin=True), BEYOND], {"dilation": -0.5}, (0, 2, 0)),
        ([face(30, 60), face(40, 190)], {"x_offset": -2.0}, (0, 0, 2)),
        ([face(30, 60), BEYOND], {"x_offset": -1.5}, (0, 1, 1)),
    ):
        choice, text = chosen(found, merge="merge", only_masked=only_masked, **more)
        assert choice.patches == () and choice.redrawn == ()
        assert (choice.empty, choice.outside, choice.away) == counts, found
        for number, words in zip(counts, (EMPTY, OUTSIDE, AWAY)):
            assert (f"{number} {words}" in text) is (number > 0)


def test_merged_what_is_moved_away_leaves_the_others_their_redraw() -> None:
    choice, text = chosen([face(30, 60), WITHIN], None, merge="merge", x_offset=-2.0)
    assert choice.away == 1 and len(choice.patches) == 1 and f"1 {AWAY}" in text


def test_inverted_nothing_is_left_alone_by_its_mask() -> None:
    choice, text = chosen([face(30, 60)], None, merge="merge and invert", x_offset=-2.0)
    assert len(choice.patches) >= 1 and choice.away == 1
    everything = Detection(Box(-20, -20, 404, 276), 0.9, "face", silhouette=np.ones((9, 9), np.float32))
    choice, text = chosen([everything], None, merge="merge and invert")
    assert choice.patches == () and (choice.empty, choice.outside, choice.away) == (0, 0, 0)
    assert "left alone" not in text and OUTSIDE not in text


def test_what_an_earlier_pass_redrew_and_what_the_filters_dropped_are_other_numbers() -> None:
    found, settings = [WITHIN, BEYOND, face(200, 200)], DetailPass(detector="a")
    fresh, nothing = found[1:], chosen([], None)[0]
    assert _told(settings, [], [], nothing) == ["a found nothing"]
    less = chosen(fresh[:1], None)[0]
    text = "; ".join(_told(settings, found, fresh, less))
    assert "1 redrawn already by an earlier pass" in text and "1 more filtered out" in text
    assert _told(settings, found, [], nothing) == ["3 redrawn already by an earlier pass"]
    assert _told(settings, found, found, nothing) == ["a found 3, filtered out"]
