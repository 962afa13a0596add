"""Presets' files that were edited by hand: one wrong thing is left out and named, the rest holds, the file stays."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.json_text import repeated_keys
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.resolve import Choice

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
    assert repeated_keys('{"a": {"b": 1}, "c": {"b": 2}}') == ()
    assert repeated_keys('{"a": 1, "b": [{"c": 1, "c": 1}], "a": 2}') == ("c", "a")
