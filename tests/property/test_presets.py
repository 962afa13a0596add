"""What holds for all presets: deterministic, saved is what was shown, inherited unless said, files that come back."""

from __future__ import annotations

import json
import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lib_finisher.controls import Control, SettingsError, controls_of, read
from lib_finisher.presets.builtin import BUILT_IN
from lib_finisher.presets.files import file_name
from lib_finisher.presets.fragment import expanded, laid_over, paths
from lib_finisher.presets.matching import Checkpoint, Entry
from lib_finisher.presets.origins import CHECKPOINT, EVERYTHING, FAMILY, VARIANT, YOU
from lib_finisher.presets.preset import AUTO, NONE, Match, Preset, key_of, parse, read_preset, text_of
from lib_finisher.presets.resolve import masked, resolve, rule_for, to_save
from lib_finisher.presets.share import export, read_bundle
from lib_finisher.presets.store import NEW, PresetStore
from lib_finisher.recipe import SECTIONS, default_recipe, read_recipe, write_recipe

QUICK = settings(max_examples=30, deadline=None)
# Data comes from a seed: strategies for a whole recipe take longer to draw than everything that is tested.
SEEDS = st.integers(0, 2**32).map(random.Random)
MATCHES = (
    Match(everything=True), Match(families=("sdxl", "flux")), Match(variants=("pony", "few-step")),
    Match(variants=("inpainting",)), Match(globs=("model*",)), Match(names=("model_v1",)), Match(),
)  # fmt: skip


def some_value(chance: random.Random, row: Control) -> Any:
    if row.kind == "switch":
        return chance.random() < 0.5
    if row.kind == "choice":
        return chance.choice(row.choices)
    if row.kind == "text":
        return chance.choice(["", "a", "ä, 名前", "[PROMPT]", "x" * 40])
    least, most = row.minimum or 0.0, row.maximum or 0.0
    if row.kind == "integer":
        return chance.randint(int(least), int(most))
    return min(max(round(chance.uniform(least, most), 3), least), most)


def some_controls(chance: random.Random, settings_type: type, most: int) -> dict[str, Any]:
    rows = [row for row in controls_of(settings_type) if row.kind != "passes"]
    found = {row.name: some_value(chance, row) for row in chance.sample(rows, min(len(rows), chance.randint(0, most)))}
    return {name: value for name, value in found.items() if accepted(settings_type, name, value)}


def accepted(settings_type: type, name: str, value: Any) -> bool:
    """Whether a text has the form that its control asks for, such as an aspect."""
    try:
        read(settings_type, {name: value}, where="")
    except SettingsError:
        return False
    return True


def fragment(chance: random.Random, every: bool = True) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, settings_type in SECTIONS.items():
        if chance.random() < 0.5:
            continue
        data[name] = some_controls(chance, settings_type, 3)
        for row in controls_of(settings_type):
            if row.kind == "passes" and row.item is not None:
                if chance.random() < 0.5:
                    data[name][row.name] = [
                        some_controls(chance, row.item, 4)
                        for _ in range(chance.randint(1, min(3, int(row.maximum or 1))))
                    ]
                if every and chance.random() < 0.4:
                    data[name]["every"] = some_controls(chance, row.item, 2)
    return data


def some_checkpoint(chance: random.Random) -> Checkpoint:
    variants = chance.sample(["pony", "inpainting", "few-step", "lightning"], chance.randint(0, 3))
    family = chance.choice(["", "sd1", "sdxl", "flux", "embedded"])
    return Checkpoint("sub/model_v1.safetensors", family=family, variants=tuple(variants))


def some_preset(chance: random.Random, number: int) -> Preset:
    families = {"flow": fragment(chance)} if chance.random() < 0.3 else {}
    variants = {"few-step": fragment(chance)} if chance.random() < 0.3 else {}
    version = chance.choice([1, 2])
    return Preset(f"preset {number}", fragment(chance), families, variants, chance.choice(MATCHES), version=version)


def some_entries(chance: random.Random) -> list[Entry]:
    return [Entry(some_preset(chance, number), chance.random() < 0.5) for number in range(chance.randint(0, 4))]


@QUICK
@given(SEEDS)
def test_resolving_is_deterministic(chance: random.Random) -> None:
    checkpoint, entries, own = some_checkpoint(chance), some_entries(chance), fragment(chance, every=False)
    first = resolve(checkpoint, entries, own)
    shuffled = entries[:]
    chance.shuffle(shuffled)
    again = resolve(
        checkpoint, [Entry(read_preset(parse(text_of(item.preset))[0]), item.built_in) for item in shuffled], own
    )
    assert (again.recipe, again.origins, again.content, again.names) == (
        first.recipe, first.origins, first.content, first.names,
    )  # fmt: skip


@QUICK
@given(SEEDS)
def test_what_is_saved_for_a_checkpoint_is_what_was_shown(chance: random.Random) -> None:
    checkpoint, entries, own = some_checkpoint(chance), some_entries(chance), fragment(chance, every=False)
    shown = resolve(checkpoint, entries, own).recipe
    said = to_save(shown, checkpoint, entries, CHECKPOINT, "saved")
    hashed = replace(checkpoint, sha256="ab" * 32)
    match = rule_for(hashed, CHECKPOINT, Match())
    saved = [*entries, Entry(Preset("saved", said, match=match))]
    again = resolve(hashed, saved)
    assert again.recipe == shown
    assert masked(shown, again) == ()


@QUICK
@given(SEEDS)
def test_what_a_save_shows_otherwise_is_said_by_something_above(chance: random.Random) -> None:
    checkpoint, entries, own = some_checkpoint(chance), some_entries(chance), fragment(chance, every=False)
    layer = chance.choice(
        [EVERYTHING, *([FAMILY] if checkpoint.family else []), *([VARIANT] if checkpoint.variants else [])]
    )
    shown = resolve(checkpoint, entries, own).recipe
    said = to_save(shown, checkpoint, entries, layer, "saved")
    match = rule_for(checkpoint, layer, Match())
    # The newest of its kind, so that it is the one that is used in its layer.
    saved = [*entries, Entry(Preset("saved", said, match=match, changed="2099", locked=True))]
    again = resolve(checkpoint, saved)
    assert "saved" in again.names
    above = again.names[again.names.index("saved") + 1 :]
    for path, origin in masked(shown, again):
        assert origin.preset in above, path


@QUICK
@given(SEEDS)
def test_what_is_inherited_changes_except_where_it_is_overridden(chance: random.Random) -> None:
    checkpoint, upper = some_checkpoint(chance), fragment(chance, every=False)
    special = Entry(Preset("special", upper, match=Match(names=("model_v1",))))
    general = Preset("general", fragment(chance), match=Match(everything=True))
    changed = replace(general, recipe=fragment(chance, every=False))
    alone = plain_paths(resolve(checkpoint, [Entry(changed)]).recipe)
    before = resolve(checkpoint, [special, Entry(general)])
    found = resolve(checkpoint, [special, Entry(changed)])
    shown = plain_paths(found.recipe)
    for path, value in shown.items():
        if path.count(".") > 1 and found.origins[path.rsplit(".", 2)[0]].preset == "special":
            continue  # a list of passes is overridden as a whole
        if found.origins[path].preset == "special":
            assert path in paths(upper) and value == plain_paths(before.recipe)[path]
        else:
            assert value == alone[path]


def plain_paths(recipe: Any) -> dict[str, Any]:
    return paths(write_recipe_of(recipe))


def write_recipe_of(recipe: Any) -> Any:
    return {name: part for name, part in write_recipe(recipe).items() if name != "version"}


@QUICK
@given(SEEDS)
def test_origins_are_true(chance: random.Random) -> None:
    """What is said to come from the table is the table's, and what the user says is the user's."""
    checkpoint, entries, own = some_checkpoint(chance), some_entries(chance), fragment(chance, every=False)
    found = resolve(checkpoint, entries, own)
    plain = paths(write_recipe_of(default_recipe(checkpoint.family, found.version)))
    shown = paths(write_recipe_of(found.recipe))
    said = paths(own)
    for path, origin in found.origins.items():
        if origin.layer == YOU:
            assert path in said or path.count(".") > 1
        if not origin.preset and origin.layer != YOU and path.count(".") == 1:
            assert shown[path] == plain[path]
    assert all(found.origins[path].layer == YOU for path in said if path in found.origins)


@QUICK
@given(SEEDS)
def test_what_is_imported_is_what_was_exported(chance: random.Random) -> None:
    presets = [some_preset(chance, number) for number in range(chance.randint(1, 4))]
    assert read_bundle(export(presets)) == tuple(presets)
    assert read_bundle(export(read_bundle(export(presets)))) == tuple(presets)
    assert [item.revision for item in read_bundle(export(presets))] == [item.revision for item in presets]


@QUICK
@given(SEEDS)
def test_laying_over_does_not_depend_on_the_grouping(chance: random.Random) -> None:
    first, second, third = fragment(chance), fragment(chance), fragment(chance)
    one = laid_over(laid_over(first, second), third)
    two = laid_over(first, laid_over(second, third))
    assert expanded(one) == expanded(two)


@QUICK
@given(SEEDS)
def test_a_recipe_of_schema_0_opens_as_a_preset_that_makes_it(chance: random.Random) -> None:
    recipe = read_recipe(fragment(chance, every=False))
    preset = read_preset(json.loads(json.dumps(write_recipe(recipe))), "old")
    for family in ("", "flux"):
        assert read_recipe(expanded(preset.recipe), family) == recipe


NAMES = st.text(min_size=1, max_size=300).filter(lambda name: key_of(name) not in ("", AUTO, NONE))


@QUICK
@given(NAMES, NAMES)
def test_any_name_can_be_stored_and_two_names_never_meet(first: str, second: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = PresetStore(Path(place) / "presets")
        store.save(Preset(first, {"refine": {"steps": 1}}), NEW)
        assert store.get(first).name == first
        if key_of(first) != key_of(second):
            assert file_name(first) != file_name(second)
            store.save(Preset(second, {"refine": {"steps": 2}}), NEW)
            assert (store.get(first).recipe["refine"]["steps"], store.get(second).recipe["refine"]["steps"]) == (1, 2)
        assert [item.name for item in Path(place).iterdir()] == ["presets"]


def test_the_built_in_presets_are_found_by_none_of_these() -> None:
    assert {item.preset.name for item in BUILT_IN if item.preset.match} == {"Few-step models"}
