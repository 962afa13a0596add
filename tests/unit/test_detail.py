"""The detail stage with planted findings: which is redrawn, with which prompt, seed, mask and strength."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.events import Control, Event, Progress
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Capabilities, Element
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe, default_recipe, read_recipe
from lib_finisher.stages.detail import Detail, DetailPass, DetailSettings
from lib_finisher.stages.detail_choice import strength_for
from lib_finisher.stages.detail_patches import Choice, choose
from lib_finisher.stages.detail_prompts import entries_for
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Finder, Tools, Work
from tests.conftest import Onward

PICTURE = Size(384, 256)
BASE = Base(prompt="base <lora:hero:1>", negative_prompt="bad", seed=100, style="[PROMPT], oil", steps=4)


def at(x: int, y: int, side: int, confidence: float = 0.9, label: str = "face") -> Detection:
    return Detection(Box(x - side // 2, y - side // 2, x + side // 2, y + side // 2), confidence, label)


LEFT, MIDDLE, RIGHT = at(60, 60, 40, 0.8), at(180, 120, 30, 0.6), at(310, 180, 60, 0.7)
HAND = at(250, 60, 24, 0.5, "hand")
ALL = [RIGHT, LEFT, HAND, MIDDLE]


def planted(found: list[Detection], size: Size = PICTURE) -> Finder:
    """Finds these in a whole picture, and nothing in crops, so that no gate has an opinion."""
    return lambda name, pixels, confidence, search=ORDINARY: (
        [item for item in found if item.confidence >= (confidence or 0.3)] if size_of(pixels) == size else []
    )


def chosen(host: EmbeddedHost, found: list[Detection], one: DetailPass, base: Base = BASE) -> Choice:
    return choose(found, PICTURE, one, base, Tools(host, planted(found), Onward()))


def prompts(choice: Choice) -> dict[Box | None, str]:
    return {patch.about: patch.prompt for patch in choice.patches}


class Recording(EmbeddedHost):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []

    def redraw(self, batch, watch):  # type: ignore[no-untyped-def]
        self.elements += batch.elements
        return super().redraw(batch, watch)


def recipe_of(*given: dict[str, object]) -> Recipe:
    data: dict[str, object] = {name: {"enabled": name == "detail"} for name in NAMES}
    data["detail"] = {"enabled": True, "passes": [{"steps": 4, **one} for one in given]}
    return read_recipe(data)


def run(host: EmbeddedHost, picture: Pixels, found: list[Detection], *given: dict[str, object]) -> Finished:
    finder = planted(found, size_of(picture))
    return Pipeline(host, finder, recipe_of(*given)).run([Work(picture, BASE)])[0]


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[: PICTURE.height, : PICTURE.width])


# Prompts


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", ["", "", "", ""]),
        (" a ", [" a "] * 4),
        ("a [SEP] b", ["a", "b", "b", "b"]),
        ("a[SEP][SEP]c", ["a", "", "c", "c"]),
        ("[SKIP] [SEP]a [SEP] [SKIP]", ["[SKIP]", "a", "[SKIP]", "[SKIP]"]),
        ("a [SEP] b [SEP] c [SEP] d [SEP] e", ["a", "b", "c", "d"]),
        ("[FOR hand] fist", ["", "", "fist", ""]),
        ("[FOR Hand] fist [SEP] a [SEP] b", ["a", "b", "fist", "b"]),
        ("[CLASS=hand][SKIP] [SEP] a", ["a", "a", "[SKIP]", "a"]),
        ("[FOR 2] two [SEP] [FOR face] any", ["any", "two", "", "any"]),
        ("[FOR largest] big [SEP] rest", ["rest", "rest", "rest", "big"]),
        ("[FOR leftmost, rightmost] edge [SEP] [FOR surest] sure", ["edge", "", "", "edge"]),
        ("[FOR smallest] s [SEP] [FOR lowest] l [SEP] [FOR topmost] t", ["t", "", "s", "l"]),
        ("[FOR 1, hand] x", ["x", "", "x", ""]),
        ("[FOR nobody] x [SEP] [FOR 9] y", ["", "", "", ""]),
        ("[FOR ] x [SEP] a", ["a"] * 4),
        ("[face] and [a:b:0.5]", ["[face] and [a:b:0.5]"] * 4),
    ],
)
def test_entries_go_to_their_findings(text: str, expected: list[str]) -> None:
    assert entries_for(text, [LEFT, MIDDLE, HAND, RIGHT]) == expected


def test_of_equal_findings_an_extreme_is_the_first() -> None:
    assert entries_for("[FOR largest] x [SEP] a", [at(10, 10, 8), at(30, 10, 8)]) == ["x", "a"]
    assert entries_for("[FOR largest] x [SEP] a", [LEFT, LEFT]) == ["x", "a"]
    assert entries_for("a [SEP] b", []) == []


def test_each_entry_takes_up_the_base_prompt_networks_and_styles(host: EmbeddedHost) -> None:
    one = DetailPass(
        prompt="[PROMPT], blue [SEP] a man [SEP] [SEP] <lora:own:1> x", negative_prompt="ugly [SEP] [PROMPT], worse"
    )
    patches = chosen(host, [LEFT, MIDDLE, RIGHT, HAND], one).patches
    assert [patch.prompt for patch in patches] == [
        "base <lora:hero:1>, blue", "a man, oil <lora:hero:1>", "base <lora:hero:1>",
        "<lora:own:1> x, oil <lora:hero:1>",
    ]  # fmt: skip
    assert [patch.negative_prompt for patch in patches] == ["ugly", *["bad, worse"] * 3]
    bare = chosen(host, [LEFT, MIDDLE], replace(one, carry=False)).patches
    assert [patch.prompt for patch in bare] == ["base <lora:hero:1>, blue", "a man"]


def test_a_skipped_finding_keeps_its_pixels_and_its_number(host: EmbeddedHost, picture: np.ndarray) -> None:
    engine = Recording()
    done = run(engine, picture, [LEFT, MIDDLE, RIGHT], {"prompt": "a [SEP] [SKIP] [SEP] c"})
    report = next(item for item in done.reports if item.stage == "detail")
    assert [(item.prompt, item.seed) for item in engine.elements] == [
        ("a, oil <lora:hero:1>", 100), ("c, oil <lora:hero:1>", 102),
    ]  # fmt: skip
    assert "1 skipped by the prompt" in report.reason
    assert "2 redrawn" in report.reason
    changed = np.abs(done.pixels - picture).max(axis=-1) > 0
    inner = MIDDLE.box.grown(-6)
    assert not changed[inner.top : inner.bottom, inner.left : inner.right].any()
    assert changed[40:80, 40:80].mean() > 0.5


def test_a_negative_prompt_can_skip_too(host: EmbeddedHost) -> None:
    choice = chosen(host, ALL, DetailPass(negative_prompt="[FOR hand] [SKIP]"))
    assert choice.skipped == 1
    assert HAND.box not in prompts(choice)


def test_nothing_is_redrawn_where_all_is_skipped(host: EmbeddedHost, picture: np.ndarray) -> None:
    for merge in ("none", "merge", "merge and invert"):
        done = run(host, picture, ALL, {"prompt": "[SKIP]", "merge": merge})
        assert np.array_equal(done.pixels, picture)
        assert done.error == ""


# Numbers


def test_what_is_large_enough_keeps_its_number(host: EmbeddedHost) -> None:
    big = Detection(Box(0, 0, 2000, 2000), 0.9, "face")
    picture, right = Size(4000, 3000), at(3000, 500, 60)
    one = DetailPass(prompt="big [SEP] small")
    choice = choose([right, big], picture, one, BASE, Tools(host, planted([]), Onward()))
    assert choice.large == 1
    assert [(patch.prompt, patch.seed, patch.label) for patch in choice.patches] == [
        ("small, oil <lora:hero:1>", 101, "face 2")
    ]


def test_numbers_count_what_the_filters_leave_or_all(host: EmbeddedHost) -> None:
    text = "a [SEP] b [SEP] c [SEP] d"
    seeds = lambda **more: {
        patch.about: patch.seed - BASE.seed
        for patch in chosen(host, ALL, DetailPass(prompt=text, smallest=0, **more)).patches
    }
    assert seeds() == {LEFT.box: 0, MIDDLE.box: 1, HAND.box: 2, RIGHT.box: 3}
    assert seeds(exclude="face") == {HAND.box: 0}
    assert seeds(exclude="face", number_first=True) == {HAND.box: 2}
    assert seeds(most=2) == {LEFT.box: 0, RIGHT.box: 1}
    assert seeds(most=2, number_first=True) == {LEFT.box: 0, RIGHT.box: 3}
    assert seeds(only="2, 4") == seeds(only="2, 4", number_first=True) == {MIDDLE.box: 1, RIGHT.box: 3}


# Filters


@pytest.mark.parametrize(
    "given, expected",
    [
        ({}, [LEFT, MIDDLE, HAND, RIGHT]),
        ({"min_area": 0.01}, [LEFT, RIGHT]),
        ({"max_area": 0.01}, [MIDDLE, HAND]),
        ({"min_area": 0.008, "max_area": 0.02}, [LEFT, MIDDLE]),
        ({"smallest": 28}, [LEFT, MIDDLE, RIGHT]),
        ({"most": 2}, [LEFT, RIGHT]),
        ({"most": 1, "most_by": "area"}, [RIGHT]),
        ({"most": 3, "most_by": "area"}, [LEFT, MIDDLE, RIGHT]),
        ({"most": 1, "exclude": "FACE "}, [HAND]),
        ({"only": "face"}, [LEFT, MIDDLE, RIGHT]),
        ({"only": "face, 2"}, [MIDDLE]),
        ({"only": "face, hand"}, [LEFT, MIDDLE, HAND, RIGHT]),
        ({"only": "foot"}, []),
        ({"exclude": "1, hand"}, [MIDDLE, RIGHT]),
        ({"exclude": "1,3", "order": "size"}, [LEFT, HAND]),
        ({"only": "1", "order": "confidence"}, [LEFT]),
        ({"only": " , ,"}, [LEFT, MIDDLE, HAND, RIGHT]),
        ({"only": "0"}, []),
        ({"only": "99999999999999999999, hand"}, [HAND]),
    ],
)
def test_filters(host: EmbeddedHost, given: dict[str, object], expected: list[Detection]) -> None:
    one = replace(DetailPass(smallest=0), **given)
    assert {patch.about for patch in chosen(host, ALL, one).patches} == {item.box for item in expected}


def test_a_finding_that_fills_more_than_the_picture_passes_the_default_limits(host: EmbeddedHost) -> None:
    over = Detection(Box(-20, -20, 410, 280), 0.9, "face")
    assert len(chosen(host, [over], DetailPass(padding=0.0)).findings) == 1


def test_what_the_filters_drop_is_said(host: EmbeddedHost, picture: np.ndarray) -> None:
    done = run(host, picture, ALL, {"exclude": "face"})
    assert "found 1 hand" in done.reports[3].reason
    assert "3 more filtered out" in done.reports[3].reason
    none = run(host, picture, ALL, {"exclude": "face, hand"})
    assert none.reports[3].status == "skipped"
    assert "found 4, filtered out" in none.reports[3].reason


# Masks


def test_offsets_move_the_mask_right_and_up(host: EmbeddedHost) -> None:
    one = DetailPass(x_offset=1.0, y_offset=0.5, mask_blur=0.0, dilation=0.0)
    patch = chosen(host, [LEFT], one).patches[0]
    rows, columns = np.nonzero(patch.weight() > 0.5)
    assert columns.mean() + 0.5 + patch.box.left == pytest.approx(60 + 40, abs=1)
    assert rows.mean() + 0.5 + patch.box.top == pytest.approx(60 - 20, abs=1)
    assert patch.about == LEFT.box


def test_a_mask_moved_out_of_the_picture_costs_nothing(host: EmbeddedHost) -> None:
    at_the_edge = at(20, 20, 40)
    for merge in ("none", "merge"):
        assert chosen(host, [at_the_edge], DetailPass(x_offset=-2.0, merge=merge)).patches == ()


def test_merged_findings_are_one_redraw_with_the_first_ones_prompt(host: EmbeddedHost, picture: np.ndarray) -> None:
    given = {"merge": "merge", "prompt": "[SKIP] [SEP] b [SEP] c", "padding": 0.1}
    engine = Recording()
    done = run(engine, picture, [LEFT, MIDDLE, RIGHT], given)
    assert [(item.prompt, item.seed) for item in engine.elements] == [("b, oil <lora:hero:1>", 101)]
    changed = np.abs(done.pixels - picture).max(axis=-1) > 0
    assert changed[115:125, 175:185].all()
    assert changed[170:190, 300:320].mean() > 0.9
    assert not changed[50:70, 50:70].any(), "skipped"
    assert not changed[230:, :200].any()


def test_inverted_everything_but_the_findings_is_redrawn(host: EmbeddedHost, picture: np.ndarray) -> None:
    done = run(host, picture, [LEFT, MIDDLE, RIGHT], {"merge": "merge and invert", "prompt": "a [SEP] [SKIP]"})
    assert done.error == ""
    changed = np.abs(done.pixels - picture).max(axis=-1) > 0
    for item in (LEFT, MIDDLE, RIGHT):
        inner = item.box.grown(-item.box.width // 5)
        assert not changed[inner.top : inner.bottom, inner.left : inner.right].any()
    assert changed[200:, :200].mean() > 0.9


@pytest.mark.parametrize("merge", ["merge", "merge and invert"])
def test_merged_masks_too_large_for_one_canvas_are_tiled(host: EmbeddedHost, merge: str) -> None:
    large, one = Size(2400, 1800), DetailPass(merge=merge, padding=0.1)
    found = [at(200, 200, 100), at(2200, 1600, 100)]
    choice = choose(found, large, one, BASE, Tools(host, planted([]), Onward()))
    assert choice.together
    assert len(choice.patches) > 1
    landed = np.zeros((large.height, large.width))
    for patch in choice.patches:
        box = patch.box
        landed[max(0, box.top) : box.bottom, max(0, box.left) : box.right] += patch.weight()[
            max(0, -box.top) : large.height - box.top, max(0, -box.left) : large.width - box.left
        ]
    inside, outside = landed[190:210, 190:210], landed[800:1000, 1100:1300]
    assert np.allclose(inside, 1 if merge == "merge" else 0, atol=1e-5)
    assert np.allclose(outside, 0 if merge == "merge" else 1, atol=1e-5)


def test_a_thin_finding_with_a_wide_blur_needs_no_more_than_the_picture(host: EmbeddedHost) -> None:
    thin = Detection(Box(0, 100, 384, 101), 0.9, "line")
    one = DetailPass(merge="merge and invert", mask_blur=1.0, smallest=0)
    assert len(chosen(host, [thin], one).patches) == 1


def test_a_merged_redraw_is_judged_by_every_finding(host: EmbeddedHost, picture: np.ndarray) -> None:
    """In a crop the second face is found only as long as it is untouched."""
    sides: list[bool] = []

    def find(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        if size_of(pixels) == PICTURE:
            return [LEFT, MIDDLE]
        sides.append(True)
        scale = pixels.shape[1] / (crop.width)
        place = lambda item: replace(
            item,
            box=Box(*(round(v * scale) for v in _corners(item.box.moved(-crop.left, -crop.top)))),
            confidence=0.9,
        )
        return [place(LEFT)] if len(sides) % 2 == 0 else [place(LEFT), place(MIDDLE)]

    crop = chosen(host, [LEFT, MIDDLE], DetailPass(merge="merge")).patches[0].box
    done = Pipeline(host, find, recipe_of({"merge": "merge"})).run([Work(picture, BASE)])[0]
    assert len(sides) == 2
    assert "less sure (0.90 to 0.00)" in done.reports[3].refusals[0]
    assert np.array_equal(done.pixels, picture)


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


class OneByOne(EmbeddedHost):
    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, most_elements=1)


@pytest.mark.parametrize("merge, kept", [("none", True), ("merge and invert", False)])
def test_finished_findings_stay_when_stopped_and_half_a_layout_of_tiles_does_not(
    portrait: np.ndarray, merge: str, kept: bool
) -> None:
    large = np.ascontiguousarray(np.tile(portrait, (1, 4, 1)))[:400]
    control = Control()

    def press(event: Event) -> None:
        if isinstance(event, Progress) and event.done > event.total * 0.7:
            control.interrupt()

    finder = planted([at(100, 100, 60), at(600, 100, 60)], size_of(large))
    pipeline = Pipeline(OneByOne(), finder, recipe_of({"merge": merge}), listener=press, control=control)
    done = pipeline.run([Work(large, BASE)])[0]
    assert "interrupted" in done.error
    assert done.reports[3].cost.patches >= 1
    assert np.array_equal(done.pixels, large) != kept


# Strength


def test_the_strength_falls_with_the_size_between_its_limits() -> None:
    plain, by_size = DetailPass(denoising_strength=0.3), DetailPass(denoising_strength=0.3, denoising_by_size=True)
    region = lambda side: Box(0, 0, side, side)
    assert {strength_for(region(side), 512, plain) for side in (8, 128, 900)} == {0.3}
    found = [strength_for(region(side), 512, by_size) for side in (1, 48, 128, 192, 256, 900)]
    assert found == pytest.approx([0.45, 0.39, 0.3, 0.24, 0.15, 0.15])
    # 64 pixels are little for a model of 1024 and enough for one of 256.
    assert strength_for(region(64), 1024, by_size) > 0.4
    assert strength_for(region(64), 256, by_size) == pytest.approx(0.3)
    assert strength_for(region(8), 512, replace(by_size, denoising_strength=0.5)) == 0.6
    assert strength_for(region(8), 512, replace(by_size, denoising_strength=0.8)) == 0.8


# The estimate


def test_the_estimate_of_tiles_is_what_the_run_takes(host: EmbeddedHost, portrait: np.ndarray) -> None:
    work = Work(np.ascontiguousarray(np.tile(portrait, (1, 4, 1)))[:400], BASE)
    recipe, found = recipe_of({"steps": 1, "merge": "merge and invert"}), [at(100, 100, 60)]
    told = Detail().estimate(work, work.size, recipe["detail"], Tools(host, planted(found, work.size), Onward()))
    cost = Pipeline(host, planted(found, work.size), recipe).run([work])[0].reports[3].cost
    assert (told.patches, told.host_calls) == (cost.patches, cost.host_calls)
    assert told.patches > 1


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"prompt": "a [SEP] [SKIP] [SEP] c"},
        {"denoising_by_size": True},
        {"most": 2, "most_by": "area", "exclude": "hand"},
        {"merge": "merge"},
        {"merge": "merge and invert"},
        {"denoising_strength": 0.0},
        {"only": "foot"},
        {"padding": 2.0},
    ],
)
def test_the_estimate_is_what_the_run_takes(host: EmbeddedHost, picture: np.ndarray, given: dict[str, object]) -> None:
    work, recipe = Work(picture, BASE), recipe_of({"gate": 1.0, **given}, given)
    tools = Tools(host, planted(ALL), Onward())
    told = Detail().estimate(work, work.size, recipe["detail"], tools)
    done = Pipeline(host, planted(ALL), recipe).run([work])[0]
    cost = done.reports[3].cost
    assert (told.patches, told.host_calls) == (cost.patches, cost.host_calls)
    assert told.megapixel_steps == pytest.approx(cost.megapixel_steps)


def test_the_new_controls_say_nothing_by_default() -> None:
    one = default_recipe()["detail"].passes[0]
    assert isinstance(default_recipe()["detail"], DetailSettings)
    assert (one.prompt, one.only, one.exclude, one.merge, one.most_by) == ("", "", "", "none", "confidence")
    assert (one.min_area, one.max_area, one.x_offset, one.y_offset) == (0.0, 1.0, 0.0, 0.0)
    assert not one.number_first
    assert not one.denoising_by_size
