"""Saving over a preset: the checkpoint gets what was shown, and others keep what the preset says to them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.api.preset_context import PresetContext
from lib_finisher.api.presets import answer
from lib_finisher.presets.fragment import EVERY, Inherited, expanded, laid_over, usable
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint, Entry
from lib_finisher.presets.origins import CHECKPOINT, CHOSEN
from lib_finisher.presets.preset import Preset
from lib_finisher.presets.resolve import Choice, below, parts_for, said_to, to_save
from lib_finisher.presets.saving import edited
from lib_finisher.recipe import SCHEMA, Recipe, read_recipe
from tests.property.test_presets import fragment, some_checkpoint, some_entries, some_preset

SDXL = Checkpoint("juggernaut.safetensors", family="sdxl")
FAST = replace(SDXL, variants=("few-step",))
SD1 = Checkpoint("old.safetensors", family="sd1")
FLUX = Checkpoint("flux1-dev.safetensors", family="flux")
SD3 = Checkpoint("sd3.safetensors", family="sd3")
EMBEDDED = Checkpoint("embedded", family="embedded")


@pytest.fixture()
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def store(library: Library, recipe: dict[str, Any], **more: Any) -> Preset:
    return library.store.save(Preset("Mine", recipe, **more), "")


def save(library: Library, checkpoint: Checkpoint, recipe: dict[str, Any], **fields: Any) -> Preset:
    """Change what the preset shows for a checkpoint and save it there again, as the page does."""
    asked: dict[str, Any] = {
        "action": "save",
        "layer": "chosen",
        "name": "Mine",
        "recipe": {"preset": "Mine", "version": SCHEMA, **recipe},
    }
    asked |= fields
    told = answer(json.loads(json.dumps(asked)), PresetContext(library, checkpoint, {}))
    assert told["masked"] == []
    return library.store.get("Mine")


def got(library: Library, checkpoint: Checkpoint) -> Recipe:
    return library.resolve(checkpoint, None, Choice(("Mine",))).recipe


def test_others_keep_what_a_built_in_preset_says_to_them(library: Library) -> None:
    there = library.duplicate("Portrait", "Mine")
    before = {checkpoint.name: got(library, checkpoint) for checkpoint in (FLUX, SD3, EMBEDDED)}
    hands = before[FLUX.name]["detail"].passes[1].denoising_strength
    assert hands < got(library, SDXL)["detail"].passes[1].denoising_strength
    after = save(library, SDXL, {"upscale": {"passes": [{"factor": 3}]}, "detail": {"passes": [{"confidence": 0.5}]}})
    assert got(library, SDXL)["upscale"].passes[0].factor == 3
    assert after.families == there.families
    for checkpoint in (FLUX, SD3, EMBEDDED):
        now = got(library, checkpoint)
        assert now["detail"] == before[checkpoint.name]["detail"], checkpoint.name


def test_a_save_for_a_flow_model_leaves_the_others_alone(library: Library) -> None:
    library.duplicate("Portrait", "Mine")
    before = {checkpoint.name: got(library, checkpoint) for checkpoint in (SDXL, EMBEDDED)}
    save(library, FLUX, {"detail": {"passes": [{"denoising_strength": 0.2}]}, "repair": {"enabled": True}})
    for checkpoint in (FLUX, SD3):
        assert got(library, checkpoint)["detail"].passes[0].denoising_strength == 0.2
    for checkpoint in (SDXL, EMBEDDED):
        now = got(library, checkpoint)
        assert now["repair"].enabled, "it was said to all"
        assert now["detail"] == before[checkpoint.name]["detail"], checkpoint.name


def test_a_change_goes_where_the_preset_says_it_to_this_checkpoint(library: Library) -> None:
    store(
        library,
        {"refine": {"steps": 30, "denoising_strength": 0.4}},
        families={"sdxl": {"refine": {"denoising_strength": 0.3}}, "sd1": {"refine": {"steps": 7}}},
        variants={"few-step": {"refine": {"steps": 8}}},
    )
    after = save(library, FAST, {"refine": {"steps": 9, "denoising_strength": 0.25}, "grade": {"grain": 0.4}})
    assert after.recipe == {"refine": {"steps": 30, "denoising_strength": 0.4}, "grade": {"grain": 0.4}}
    assert after.families == {"sdxl": {"refine": {"denoising_strength": 0.25}}, "sd1": {"refine": {"steps": 7}}}
    assert after.variants == {"few-step": {"refine": {"steps": 9}}}
    assert got(library, SD1)["refine"].steps == 7


def test_what_became_the_inherited_value_is_said_no_more(library: Library) -> None:
    plain = library.resolve(SDXL).recipe["refine"]
    assert plain.denoising_strength == 0.35
    store(library, {"refine": {"denoising_strength": 0.5, "steps": 9}}, families={"sdxl": {"grade": {"grain": 0.5}}})
    grain = library.resolve(SDXL).recipe["grade"].grain
    after = save(library, SDXL, {"refine": {"denoising_strength": 0.35}, "grade": {"grain": grain}})
    assert (after.recipe, after.families) == ({"refine": {"steps": 9}}, {})
    # Where a weaker part says otherwise, it has to be said.
    library.store.delete("Mine")
    store(library, {"refine": {"steps": 9}}, families={"sdxl": {"refine": {"steps": 5}}})
    after = save(library, SDXL, {"refine": {"steps": plain.steps}})
    assert after.recipe == {"refine": {"steps": 9}}
    assert after.families == {"sdxl": {"refine": {"steps": plain.steps}}}


def test_what_is_not_changed_stays_said_even_where_it_is_the_familys_own(library: Library) -> None:
    store(library, {"refine": {"denoising_strength": 0.35}})
    assert library.resolve(FLUX).recipe["refine"].denoising_strength < 0.35
    save(library, SDXL, {"grade": {"grain": 0.4}})
    assert got(library, FLUX)["refine"].denoising_strength == 0.35


def test_what_another_version_knows_stays(library: Library) -> None:
    newer = {
        "refine": {"steps": 9, "glow": 0.5},
        "aurora": {"enabled": True},
        "detail": {"passes": [{"confidence": 0.4, "halo": 2}, {"halo": 3}], "rim": "x"},
    }
    store(library, newer, families={"moon": {"refine": {"glow": 1}}}, more={"colour": "red"})
    passes = [{"confidence": 0.6}, {"detector": "face_yunet"}]
    after = save(library, SDXL, {"refine": {"steps": 12}, "detail": {"passes": passes}})
    assert after.recipe["refine"] == {"steps": 12, "glow": 0.5}
    assert after.recipe["aurora"] == {"enabled": True}
    assert after.recipe["detail"]["rim"] == "x"
    kept = after.recipe["detail"]["passes"]
    assert [item["halo"] for item in kept] == [2, 3] and kept[0]["confidence"] == 0.6
    assert after.families == {"moon": {"refine": {"glow": 1}}} and after.more == {"colour": "red"}


def test_what_is_said_of_every_pass_stays_and_is_answered(library: Library) -> None:
    store(library, {"detail": {EVERY: {"steps": 12}}}, variants={"few-step": {"detail": {EVERY: {"steps": 4}}}})
    after = save(library, FAST, {"detail": {"passes": [{"steps": 0}, {"steps": 6}]}})
    assert [item.steps for item in got(library, FAST)["detail"].passes] == [0, 6]
    assert after.recipe == {"detail": {EVERY: {"steps": 12}}}
    assert {item.steps for item in got(library, SDXL)["detail"].passes} == {12}


def test_one_stage_of_a_preset_of_another_stage_is_what_was_shown(library: Library) -> None:
    # What it says of another stage does not count before, and would count afterwards.
    store(library, {"grade": {"grain": 0.9}, "detail": {"touch_up": 0.1}}, stage="detail")
    grain = got(library, SDXL)["grade"].grain
    assert grain != 0.9
    after = save(library, SDXL, {"grade": {"contrast": 0.3}}, stage="grade")
    assert (after.stage, after.recipe) == ("grade", {"grade": {"contrast": 0.3}})
    assert got(library, SDXL)["grade"].grain == grain


def test_any_preset_saved_over_makes_what_was_shown_and_says_the_same_to_others() -> None:
    for seed in range(150):
        chance = random.Random(seed)
        checkpoint, entries, own = some_checkpoint(chance), some_entries(chance), fragment(chance, every=False)
        there, layer = replace(some_preset(chance, 99), name="mine"), chance.choice([CHECKPOINT, CHOSEN])
        everything = [*entries, Entry(there)]
        under = below(checkpoint, everything, layer, "mine")

        def makes(preset: Preset, under: Inherited = under, checkpoint: Checkpoint = checkpoint) -> Recipe:
            whole = laid_over(under.said, usable(said_to(preset, checkpoint))[0])
            return Inherited(whole, under.version).recipe(checkpoint.family)

        whole = laid_over(under.said, usable(said_to(there, checkpoint))[0])
        begun = expanded(whole if chance.random() < 0.7 else under.said, under.version)
        changed = {
            **begun,
            "version": chance.choice([1, 2]),
            **{stage: {**begun.get(stage, {}), **told} for stage, told in own.items()},
        }
        for shown in (makes(there), read_recipe(changed, checkpoint.family)):
            said = to_save(shown, checkpoint, everything, layer, "mine")
            after = edited(there, shown, said, under, checkpoint)
            assert makes(after) == shown, seed
            if shown == makes(there):
                assert after.content == there.content, seed
            mine = parts_for(checkpoint)
            for kind, before in (("families", there.families), ("variants", there.variants)):
                for key, part in before.items():
                    assert (kind, key) in mine or getattr(after, kind)[key] == part, seed
