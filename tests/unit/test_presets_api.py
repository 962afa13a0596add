"""What can be asked about presets, and what is answered: every action, its undo, and every refusal."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.api.preset_context import PresetContext, resolved_for, split, without_wrong_values
from lib_finisher.api.presets import ACTIONS, answer
from lib_finisher.api.problems import RequestError
from lib_finisher.controls import SettingsError
from lib_finisher.imaging.geometry import Size
from lib_finisher.infotext.writing import finished_infotext, recipe_pairs
from lib_finisher.presets.builtin import BUILT_IN
from lib_finisher.presets.errors import Conflict, Locked, PresetError, Unknown
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.preset import Match, Preset
from lib_finisher.presets.share import export
from lib_finisher.recipe import default_recipe, read_recipe, write_recipe
from lib_finisher.stages.stage import Base

CHECKPOINT = Checkpoint("juggernaut.safetensors", "", "", "sdxl", ("pony",), "told by a test")
HERE = {"upscaler": ["auto", "R-ESRGAN 4x+"], "detector": ["face_yunet"]}
MINE = Preset("Mine", {"refine": {"steps": 30}}, match=Match(names=("juggernaut",)))
SDXL = Preset("All SDXL", {"grade": {"contrast": 0.2}, "refine": {"steps": 22}}, match=Match(families=("sdxl",)))


@pytest.fixture()
def around(tmp_path: Path) -> PresetContext:
    library = Library(tmp_path / "presets")
    for preset in (MINE, SDXL):
        library.store.save(preset, "")
    return PresetContext(library, CHECKPOINT, HERE)


def ask(around: PresetContext, action: str, **fields: Any) -> dict[str, Any]:
    """The answer as the page gets it."""
    return json.loads(json.dumps(answer({"action": action, "id": "1", **fields}, around)))  # type: ignore[no-any-return]


def take_back(around: PresetContext, told: dict[str, Any]) -> None:
    assert told["undo"], "there is something to undo"
    for request in told["undo"]:
        answer(request, around)


def stored(around: PresetContext) -> dict[str, Any]:
    """What the folder holds, without the dates of changes."""
    return {item.name: replace(item, changed="", created="").as_json() for item in around.library.store.load().presets}


def test_show_tells_values_origins_and_reasons(around: PresetContext) -> None:
    told = ask(around, "show", recipe={"grade": {"grain": 0.3}})
    assert told["checkpoint"] == {
        "name": CHECKPOINT.name, "family": "sdxl", "variants": ["pony"], "reason": "told by a test",
    }  # fmt: skip
    assert (told["values"]["refine"]["steps"], told["values"]["grade"]["contrast"]) == (30, 0.2)
    assert (told["values"]["grade"]["grain"], told["inherited"]["grade"]["grain"]) == (0.3, 0.1)
    assert told["origins"]["refine.steps"] == ["checkpoint", "Mine"]
    assert told["origins"]["grade.grain"] == ["you", ""]
    assert told["inherited_origins"]["grade.grain"] == ["default", ""]
    assert [(item["name"], item["layer"]) for item in told["used"]] == [("All SDXL", "family"), ("Mine", "checkpoint")]
    assert [item["reason"] for item in told["candidates"]] == ["its name is 'juggernaut'", "its family is sdxl"]
    assert told["content"] and told["notes"] == [] and told["problems_of_files"] == []
    assert len(told["presets"]) == 2 + len(BUILT_IN)


def test_a_file_that_was_set_aside_is_told_while_it_lies_there(around: PresetContext) -> None:
    file = around.library.store.folder / "half.json"
    file.write_text('{"finisher_preset": 1, "na')
    os.utime(file, (time.time() - 60,) * 2)
    for _ in range(2):
        (problem,) = ask(around, "show", recipe={})["problems_of_files"]
        assert "half." in problem and "set-aside" in problem and not file.exists()
    for kept in around.library.store.aside_folder.iterdir():
        kept.unlink()
    assert ask(around, "show", recipe={})["problems_of_files"] == []


def test_show_tells_what_a_pass_has_by_itself_under_the_family(around: PresetContext) -> None:
    flux = replace(around, checkpoint=Checkpoint("flow.safetensors", family="flux"))
    there, other = ask(around, "show"), ask(flux, "show")
    assert there["pass_defaults"]["detail"]["denoising_strength"] == 0.35
    assert other["pass_defaults"]["detail"]["denoising_strength"] == 0.3
    assert set(there["pass_defaults"]) == {"detail", "upscale", "texture"}
    assert other["pass_defaults"]["detail"].keys() == other["inherited"]["detail"]["passes"][0].keys()


def test_show_tells_where_to_save(around: PresetContext) -> None:
    revision = {item.name: item.revision for item in around.library.store.load().presets}
    assert ask(around, "show")["targets"] == [
        {"layer": "checkpoint", "variant": "", "name": "Mine", "revision": revision["Mine"]},
        {"layer": "variant", "variant": "pony", "name": "pony", "revision": ""},
        {"layer": "family", "variant": "", "name": "All SDXL", "revision": revision["All SDXL"]},
        {"layer": "everything", "variant": "", "name": "Every checkpoint", "revision": ""},
    ]
    unknown = replace(around, checkpoint=Checkpoint("x.ckpt", family="unknown"))
    assert [item["layer"] for item in ask(unknown, "show")["targets"]] == ["checkpoint", "everything"]


def test_show_follows_the_choice(around: PresetContext) -> None:
    assert ask(around, "show", recipe={"preset": "none"})["used"] == []
    told = ask(around, "show", recipe={"preset": ["none", "All SDXL"]})
    assert [(item["name"], item["layer"]) for item in told["used"]] == [("All SDXL", "chosen")]
    with pytest.raises(RequestError, match=r"recipe\.preset: there is no preset 'Gone'"):
        ask(around, "show", recipe={"preset": "Gone"})
    with pytest.raises(RequestError, match=r"recipe\.preset: .*list of names"):
        ask(around, "show", recipe={"preset": 3})
    told = ask(around, "show", recipe={"refine": {"stepps": 1, "steps": 8}, "glow": {"on": True}})
    assert told["values"]["refine"]["steps"] == 8, "the rest holds"
    assert "refine.stepps: there is no such control here, so it is left out. Did you mean 'steps'?" in told["notes"]
    assert any(note.startswith("glow: there is no such stage here") for note in told["notes"])
    with pytest.raises(RequestError, match=r"recipe\.refine\.steps: 'many' is not accepted"):
        ask(around, "show", recipe={"refine": {"steps": "many"}})


def test_what_is_not_here_is_replaced_in_presets_and_left_alone_in_what_is_asked_by_hand(around: PresetContext) -> None:
    gone = {"passes": [{"upscaler": "4x-Gone"}]}
    around.library.store.save(Preset("Gone", {"upscale": gone}), "")
    resolved, notes = resolved_for({"preset": "Gone"}, around)
    assert resolved.recipe["upscale"].passes[0].upscaler == "auto"
    assert any("4x-Gone" in note for note in notes)
    plain = PresetContext(Library(around.library.store.folder / "empty"), CHECKPOINT, HERE)
    resolved, notes = resolved_for({"upscale": gone}, plain)
    assert resolved.recipe["upscale"].passes[0].upscaler == "4x-Gone" and not notes
    with pytest.raises(SettingsError, match="preset: there is no preset"):
        resolved_for({"preset": "Nobody"}, around)


def test_the_choice_is_not_part_of_the_recipe() -> None:
    assert split({"preset": "x", "refine": {}}) == ("x", {"refine": {}})
    assert split({"refine": {}}) == (None, {"refine": {}})


@pytest.mark.parametrize(
    ("layer", "fields", "name"),
    [
        ("checkpoint", {}, "Mine"),
        ("variant", {"variant": "pony"}, "pony"),
        ("family", {}, "All SDXL"),
        ("everything", {}, "Every checkpoint"),
        ("chosen", {"name": "Evening", "about": "Warm.", "notes": "Long."}, "Evening"),
    ],
)
def test_what_is_saved_makes_what_was_shown_and_can_be_undone(
    around: PresetContext, layer: str, fields: dict[str, Any], name: str
) -> None:
    recipe = {"repair": {"enabled": True}, "grade": {"grain": 0.4}}
    shown, before = ask(around, "show", recipe=recipe)["values"], stored(around)
    told = ask(around, "save", recipe=recipe, layer=layer, **fields)
    assert told["saved"]["name"] == name and told["masked"] == []
    for key in ("about", "notes"):
        assert told["saved"][key] == fields.get(key, "")
    chosen = {"preset": name} if layer == "chosen" else {}
    assert ask(around, "show", recipe=chosen)["values"] == shown
    take_back(around, told)
    assert stored(around) == before


def test_what_a_stronger_preset_says_otherwise_is_told(around: PresetContext) -> None:
    told = ask(around, "save", recipe={"refine": {"steps": 12}, "grade": {"grain": 0.4}}, layer="family")
    assert told["masked"] == [{"path": "refine.steps", "layer": "checkpoint", "preset": "Mine"}]


def test_a_save_twice_has_nothing_to_undo(around: PresetContext) -> None:
    recipe = {"grade": {"grain": 0.4}}
    ask(around, "save", recipe=recipe, layer="checkpoint")
    again = ask(around, "save", recipe=recipe, layer="checkpoint")
    assert again["undo"] == [] and len(again["backups"]) == 1


def test_one_stage_can_be_saved(around: PresetContext) -> None:
    recipe = {"version": 2, "refine": {"steps": 12}, "grade": {"grain": 0.4}}
    told = ask(around, "save", recipe=recipe, layer="chosen", name="Grain", stage="grade")
    assert told["saved"]["stage"] == "grade"
    assert around.library.store.get("Grain").recipe == {"grade": {"grain": 0.4}}
    with pytest.raises(RequestError, match="stage: 'moon' is not accepted"):
        ask(around, "save", recipe=recipe, layer="chosen", name="Moon", stage="moon")


def test_a_save_says_which_revision_it_has_seen(around: PresetContext) -> None:
    with pytest.raises(Conflict, match="is there already"):
        ask(around, "save", recipe={}, layer="chosen", name="Mine", expected="")
    with pytest.raises(Conflict, match="changed in the meantime"):
        ask(around, "save", recipe={"refine": {"steps": 2}}, layer="checkpoint", expected="0" * 16)
    with pytest.raises(RequestError, match="layer: 'you' is not accepted"):
        ask(around, "save", recipe={}, layer="you")
    with pytest.raises(PresetError, match="no variant 'noobai'"):
        ask(around, "save", recipe={}, layer="variant", variant="noobai")


def test_delete_rename_duplicate_and_lock_are_undone(around: PresetContext) -> None:
    before = stored(around)
    told = ask(around, "delete", name="Mine")
    assert "Mine" not in stored(around) and told["backup"] == told["undo"][0]["file"]
    take_back(around, told)
    assert stored(around) == before
    told = ask(around, "rename", name="mine", new="Yours")
    assert set(stored(around)) == {"Yours", "All SDXL"}
    take_back(around, told)
    assert stored(around) == before
    told = ask(around, "lock", name="Mine", on=True)
    assert told["saved"]["locked"]
    for action, fields in (("delete", {}), ("rename", {"new": "x"})):
        with pytest.raises(Locked):
            ask(around, action, name="Mine", **fields)
    take_back(around, told)
    assert stored(around) == before
    told = ask(around, "duplicate", name="Mine")
    copied = {**before["Mine"], "name": "Mine (2)"}
    del copied["match"]
    assert stored(around)["Mine (2)"] == copied
    take_back(around, told)
    assert stored(around) == before


def test_a_copy_does_not_take_the_place_of_the_first(around: PresetContext) -> None:
    ask(around, "duplicate", name="Mine", new="Mine for tests")
    assert [item["name"] for item in ask(around, "show")["used"]] == ["All SDXL", "Mine"]
    ask(around, "duplicate", name="Portrait")
    assert around.library.store.get("Portrait (2)").recipe == around.library.get("Portrait").preset.recipe
    with pytest.raises(Unknown):
        ask(around, "duplicate", name="Nobody")
    with pytest.raises(Conflict):
        ask(around, "duplicate", name="Mine", new="All SDXL")


def test_a_preset_is_read_and_stored_whole(around: PresetContext) -> None:
    told = ask(around, "get", name="mine")
    assert told["data"]["recipe"] == {"version": 2, "refine": {"steps": 30}} and told["source"] == "yours"
    before = stored(around)
    data = {**told["data"], "notes": "More."}
    done = ask(around, "put", data=data, expected=told["revision"])
    assert done["saved"]["notes"] == "More."
    with pytest.raises(Conflict):
        ask(around, "put", data={**data, "notes": "Other."}, expected=told["revision"])
    take_back(around, done)
    assert stored(around) == before
    with pytest.raises(PresetError, match="it holds 2 presets"):
        ask(around, "put", data=json.loads(export([MINE, SDXL])))
    assert ask(around, "get", name="Portrait")["source"] == "built in"


def test_an_earlier_version_comes_back(around: PresetContext) -> None:
    ask(around, "save", recipe={"refine": {"steps": 3}}, layer="checkpoint")
    (backup,) = ask(around, "get", name="Mine")["backups"]
    assert ask(around, "restore", file=backup["file"])["saved"]["name"] == "Mine"
    assert around.library.store.get("Mine").recipe == MINE.recipe
    for file in ("../x.json", "gone.json"):
        with pytest.raises(Unknown):
            ask(around, "restore", file=file)


def test_an_undo_overwrites_nothing_that_was_saved_since(around: PresetContext) -> None:
    store = around.library.store
    saved = ask(around, "save", recipe={"refine": {"steps": 3}}, layer="checkpoint")
    theirs = store.save(replace(store.get("Mine"), recipe={"refine": {"steps": 44}}), None)
    with pytest.raises(Conflict, match="changed in the meantime"):
        take_back(around, saved)
    assert store.get("Mine") == theirs
    put = ask(around, "put", data=replace(theirs, notes="mine").as_json())
    store.rename("Mine", "Yours")
    with pytest.raises(Conflict, match="deleted or renamed"):
        take_back(around, put)
    deleted = ask(around, "delete", name="Yours")
    theirs = store.save(Preset("Yours", {"refine": {"steps": 45}}), "")
    with pytest.raises(Conflict, match="is there already"):
        take_back(around, deleted)
    assert store.get("Yours") == theirs
    # By hand it is meant.
    ask(around, "restore", file=deleted["backup"])
    assert store.get("Yours").recipe == {"refine": {"steps": 44}}


def test_a_backup_that_cannot_be_read_does_not_make_a_save_fail(around: PresetContext) -> None:
    ask(around, "save", recipe={"version": 2, "refine": {"steps": 3}}, layer="checkpoint")
    (around.library.store.backups_folder / "mine.20990101-000000-000000.json").symlink_to("gone.json")
    told = ask(around, "save", recipe={"refine": {"steps": 4}}, layer="checkpoint")
    assert len(told["backups"]) == 2
    take_back(around, told)
    assert around.library.store.get("Mine").recipe == {"refine": {"steps": 3}}


def test_two_presets_are_compared(around: PresetContext) -> None:
    told = ask(around, "compare", first="Mine", second="All SDXL")["differences"]
    assert {"path": "refine.steps", "first": 30, "second": 22} in told
    assert {"path": "grade.contrast", "second": 0.2} in told
    assert ask(around, "compare", first="Mine", second="mine") == {"differences": []}


def test_what_is_exported_can_be_imported_elsewhere(around: PresetContext, tmp_path: Path) -> None:
    text = ask(around, "export")["text"]
    assert [item["name"] for item in json.loads(text)["presets"]] == ["All SDXL", "Mine"]
    assert [item["name"] for item in json.loads(ask(around, "export", names=["Portrait"])["text"])["presets"]] == [
        "Portrait"
    ]
    elsewhere = replace(around, library=Library(tmp_path / "elsewhere"))
    with pytest.raises(PresetError, match="no preset of yours to export"):
        ask(elsewhere, "export")
    for names in ([], [3], "Mine"):
        with pytest.raises(RequestError, match=r"names: .* a list of names"):
            ask(around, "export", names=names)
    told = ask(elsewhere, "import", text=text, how="keep")
    assert [item["became"] for item in told["imported"]] == ["new", "new"]
    assert stored(elsewhere) == stored(around)
    take_back(elsewhere, told)
    assert stored(elsewhere) == {}


def test_an_import_is_looked_at_first(around: PresetContext) -> None:
    other = Preset("mine", {"refine": {"steps": 31}, "upscale": {"passes": [{"upscaler": "4x-Gone"}]}, "moon": {}})
    text, before = export([other, SDXL, Preset("New", {})]), stored(around)
    told = ask(around, "import", text=text)["preview"]
    assert [item["state"] for item in told] == ["differs", "same", "new"]
    assert {"path": "refine.steps", "first": 30, "second": 31} in told[0]["changes"]
    assert told[0]["missing"] == ["upscaler '4x-Gone'"] and "moon" in told[0]["notes"][0]
    assert stored(around) == before
    assert [item["name"] for item in ask(around, "import", text=text, names=["MINE"])["preview"]] == ["mine"]
    done = ask(around, "import", text=text, names=["mine", "New"], how="replace")
    assert [item["became"] for item in done["imported"]] == ["replaced", "new"]
    take_back(around, done)
    assert stored(around) == before
    done = ask(around, "import", text=text, names=["mine"], how="rename")
    assert done["imported"] == [{"name": "mine (2)", "became": "renamed"}]
    take_back(around, done)
    assert stored(around) == before
    assert ask(around, "import", text=text, names=["mine"], how="keep")["undo"] == []
    with pytest.raises(PresetError, match="keep, replace or rename"):
        ask(around, "import", text=text, how="eat")
    with pytest.raises(PresetError, match="not valid JSON"):
        ask(around, "import", text="{")


def test_a_bare_recipe_is_imported_under_the_name_given(around: PresetContext) -> None:
    text = json.dumps(write_recipe(default_recipe()))
    assert [item["name"] for item in ask(around, "import", text=text, name="Bare")["preview"]] == ["Bare"]


def test_an_infotext_becomes_a_preset_to_choose(around: PresetContext) -> None:
    recipe = read_recipe({"grade": {"contrast": 0.33}}, "sdxl")
    text = finished_infotext("a cat\nSteps: 20, Seed: 1", Base(), Size(8, 8), recipe_pairs(recipe, "sdxl"))
    told = ask(around, "from infotext", text=text, name="Cat")
    assert around.library.store.get("Cat").recipe["grade"]["contrast"] == 0.33
    with pytest.raises(Conflict):
        ask(around, "from infotext", text=text.replace("0.33", "0.34"), name="Cat")
    take_back(around, told)
    assert "Cat" not in stored(around)
    with pytest.raises(PresetError, match="no recipe of Finisher"):
        ask(around, "from infotext", text="a cat", name="Cat")


@pytest.mark.parametrize("action", [None, 3, "", "shows", ["show"]])
def test_another_action_is_refused(around: PresetContext, action: Any) -> None:
    with pytest.raises(RequestError, match=r"action: .* must be show, save"):
        answer({"action": action}, around)


@pytest.mark.parametrize("action", ACTIONS)
def test_unknown_missing_and_wrong_fields_are_refused(around: PresetContext, action: str) -> None:
    _, needed, more = ACTIONS[action]
    with pytest.raises(RequestError, match="nmae: there is no such field"):
        answer({"action": action, "nmae": 1}, around)
    for key in needed:
        with pytest.raises(RequestError, match=f"{key}: it is missing"):
            answer({"action": action, **{other: "x" for other in needed if other != key}}, around)
    for key in ("checkpoint", *needed, *more):
        good = {other: {} if other in ("recipe", "data") else "Mine" for other in needed}
        with pytest.raises(RequestError, match=f"^{key}: 3 is not accepted"):
            answer({"action": action, **good, key: 3}, around)


@pytest.mark.parametrize(
    ("wrong", "named", "kept"),
    [
        ({"refine": {"steps": 9000}}, "refine.steps: 9000", ("steps", 0)),
        ({"refine": {"steps": "12"}}, "refine.steps: '12'", ("steps", 0)),
        ({"refine": {"denoise": 0.3}}, "refine.denoise: there is no such control", ("steps", 0)),
        ({"refine": 3}, "refine: 3", ("steps", 0)),
        ({"glow": {"enabled": True}}, "glow: there is no such stage", ("steps", 0)),
        ({"version": "two"}, "version: 'two'", ("enabled", True)),
        ({"version": 3}, "version 3", ("enabled", False)),
        ({"family": 5}, "family: 5", ("steps", 0)),
        ({"detail": {"passes": [{"confidence": 7, "steps": 4}]}}, "detail.passes.1.confidence: 7", ("steps", 0)),
    ],
)  # fmt: skip
def test_one_wrong_value_of_a_pasted_recipe_is_left_out_alone(
    wrong: dict[str, Any], named: str, kept: tuple[str, Any], around: PresetContext
) -> None:
    right = {"version": 2, "preset": "none", "pasted": True, "grade": {"grain": 0.3}}
    usable, notes = without_wrong_values({**right, **wrong})
    resolved, more = resolved_for(usable, around)
    assert len(notes) == 1 and named in notes[0] and more == ()
    assert resolved.recipe["grade"].grain == 0.3 and getattr(resolved.recipe["refine"], kept[0]) == kept[1]
    assert resolved.recipe["detail"].passes[0].steps == (4 if "detail" in wrong else 0)
    assert without_wrong_values(right) == (right, ())


def test_a_program_is_refused_for_a_wrong_value_and_told_of_a_newer_version(around: PresetContext) -> None:
    with pytest.raises(SettingsError, match=r"refine\.steps: 9000"):
        resolved_for({"version": 2, "refine": {"steps": 9000}}, around)
    resolved, notes = resolved_for({"version": 3, "preset": "none", "refine": {"glow": 1, "steps": 7}}, around)
    assert resolved.recipe["refine"].steps == 7 and not resolved.recipe["refine"].enabled
    assert "version 3" in notes[0] and "refine.glow" in notes[1] and len(notes) == 2


def test_what_a_preset_cannot_have_here_is_told_with_the_recipe(around: PresetContext) -> None:
    recipe = {
        "refine": {"sampler": "Gone", "glow": 1}, "detail": {"passes": [{}, {"detector": "gone.pt"}]},
        "upscale": {"passes": [{"upscaler": "Gone 4x"}]},
    }  # fmt: skip
    around.library.store.save(Preset("Elsewhere", recipe), "")
    around = replace(around, here={**HERE, "sampler": ["Euler"]})
    resolved, notes = resolved_for({"version": 2, "preset": ["none", "Elsewhere"]}, around)
    for words in ("sampler 'Gone'", "refine.glow", "'gone.pt' is not here, so it is left out", "upscaler 'Gone 4x'"):
        assert sum(words in note for note in notes) == 1, words
    assert (resolved.recipe["refine"].sampler, resolved.recipe["detail"].passes[1].active) == ("", False)
    assert ask(around, "show", recipe={"version": 2, "preset": ["none", "Elsewhere"]})["notes"] == list(notes)


def test_what_is_said_by_hand_is_saved_even_where_it_is_inherited(around: PresetContext) -> None:
    assert read_recipe({"version": 2}, "sdxl")["refine"].denoising_strength == 0.35
    less = {"version": 2, "preset": "none", "grade": {"grain": 0.3}}
    typed = {**less, "refine": {"denoising_strength": 0.35}}
    for name, recipe in (("Typed", typed), ("Less", less)):
        ask(around, "save", recipe=recipe, layer="chosen", name=name)
    said, unsaid = (around.library.store.get(name).recipe for name in ("Typed", "Less"))
    assert said["refine"]["denoising_strength"] == 0.35
    assert "denoising_strength" not in unsaid["refine"], "what nobody said is inherited as before"
    assert said["grade"] == unsaid["grade"]
