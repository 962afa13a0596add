"""What recipes, presets, infotexts and arguments of earlier versions meant, they mean still.

`tests/facts/recipes/version1.json` was written by the Finisher of that time: it is the truth here, and nothing of
today's code takes part in it.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from lib_finisher.api.preset_context import split
from lib_finisher.controls import SettingsError
from lib_finisher.hosts.webui.arguments import read_arguments
from lib_finisher.infotext.writing import recipe_pairs
from lib_finisher.presets.builtin import BUILT_IN
from lib_finisher.presets.matching import Checkpoint, Entry
from lib_finisher.presets.preset import read_preset, text_of
from lib_finisher.presets.resolve import Choice, read_choice, resolve
from lib_finisher.presets.share import from_infotext
from lib_finisher.recipe import SCHEMA, Recipe, assign, read_recipe, recorded, write_recipe
from lib_finisher.ui.table import Offer, page_table
from tests.conftest import ROOT

FACTS = json.loads((ROOT / "tests" / "facts" / "recipes" / "version1.json").read_text(encoding="utf-8"))
# Defaults that were corrected since, by measurement (docs/upscaling.md, docs/embedded-engine.md), as (control, value).
# Built-in presets come with the Finisher of today and have them; everything that was saved before means what it meant.
CORRECTED: frozenset[tuple[str, Any]] = frozenset({("upscaler_blend", 0.9), ("confidence", 0.0)})
CORRECTED_EMBEDDED = CORRECTED | {("denoising_strength", value) for value in (0.0, 0.05, 0.1)}
ON_IN_1, ON_IN_2 = {"refine", "detail", "upscale", "texture", "grade"}, {"detail", "upscale"}


def same(recipe: Recipe, case: dict[str, Any], corrected: frozenset[tuple[str, Any]] = frozenset()) -> None:
    """Every control that there was has the value that it had, or one of the corrected; what is new since then has none
    to compare with."""
    meant = copy.deepcopy(FACTS["defaults"][case["family"]])
    for section, controls in case["means"].items():
        meant[section] |= controls
    shown = write_recipe(recipe)
    wrong = {
        f"{section}.{name}": (value, shown[section].get(name))
        for section, controls in meant.items()
        for name, value in controls.items()
        if (name, shown[section].get(name) if not isinstance(value, list) else None) not in corrected
        and not _equal(value, shown[section].get(name), corrected)
    }
    assert not wrong


def _equal(then: Any, now: Any, corrected: frozenset[tuple[str, Any]]) -> bool:
    if not isinstance(then, list):
        return bool(then == now)
    return len(then) == len(now) and all(
        now_pass.get(name) == value or (name, now_pass.get(name)) in corrected
        for then_pass, now_pass in zip(then, now)
        for name, value in then_pass.items()
    )


def switched_on(recipe: Recipe) -> set[str]:
    return {name for name, controls in write_recipe(recipe).items() if name != "version" and controls.get("enabled")}


@pytest.mark.parametrize("case", FACTS["recipes"])
def test_a_recipe_without_a_version_or_of_version_1(case: dict[str, Any]) -> None:
    same(read_recipe(case["data"], case["family"]), case)


@pytest.mark.parametrize("case", FACTS["presets"])
def test_presets_of_files_of_before(case: dict[str, Any]) -> None:
    presets = [read_preset(data, "Bare") for data in case["files"]]
    entries = [*map(Entry, presets), *BUILT_IN]
    # The page and the command line of today say their version: a preset in force means what it meant there too.
    for own in ({}, {"version": SCHEMA}, None) if case["names"] else ({},):
        found = resolve(Checkpoint("m.safetensors", family=case["family"]), entries, own, read_choice(case["chosen"]))
        same(found.recipe, case)
        assert list(found.names) == case["names"]
    assert [preset.revision for preset in presets] == case["revisions"], "no save of before conflicts"
    assert [preset.content for preset in presets] == case["contents"]
    for preset in presets:
        assert json.loads(text_of(preset))["finisher_preset"] == 1, "the Finisher of before reads it still"


@pytest.mark.parametrize("case", FACTS["built_in"])
def test_built_in_presets_keep_what_they_meant(case: dict[str, Any]) -> None:
    for own in ({}, {"version": SCHEMA}, None):
        found = resolve(Checkpoint("m", family=case["family"]), BUILT_IN, own, read_choice(case["name"]))
        same(found.recipe, case, CORRECTED_EMBEDDED if case["family"] == "embedded" else CORRECTED)


@pytest.mark.parametrize("case", [case for case in FACTS["infotexts"] if 'Finisher: "' in case["text"]])
def test_infotexts_of_before(case: dict[str, Any]) -> None:
    preset = from_infotext(case["text"], "of before")
    found = resolve(Checkpoint("m", family=case["family"]), [Entry(preset)], None, read_choice([preset.name, "none"]))
    same(found.recipe, case)


@pytest.mark.parametrize("case", FACTS["arguments"])
def test_what_programs_sent_before(case: dict[str, Any]) -> None:
    chosen, own = split(read_arguments(case["arguments"]).recipe)
    same(resolve(Checkpoint("m", family=case["family"]), BUILT_IN, own, read_choice(chosen)).recipe, case)


def test_today_only_what_nobody_would_take_back_is_on() -> None:
    nothing: list[tuple[dict[str, Any], set[str]]] = [
        ({}, ON_IN_1), ({"version": 1}, ON_IN_1), ({"version": 2}, ON_IN_2), ({"version": 2.0}, ON_IN_2),
    ]  # fmt: skip
    for data, expected in nothing:
        assert switched_on(read_recipe(data)) == expected, data
        assert switched_on(resolve(Checkpoint("m"), BUILT_IN, data).recipe) == expected, data
    assert switched_on(resolve(Checkpoint("m"), BUILT_IN).recipe) == ON_IN_2
    table = page_table(Offer({}))
    assert {stage["name"] for stage in table["stages"] if stage["enabled"]} == ON_IN_2
    assert table["version"] == SCHEMA == 2


def test_what_is_written_today_says_its_version() -> None:
    recipe = read_recipe({"version": 2, "refine": {"enabled": True}, "detail": {"enabled": False}})
    assert recorded(recipe) == {"version": 2, "refine": {"enabled": True}, "detail": {"enabled": False}}
    assert write_recipe(recipe)["version"] == 2
    assert read_recipe(recorded(recipe)) == read_recipe(write_recipe(recipe)) == recipe


def test_an_assignment_switches_its_stage_on_from_version_2() -> None:
    for data, assignments, expected in (
        ({}, ["grade.grain=0"], ON_IN_1),
        ({}, ["extend.left=64"], ON_IN_1),
        ({"version": 2}, ["grade.grain=0"], ON_IN_2 | {"grade"}),
        ({"version": 2}, ["extend.left=64", "base.compare=grade"], ON_IN_2 | {"extend"}),
        ({"version": 2}, ["texture.1.steps=3"], ON_IN_2 | {"texture"}),
        ({"version": 2}, ["grade.enabled=false", "grade.grain=0"], ON_IN_2),
        ({"version": 2}, ["grade.grain=0", "grade.enabled=false"], ON_IN_2),
        ({"version": 2, "grade": {"enabled": False}}, ["grade.grain=0"], ON_IN_2),
        ({"version": 2, "detail": {"enabled": False}}, ["detail.steps=3"], {"upscale"}),
    ):
        assert switched_on(read_recipe(assign(data, assignments))) == expected, (data, assignments)


def test_a_preset_of_version_1_above_or_below_one_of_today() -> None:
    old = Entry(read_preset({"finisher_preset": 1, "name": "old", "recipe": {"grade": {"grain": 0.3}}}))
    new = Entry(read_preset({"finisher_preset": 2, "name": "new", "recipe": {"version": 2, "refine": {"steps": 3}}}))
    for names, expected in ((["old", "new"], ON_IN_1), (["new", "old"], ON_IN_1), (["new"], ON_IN_2)):
        found = resolve(Checkpoint("m"), [old, new], None, read_choice(names))
        assert switched_on(found.recipe) == expected
        # What a program sends without a version names a preset of its user's: that was saved as it is meant.
        assert switched_on(resolve(Checkpoint("m"), [old, new], {}, read_choice(names)).recipe) == expected
        assert switched_on(resolve(Checkpoint("m"), [old, new], {"version": 1}, read_choice(names)).recipe) == ON_IN_1
        brought = found.origins["texture.enabled"].preset
        assert brought == ("old" if "old" in names else ""), "the page names who switched it on"


@pytest.mark.parametrize("read_on", ["sdxl", "flux", "embedded", "", "a family of tomorrow"])
@pytest.mark.parametrize("ran_on", ["sdxl", "flux", "sd1", ""])
def test_what_was_used_comes_back_on_any_family(ran_on: str, read_on: str) -> None:
    for said in ({"version": 2, "refine": {"enabled": True}}, {"version": 2, "detail": {"passes": [{"steps": 9}, {}]}}):
        used = read_recipe(said, ran_on)
        (text,) = (value for key, value in recipe_pairs(used, ran_on).items() if key == "Finisher")
        if ran_on:
            assert json.loads(text)["family"] == ran_on
            # Pasted, as data of the page or of a program.
            assert read_recipe(json.loads(text), read_on) == used
            assert resolve(Checkpoint("m", family=read_on), [], json.loads(text)).recipe == used
        # As a preset, which says for itself what it means where it is switched on.
        preset = from_infotext(f"x\nSteps: 20, Seed: 5, Finisher: {json.dumps(text)}, Finisher version: 1", "again")
        assert "family" not in preset.recipe
        if ran_on or not read_on:
            got = resolve(Checkpoint("m", family=read_on), [Entry(preset)], None, Choice(("again",), False)).recipe
            for stage in switched_on(used):
                assert got[stage] == used[stage], stage


def test_what_is_typed_is_written_even_where_it_is_a_default() -> None:
    typed = {"version": 2, "refine": {"denoising_strength": 0.35}, "detail": {"passes": [{"confidence": 0.3}, {}]}}
    used = read_recipe(typed, "sdxl")
    plain = recorded(used, "sdxl")
    assert "refine" not in plain
    told = recorded(used, "sdxl", typed)
    assert told["refine"] == {"denoising_strength": 0.35}
    assert told["detail"]["passes"] == [{"confidence": 0.3}, {}]
    assert read_recipe(told, "flux") == used
    for unusual in ({"refine": 3}, {"refine": {"gone": 1}}, {"moon": {"x": 1}}, {"detail": {"passes": ["x"]}}):
        assert read_recipe(recorded(used, "sdxl", unusual)) == used


def test_a_family_that_is_no_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="family: 3 is not accepted"):
        read_recipe({"family": 3})
