"""The SDXL refiner: for which checkpoints it is meant, when it takes over, and what is advised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib_finisher.family_detection import detect_header
from lib_finisher.hosts.port import ModelFacts
from lib_finisher.recipe import default_recipe, read_recipe, recorded
from lib_finisher.stages.base import BaseSettings
from lib_finisher.stages.refiner import FEWEST_STEPS, advice, first_step, is_refiner, why_not
from lib_finisher.ui.table import Offer, page_table

FOLDER = Path(__file__).resolve().parents[1] / "facts" / "families"
BASE = ModelFacts("base", "sdxl", 1024)
REFINER = ModelFacts("refiner", "sdxl", 1024, "refiner")


def facts_of(file: Path) -> ModelFacts:
    """A published header, as a host would tell of it."""
    fixture = json.loads(file.read_text("utf-8"))
    found = detect_header(fixture["header"], fixture["file_name"])
    return ModelFacts(file.stem, found.family.value, found.native_side, found.variant)


PUBLISHED = [facts_of(file) for file in sorted(FOLDER.glob("*.json"))]


def test_the_published_refiners_are_known_and_of_the_size_of_their_family() -> None:
    found = [item for item in PUBLISHED if is_refiner(item)]
    assert [item.name for item in found] == ["sdxl_diffusers_refiner", "sdxl_refiner"]
    assert {(item.family, item.native_side) for item in found} == {("sdxl", 1024)}


@pytest.mark.parametrize("base", PUBLISHED, ids=lambda facts: facts.name)
def test_every_published_family_but_sdxl_is_refused_with_another_way(base: ModelFacts) -> None:
    reason = why_not(base, REFINER)
    if base.family == "sdxl":
        assert bool(reason) is is_refiner(base)
    else:
        assert "for SDXL only" in reason
        assert "More steps" in reason
        assert "creative upscale" in reason
        assert base.name in reason


@pytest.mark.parametrize(
    ("base", "other", "told"),
    [
        (BASE, REFINER, ""),
        (ModelFacts("pony", "sdxl", 1024, "pony"), REFINER, ""),
        (REFINER, REFINER, "a second time"),
        (BASE, BASE, "base is SDXL and no SDXL refiner"),
        (BASE, ModelFacts("inpaint", "sdxl", 1024, "inpainting"), "no SDXL refiner"),
        (BASE, ModelFacts("old", "sd1", 512), "old is SD 1.x and no SDXL refiner"),
        (BASE, ModelFacts("pickle", "unknown", 512), "its header does not tell"),
        (ModelFacts("pickle", "unknown", 512), REFINER, "for SDXL only"),
    ],
)
def test_only_an_sdxl_refiner_takes_over(base: ModelFacts, other: ModelFacts, told: str) -> None:
    reason = why_not(base, other)
    assert told in reason
    assert bool(told) is bool(reason)


@pytest.mark.parametrize(
    ("sampled", "switch_at", "first"),
    [(30, 0.9, 27), (40, 0.9, 36), (30, 0.85, 26), (20, 0.8, 16), (20, 0.9, 18), (10, 0.99, 10), (1, 0.5, 1),
     (9, 0.1, 1)],
)  # fmt: skip
def test_it_takes_over_after_that_share_of_the_steps(sampled: int, switch_at: float, first: int) -> None:
    assert first_step(sampled, switch_at) == first


@pytest.mark.parametrize("switch_at", [0.5, 0.8, 0.85, 0.9, 0.95])
def test_the_advice_is_enough_and_no_more_than_that(switch_at: float) -> None:
    """What it names really leaves four steps, and a step less does not."""
    for sampled in range(2, 151):
        own, told = sampled - first_step(sampled, switch_at), advice(sampled, switch_at)
        assert bool(told) is (own < FEWEST_STEPS)
        if "sample " in told:
            needed = int(told.split("sample ")[1].split(" steps")[0])
            assert needed - first_step(needed, switch_at) >= FEWEST_STEPS
            assert needed - 1 - first_step(needed - 1, switch_at) < FEWEST_STEPS
        if "take over at " in told:
            sooner = float(told.split("take over at ")[1])
            assert sampled - first_step(sampled, sooner) >= FEWEST_STEPS


@pytest.mark.parametrize("idle", [1, 2])
def test_steps_that_are_counted_and_not_run_are_the_refiners_loss(idle: int) -> None:
    for sampled in range(8, 80):
        told = advice(sampled, 0.9, idle)
        assert bool(told) is (sampled - idle - first_step(sampled, 0.9) < FEWEST_STEPS)
        if "take over at " in told:
            sooner = float(told.split("take over at ")[1])
            assert sampled - idle - first_step(sampled, sooner) >= FEWEST_STEPS


def test_thirty_to_forty_steps_are_right_for_the_advised_shares() -> None:
    assert advice(30, 0.85) == ""
    assert advice(40, 0.9) == ""
    assert "sample 40 steps or let it take over at 0.86" in advice(30, 0.9)
    assert "has 2 of 20 steps" in advice(20, 0.9)


def test_it_is_off_and_leaves_a_stored_recipe_as_it_was() -> None:
    assert default_recipe()["base"].refiner_checkpoint == ""
    stored = {"version": 2, "base": {"finish_only": True}}
    assert recorded(read_recipe(stored)) == stored
    asked = {"version": 2, "base": {"refiner_checkpoint": "r.safetensors", "refiner_switch_at": 0.85}}
    assert recorded(read_recipe(asked)) == asked


def test_the_base_stands_in_both_tabs_with_what_means_something_there() -> None:
    offer = Offer({"refiner_checkpoint": ["one", "two"]})
    table = page_table(offer)
    rows = table["base"]["controls"]
    here = {tab: [row for row in rows if tab in row.get("tabs", [tab])] for tab in ("txt2img", "img2img")}
    names = {tab: [row["name"] for row in found] for tab, found in here.items()}
    assert not {"finish_only", "mask", "own_infotext"} & set(names["txt2img"])
    assert {"refiner_checkpoint", "refiner_switch_at"} <= set(names["txt2img"])
    assert names["img2img"] == list(BaseSettings.__dataclass_fields__)
    (row,) = (row for row in here["txt2img"] if row["name"] == "refiner_checkpoint")
    assert table["choices"][row["offers"]] == ["one", "two"]
