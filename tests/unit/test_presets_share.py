"""Presets as one file, previews, imports, and presets from what a picture was made with."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.imaging.geometry import Size
from lib_finisher.infotext.writing import finished_infotext, recipe_pairs
from lib_finisher.presets.builtin import PRESETS
from lib_finisher.presets.errors import Locked, PresetError
from lib_finisher.presets.fragment import MISSING, expanded
from lib_finisher.presets.preset import Preset, text_of
from lib_finisher.presets.share import (
    KEEP,
    RENAME,
    REPLACE,
    difference,
    export,
    from_infotext,
    from_recipe,
    import_presets,
    preview,
    read_bundle,
)
from lib_finisher.presets.store import PresetStore
from lib_finisher.recipe import read_recipe, write_recipe
from lib_finisher.stages.stage import Base
from tests.unit.test_presets import FULL

ONE = Preset("One", {"refine": {"steps": 5}})
OTHER = Preset("one", {"refine": {"steps": 6}, "grade": {"grain": 0}})


def test_what_is_exported_comes_back() -> None:
    for presets in ((FULL,), tuple(PRESETS), (FULL, *PRESETS)):
        assert read_bundle(export(presets)) == presets
    assert read_bundle(text_of(FULL)) == (FULL,), "the file of one preset"
    (bare,) = read_bundle('{"version": 1, "refine": {"steps": 3}}', "bare")
    assert (bare.name, bare.recipe) == ("bare", {"refine": {"steps": 3}})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense", "not valid JSON"),
        ('{"finisher_presets": 2, "presets": []}', "Update Finisher"),
        ('{"finisher_presets": 1, "presets": []}', "1 to 500"),
        (json.dumps({"finisher_presets": 1, "presets": [ONE.as_json(), OTHER.as_json()]}), "more than once"),
        ('{"finisher_presets": 1, "presets": [3]}', "object"),
        ('{"finisher_preset": 1, "name": "x", "match": {"sha256": ["zz"]}}', "hexadecimal"),
        ('{"finisher_preset": 1, "name": "x", "match": {"regexes": ["(a"]}}', "not closed"),
        ("x" * 5_000_000, "bytes"),
    ],
)
def test_other_files_are_refused_quickly(text: str, told: str) -> None:
    start = time.perf_counter()
    with pytest.raises(PresetError, match=told):
        read_bundle(text)
    assert time.perf_counter() - start < 0.5


def test_a_preview_shows_conflicts_and_what_is_missing_and_changes_nothing() -> None:
    strange = Preset("new", {"upscale": {"passes": [{"upscaler": "4x-Gone"}]}, "moon": {}})
    locked = replace(OTHER, name="Kept")
    there = (ONE, replace(ONE, name="Kept", locked=True), PRESETS[1])
    told = preview((OTHER, strange, PRESETS[1], locked), there, {"upscaler": ["DAT x4"]})
    assert [item.state for item in told] == ["differs", "new", "same", "locked"]
    assert told[0].changes == (("refine.steps", 5, 6), ("grade.grain", MISSING, 0))
    assert told[1].missing == ("upscaler '4x-Gone'",) and "moon" in told[1].notes[0]


def test_imports_keep_replace_or_rename(tmp_path: Path) -> None:
    store = PresetStore(tmp_path)
    assert [became for _, became in import_presets([ONE, FULL], store, KEEP)] == ["new", "new"]
    assert [became for _, became in import_presets([ONE, FULL], store, REPLACE)] == ["same", "same"]
    assert import_presets([OTHER], store, KEEP)[0][1] == "kept"
    assert store.get("one").recipe == ONE.recipe
    (renamed,) = import_presets([OTHER], store, RENAME)
    assert (renamed[0].name, renamed[1]) == ("one (2)", "renamed")
    assert import_presets([OTHER], store, REPLACE)[0][1] == "replaced"
    assert store.get("ONE").recipe == OTHER.recipe
    assert store.restore(store.backups("One")[0].file).recipe == ONE.recipe
    store.lock("One", True)
    with pytest.raises(Locked):
        import_presets([OTHER], store, REPLACE)
    with pytest.raises(PresetError, match="keep, replace or rename"):
        import_presets([OTHER], store, "merge")


def test_differences_name_every_part() -> None:
    rows = {path: (one, two) for path, one, two in difference(FULL, replace(FULL, recipe={}, author="you"))}
    assert rows["refine.steps"] == (2.0, MISSING)
    assert rows["detail.passes"] == ("2 passes", MISSING)
    assert rows["author"] == ("me", "you")
    assert not any(path.startswith(("families", "variants", "match")) for path in rows)
    assert difference(FULL, FULL) == ()


@pytest.mark.parametrize("family", ["", "sdxl", "embedded"])
def test_a_preset_of_a_pictures_infotext_makes_the_same_again(family: str) -> None:
    data = {"refine": {"steps": 9, "prompt": 'a "b", c: d\n\\e'}, "upscale": {"passes": [{"factor": 3}, {}]}}
    recipe = read_recipe(data, family)
    text = finished_infotext(
        "a cat\nSteps: 20, Sampler: Euler, Seed: 1", Base(), Size(8, 8), recipe_pairs(recipe, family)
    )
    preset = from_infotext(text, "like that")
    assert read_recipe(expanded(preset.recipe), family) == recipe
    assert preset.name == "like that"


def test_a_preset_of_what_the_command_line_wrote() -> None:
    recipe = read_recipe({"refine": {"steps": 9}})
    told = {"version": "0.1", "engine": "x", "seed": 3, "recipe": write_recipe(recipe), "stages": {}}
    assert read_recipe(expanded(from_recipe(told, "x").recipe)) == recipe


@pytest.mark.parametrize(
    "text", ["", "a cat", 'a\nSteps: 1, Finisher: "{not json"', 'a\nSteps: 1, Finisher: "[1]"', "Finisher: {x}"]
)
def test_infotexts_without_a_recipe_are_refused(text: str) -> None:
    with pytest.raises(PresetError):
        from_infotext(text, "x")


@pytest.mark.parametrize(
    "recipe", [{"grade": {"contrast": 0.3}}, {"upscale": {"passes": [{"factor": 2}]}}, {"base": {"compare": "detail"}}]
)
def test_a_recipe_of_one_stage_is_a_preset(recipe: dict[str, Any]) -> None:
    (preset,) = read_bundle(json.dumps(recipe), "one stage")
    assert (preset.name, preset.recipe, preset.version) == ("one stage", recipe, 1)
    for nothing in ('{"name": "x"}', '{"grade": 3}', '{"grades": {"contrast": 0.3}}', "[]", '"grade"'):
        with pytest.raises(PresetError):
            read_bundle(nothing, "no stage")


def test_an_infotext_that_changes_nothing_is_a_recipe() -> None:
    first = from_infotext("x\nSteps: 20, Seed: 5, Finisher: {}, Finisher version: 0.1.0", "plain")
    assert (first.recipe, first.version) == ({}, 1)
    text = json.dumps(json.dumps({"version": 2}))
    today = from_infotext(f"x\nSteps: 20, Seed: 5, Finisher: {text}, Finisher version: 0.2.0", "plain")
    assert (today.recipe, today.version) == ({}, 2)
