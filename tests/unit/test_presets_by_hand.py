"""Presets' files that were edited by hand: one wrong thing is left out and named, the rest holds, the file stays."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.api.preset_context import without_wrong_values
from lib_finisher.hosts.webui.arguments import read_arguments
from lib_finisher.json_text import read_json
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.resolve import Choice
from lib_finisher.presets.share import from_infotext, preview, read_bundle

RECIPE = {"version": 2, "refine": {"denoising_strength": 0.21}}
RIGHT: dict[str, Any] = {"finisher_preset": 2, "name": "mine", "recipe": RECIPE}


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "mine.json"
    file.write_text(text)
    os.utime(file, (1e9, 1e9))
    return file


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({}, ""),
        ({"locked": "yes"}, "locked: 'yes'"),
        ({"about": 3}, "about: 3"),
        ({"name": 3}, "name: 3"),
        ({"match": {"names": "a.safetensors"}}, "match.names: 'a.safetensors'"),
        ({"match": {"everything": "yes"}}, "match.everything: 'yes'"),
        ({"match": []}, "match: []"),
        ({"instead": {"a": "b"}}, "instead.a: 'b'"),
        ({"families": {"sdxl": 3}}, "families.sdxl: 3"),
        ({"families": {"sdxl": {"grade": False}}}, "families.sdxl.grade: False"),
        ({"variants": "pony"}, "variants: 'pony'"),
        ({"recipe": {**RECIPE, "detail": False}}, "recipe.detail: False"),
        ({"recipe": {**RECIPE, "detail": {"every": 3}}}, "recipe.detail.every: 3"),
        ({"recipe": {**RECIPE, "detail": {"passes": [{"steps": 3}, "hand"]}}}, "detail.passes.2: 'hand'"),
        ({"recipe": {**RECIPE, "refine": {**RECIPE["refine"], "steps": "12"}}}, "refine.steps: '12'"),
        ({"recipe": {**RECIPE, "version": "2"}}, "recipe.version: '2'"),
    ],
)  # fmt: skip
def test_one_wrong_thing_is_left_out_alone(wrong: dict[str, Any], named: str, tmp_path: Path) -> None:
    file = written(tmp_path, json.dumps({**RIGHT, **wrong}))
    library = Library(tmp_path)
    found = library.resolve(Checkpoint("m", family="sdxl"), None, Choice(("mine",)))
    assert found.recipe["refine"].denoising_strength == 0.21 and file.exists()
    assert bool(found.notes) == bool(named)
    assert all(note.startswith("mine: ") and named in note and "left out" in note for note in found.notes)


def test_a_key_twice_is_named(tmp_path: Path) -> None:
    written(tmp_path, '{"finisher_preset": 2, "name": "mine", "recipe": {"refine": {"steps": 3, "steps": 9}}}')
    found = Library(tmp_path).resolve(Checkpoint("m"), None, Choice(("mine",)))
    assert found.recipe["refine"].steps == 9
    assert found.notes == ("mine: the key 'steps' is there twice; the last one counts",)
    assert read_json('{"a": {"b": 1}, "c": {"b": 2}}') == ({"a": {"b": 1}, "c": {"b": 2}}, ())
    data, notes = read_json('{"a": 1, "b": [{"c": 1, "c": 3}], "a": 2}')
    assert data == {"a": 2, "b": [{"c": 3}]}
    assert notes == tuple(f"the key {key!r} is there twice; the last one counts" for key in "ca")


def test_a_key_twice_in_a_text_is_named_wherever_it_came_from() -> None:
    twice = '{"version": 2, "refine": {"steps": 3, "steps": 9}}'
    note = "the key 'steps' is there twice; the last one counts"
    for values in ((True, twice), ('{"enabled": true, "recipe": {"refine": {"steps": 3, "steps": 9}}}',)):
        asked = read_arguments(values)
        assert asked.recipe["refine"] == {"steps": 9}
        assert asked.notes == (note,)
    assert read_arguments((True, twice.replace('"steps": 3, ', ""))).notes == ()
    assert read_bundle(twice)[0].left_out == (note,)
    infotext = f"a cat\nSteps: 20, Finisher: {json.dumps(twice)}, Finisher version: 1"
    saved = from_infotext(infotext, "Mine")
    assert saved.recipe["refine"] == {"steps": 9}
    assert saved.left_out == (note,)
    assert preview([saved], [])[0].notes == (note,)
    # What came with a pasted text stands beside it on its way through the page.
    kept, notes = without_wrong_values({"preset": "none", "pasted": [note], "version": 2, "refine": {"steps": 9}})
    assert kept["refine"] == {"steps": 9}
    assert notes == (note,)
    assert without_wrong_values({"pasted": True, "version": 2})[1] == ()
