"""The presets that come with Finisher, and what happens where a model of theirs is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lib_finisher.detect.search import OWN
from lib_finisher.presets.builtin import BUILT_IN, INSTEAD, PRESETS
from lib_finisher.presets.fragment import expanded, usable
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.missing import missing_names, plain_name, same_here, with_what_is_here
from lib_finisher.presets.preset import check_name, parse, read_preset, text_of
from lib_finisher.presets.quick import QUICK
from lib_finisher.presets.resolve import Choice, resolve, said_to
from lib_finisher.recipe import default_recipe, read_recipe

FAMILIES = ["sd1", "sdxl", "sd3", "flux", "chroma", "z_image", "wan", "embedded", ""]
USES = [item.name for item in PRESETS if not item.match]
NOTHING = {"upscaler": (), "enlarger": (), "detector": (), "sampler": ("Euler",), "checkpoint": (), "vae": ()}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_each_is_read_everywhere_without_a_control_that_is_not_there(preset) -> None:  # type: ignore[no-untyped-def]
    check_name(preset.name)
    assert read_preset(parse(text_of(preset))[0]) == preset
    assert 20 < len(preset.about) <= 120 and preset.about.endswith(".") and not preset.locked
    for family in FAMILIES:
        for variants in ((), ("few-step",), ("pony", "lightning", "few-step")):
            said = said_to(preset, Checkpoint("x", family=family, variants=variants))
            assert usable(said)[1] == ()
            read_recipe(expanded(said), family)


def test_the_uses_people_have_are_there() -> None:
    assert set(USES) == {
        "Portrait", "Consistent character", "Anime illustration", "Anime to realistic", "Group scene", "Landscape",
        "Reframe", "Product", "Batch overnight", "Low VRAM", "Colour mood",
        "4K print", *(item.name for item in QUICK),
    }  # fmt: skip


@pytest.mark.parametrize("family", ["sd1", "sdxl", "flux", "embedded"])
@pytest.mark.parametrize("name", USES)
def test_strengths_stay_in_the_ranges_of_the_guides(name: str, family: str) -> None:
    recipe = resolve(Checkpoint("x", family=family), BUILT_IN, None, Choice((name,))).recipe
    most = 0.5 if name == "Anime to realistic" else 0.35
    if recipe["refine"].enabled:
        assert recipe["refine"].denoising_strength <= (0.05 if family == "embedded" else most)
    for item in recipe["detail"].passes:
        limit = 0.1 if family == "embedded" else 0.45 if item.detector.startswith("hand") else 0.4
        assert item.denoising_strength <= limit
        assert item.confidence == OWN
    for item in recipe["upscale"].passes:
        lowest, highest = (0.0, 0.0) if family == "embedded" else (0.1, 0.45)
        assert lowest <= item.denoising_strength <= highest
    if family == "flux":
        plain = default_recipe("flux")
        assert recipe["detail"].passes[0].denoising_strength <= 0.35
        assert recipe["upscale"].passes[0].denoising_strength <= plain["upscale"].passes[0].denoising_strength + 0.1


@pytest.mark.parametrize("name", USES)
def test_each_changes_something_and_two_never_the_same(name: str) -> None:
    model = Checkpoint("x", family="sdxl")
    recipes = {use: resolve(model, BUILT_IN, None, Choice((use,))).recipe for use in USES}
    # A quick choice may be what is on by itself.
    assert recipes[name] != default_recipe("sdxl") or name in {item.name for item in QUICK}
    assert [use for use in USES if recipes[use] == recipes[name]] == [name]


def test_a_model_that_needs_many_steps_gets_no_preset_by_itself() -> None:
    for family in FAMILIES:
        found = resolve(Checkpoint("x", family=family, variants=("pony",)), BUILT_IN)
        assert found.layers == () and found.recipe == default_recipe(family)


def test_a_few_step_model_gets_more_steps_in_every_stage() -> None:
    recipe = resolve(Checkpoint("x", family="sdxl", variants=("turbo", "few-step")), BUILT_IN).recipe
    assert (recipe["refine"].steps, recipe["detail"].passes[0].steps, recipe["upscale"].passes[0].steps) == (12, 12, 12)


@pytest.mark.parametrize("name", USES)
def test_with_nothing_here_each_still_runs_and_says_what_it_does_without(name: str) -> None:
    found = resolve(Checkpoint("x", family="sdxl"), BUILT_IN, None, Choice((name,)))
    recipe, notes = with_what_is_here(found.recipe, NOTHING, found.instead)
    assert missing_names(replace_detail(recipe), NOTHING) == ()
    named = missing_names(found.recipe, NOTHING)
    assert len(notes) >= len(named)
    assert all("is not here" in note for note in notes)
    assert all(item.upscaler in ("auto", "Lanczos") for item in recipe["upscale"].passes)
    assert not any(item.active for item in recipe["detail"].passes)


def replace_detail(recipe):  # type: ignore[no-untyped-def]
    """Passes that are left out name their detectors on, for when those are here."""
    passes = tuple(replace(item, detector="") if not item.active else item for item in recipe["detail"].passes)
    return recipe.changed("detail", replace(recipe["detail"], passes=passes))


def test_what_takes_the_place_follows_the_list() -> None:
    found = resolve(Checkpoint("x", family="sdxl"), BUILT_IN, None, Choice(("Portrait",)))
    here = {"upscaler": ["SwinIR_4x", "R-ESRGAN 4x+"], "detector": ["face_yunet", "face_yolov8s.pt", "hand_yolov9c.pt"]}
    recipe, notes = with_what_is_here(found.recipe, here, found.instead)
    assert recipe["upscale"].passes[0].upscaler == "R-ESRGAN 4x+"
    assert [item.detector for item in recipe["detail"].passes] == ["face_yolov8s.pt", "hand_yolov9c.pt"]
    assert "upscale 1: upscaler '4x-UltraSharp' is not here, so 'R-ESRGAN 4x+' is used" in notes
    assert len(notes) == 3
    complete = {"upscaler": ["4x_UltraSharp"], "detector": ["face_yolov9c", "hand_yolov8n.pt"]}
    recipe, notes = with_what_is_here(found.recipe, complete, found.instead)
    assert notes == () and recipe["upscale"].passes[0].upscaler == "4x_UltraSharp", "as it is written here"
    assert recipe["detail"].passes[0].detector == "face_yolov9c"


def test_names_are_one_however_they_are_written() -> None:
    assert plain_name("4x-UltraSharp") == plain_name("4x_UltraSharp.pth") == plain_name("4xultrasharp")
    assert plain_name("R-ESRGAN 4x+ Anime6B") == plain_name("RealESRGAN_x4plus_anime_6B.pth")
    assert plain_name("R-ESRGAN 4x+") != plain_name("R-ESRGAN 4x+ Anime6B")
    assert same_here("sub/4x-UltraSharp.pth", ["DAT x4", "4x-ultrasharp"]) == "4x-ultrasharp"
    assert same_here("4x", ["4x-UltraSharp"]) == "", "never by a part"


def test_other_models_that_are_missing_leave_the_choice_to_the_base() -> None:
    data = {"refine": {"checkpoint": "gone.safetensors", "sampler": "Gone", "vae": "v.pt", "scheduler": "Karras"}}
    recipe, notes = with_what_is_here(read_recipe(data), {**NOTHING, "scheduler": ("Karras",)})
    refine = recipe["refine"]
    assert (refine.checkpoint, refine.sampler, refine.vae, refine.scheduler) == ("", "", "", "Karras")
    assert sum("what the base picture used" in note for note in notes) == 3


def test_of_several_detectors_those_that_are_here_stay() -> None:
    data = {"detail": {"passes": [{"detector": "face_yunet, nobody.pt, hand_yolov8n.pt"}]}}
    recipe, notes = with_what_is_here(read_recipe(data), {"detector": ["face_yunet", "mediapipe_hands"]})
    assert recipe["detail"].passes[0].detector == "face_yunet, mediapipe_hands"
    assert recipe["detail"].passes[0].active and len(notes) == 2


def test_all_that_take_a_place_are_named_once() -> None:
    for name, others in INSTEAD.items():
        assert len(set(map(plain_name, others))) == len(others)
        assert plain_name(name) not in set(map(plain_name, others))
