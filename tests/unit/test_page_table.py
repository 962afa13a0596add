"""The table of controls as the page gets it: every list of a host's choices once, and what must stand in a row."""

from __future__ import annotations

import json

import pytest

from lib_finisher.presets.builtin import BUILT_IN
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.quick import QUICK
from lib_finisher.presets.resolve import Choice, resolve
from lib_finisher.stages.sections import NAMES
from lib_finisher.ui.table import Offer, page_table

CHECKPOINTS = [f"models/a checkpoint with quite a long name {number}.safetensors" for number in range(500)]
ON = {
    "Faces": {"detail"},
    "Faces + 2×": {"detail", "upscale"},
    "Everything": {"refine", "detail", "upscale", "texture", "grade"},
    "Finish a photograph": {"upscale", "texture", "grade"},
    "Only upscale": {"upscale"},
}


def test_five_hundred_checkpoints_are_listed_once() -> None:
    plain = len(json.dumps(page_table(Offer({}))))
    whole = len(json.dumps(page_table(Offer({"checkpoint": CHECKPOINTS}))))
    assert whole - plain < 1.1 * len(json.dumps(CHECKPOINTS))


def test_what_is_set_most_stands_in_the_row() -> None:
    stages = {stage["name"]: stage for stage in page_table(Offer({}))["stages"]}
    rows = {
        name: [row["name"] for row in stages[name]["passes"]["controls"] if row["prominent"]]
        for name in ("detail", "upscale")
    }
    assert rows == {
        "detail": ["detector", "denoising_strength", "prompt"],
        "upscale": ["factor", "upscaler", "denoising_strength"],
    }


@pytest.mark.parametrize("family", ["sd1", "sdxl", "flux", "embedded"])
def test_a_quick_choice_says_of_every_stage_whether_it_is_on(family: str) -> None:
    assert [item.name for item in QUICK] == list(ON)
    for name, on in ON.items():
        recipe = resolve(Checkpoint("x", family=family), BUILT_IN, None, Choice((name,))).recipe
        assert {stage for stage in NAMES if recipe[stage].enabled} == on, name


def test_a_photograph_is_not_redrawn() -> None:
    recipe = resolve(Checkpoint("x", family="sdxl"), BUILT_IN, None, Choice(("Finish a photograph",))).recipe
    assert recipe["base"].finish_only
    assert not any(item.redraws for item in (*recipe["upscale"].passes, *recipe["texture"].passes))
    assert recipe["grade"].colour_pass == 0
