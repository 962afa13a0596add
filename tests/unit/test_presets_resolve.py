"""The recipe for a checkpoint: layers, origins, choices, saving."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lib_finisher.controls import SettingsError, controls_of
from lib_finisher.presets.builtin import BUILT_IN
from lib_finisher.presets.errors import PresetError, Unknown
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint, Entry
from lib_finisher.presets.origins import CHECKPOINT, CHOSEN, DEFAULT, EVERYTHING, FAMILY, VARIANT, YOU, Origin
from lib_finisher.presets.preset import Match, Preset
from lib_finisher.presets.resolve import Choice, masked, read_choice, resolve, to_save
from lib_finisher.recipe import SECTIONS, default_recipe

MODEL = Checkpoint("juggernaut.safetensors", family="sdxl", variants=("pony", "few-step"))
FLUX = Checkpoint("flux1-dev.safetensors", family="flux", variants=("dev",))

ALL = Entry(Preset("all", {"refine": {"steps": 1, "cfg_scale": 1}}, match=Match(everything=True)))
XL = Entry(Preset("xl", {"refine": {"steps": 2, "denoising_strength": 0.2}}, match=Match(families=("sdxl",))))
PONY = Entry(Preset("pony", {"refine": {"steps": 3}, "grade": {"grain": 0}}, match=Match(variants=("pony",))))
ONE = Entry(Preset("one", {"refine": {"steps": 4}}, match=Match(names=("juggernaut",))))
USE = Entry(Preset("use", {"refine": {"steps": 5}}, families={"flow": {"refine": {"steps": 6}}}))
EVERY = [ALL, XL, PONY, ONE, USE]


def test_without_presets_it_is_the_familys_default() -> None:
    for checkpoint in (MODEL, FLUX, Checkpoint("x")):
        found = resolve(checkpoint, [])
        assert found.recipe == default_recipe(checkpoint.family)
        assert (found.layers, found.content, found.notes) == ((), "", ())


def test_layers_lie_over_one_another_from_the_general_to_the_special() -> None:
    found = resolve(MODEL, EVERY)
    assert found.names == ("all", "xl", "pony", "one")
    refine = found.recipe["refine"]
    assert (refine.steps, refine.denoising_strength, refine.cfg_scale) == (4, 0.2, 1)
    assert found.origins["refine.steps"] == Origin(CHECKPOINT, "one")
    assert found.origins["refine.denoising_strength"] == Origin(FAMILY, "xl")
    assert found.origins["refine.cfg_scale"] == Origin(EVERYTHING, "all")
    assert found.origins["grade.grain"] == Origin(VARIANT, "pony")
    assert found.origins["grade.contrast"] == Origin(DEFAULT)


def test_a_chosen_preset_lies_over_those_and_the_users_own_over_everything() -> None:
    found = resolve(MODEL, EVERY, {"grade": {"grain": 0.3}}, Choice(("Use",)))
    assert found.names == ("all", "xl", "pony", "one", "use")
    assert found.recipe["refine"].steps == 5 and found.origins["refine.steps"] == Origin(CHOSEN, "use")
    assert found.recipe["grade"].grain == 0.3 and found.origins["grade.grain"] == Origin(YOU)
    assert resolve(FLUX, EVERY, None, Choice(("use",))).recipe["refine"].steps == 6, "its part for flow models"


def test_none_leaves_the_matched_ones_out() -> None:
    found = resolve(MODEL, EVERY, None, read_choice(["none", "use"]))
    assert found.names == ("use",)
    assert resolve(MODEL, EVERY, None, read_choice("none")).recipe == default_recipe("sdxl")


@pytest.mark.parametrize(
    ("value", "names", "matched"),
    [(None, (), True), ("", (), True), ("auto", (), True), ("None", (), False), ("x", ("x",), True),
     (["a", "auto", "b"], ("a", "b"), True), (["none", "a"], ("a",), False)],
)  # fmt: skip
def test_what_a_request_says(value: object, names: tuple[str, ...], matched: bool) -> None:
    assert read_choice(value) == Choice(names, matched)


@pytest.mark.parametrize("value", [3, {"a": 1}, [1], True])
def test_other_choices_are_refused(value: object) -> None:
    with pytest.raises(PresetError, match="auto"):
        read_choice(value)


def test_an_unknown_choice_names_what_is_there() -> None:
    with pytest.raises(Unknown, match=r"'nope'.*pony"):
        resolve(MODEL, EVERY, None, Choice(("nope",)))


def test_the_users_own_is_read_as_strictly_as_ever() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'steps'"):
        resolve(MODEL, EVERY, {"refine": {"step": 3}})
    with pytest.raises(SettingsError, match="must be an object"):
        resolve(MODEL, EVERY, {"refine": 3})  # type: ignore[dict-item]


def test_what_a_preset_says_wrongly_is_a_note_and_the_rest_counts() -> None:
    bad = Entry(Preset("bad", {"refine": {"steps": 9, "x": 1}, "y": {}}, match=Match(everything=True)))
    found = resolve(MODEL, [bad])
    assert found.recipe["refine"].steps == 9
    assert [note.partition(": ")[0] for note in found.notes] == ["bad", "bad"]


def test_every_control_has_an_origin_and_passes_have_one_for_each_of_theirs() -> None:
    found = resolve(FLUX, BUILT_IN, None, Choice(("portrait",)))
    for section, settings in SECTIONS.items():
        for row in controls_of(settings):
            assert f"{section}.{row.name}" in found.origins
            if row.kind == "passes" and row.item is not None:
                count = len(getattr(found.recipe[section], row.name))
                inner = {item.name for item in controls_of(row.item)}
                there = {path for path in found.origins if path.startswith(f"{section}.{row.name}.")}
                assert there == {f"{section}.{row.name}.{n}.{name}" for n in range(1, count + 1) for name in inner}
    assert found.origins["detail.passes.1.detector"] == Origin(CHOSEN, "Portrait")
    assert found.origins["detail.passes.1.denoising_strength"] == Origin(FAMILY), "the table's, for flow models"
    assert found.origins["detail.passes.1.iou"] == Origin(DEFAULT)


def test_what_is_said_of_every_pass_reaches_those_of_a_chosen_preset() -> None:
    found = resolve(MODEL, BUILT_IN, None, Choice(("Portrait",)))
    assert [item.steps for item in found.recipe["detail"].passes] == [12, 12]
    assert found.origins["detail.passes.2.steps"] == Origin(VARIANT, "Few-step models")
    own = resolve(MODEL, BUILT_IN, {"detail": {"passes": [{"confidence": 0.4}]}})
    assert own.recipe["detail"].passes[0].steps == 0, "a list of one's own is taken as it is"
    assert own.origins["detail.passes.1.confidence"] == Origin(YOU)
    assert own.origins["detail.passes.1.steps"] == Origin(DEFAULT)


def test_a_preset_for_a_stage_says_nothing_about_others() -> None:
    one = Entry(Preset("faces", {"detail": {"touch_up": 0.1}, "refine": {"steps": 9}}, stage="detail"))
    found = resolve(MODEL, [one], None, Choice(("faces",)))
    assert (found.recipe["detail"].touch_up, found.recipe["refine"].steps) == (0.1, 0)


def test_the_hash_tells_whether_presets_say_the_same() -> None:
    first = resolve(MODEL, EVERY)
    assert first.content == resolve(MODEL, list(reversed(EVERY)), {"grade": {"grain": 1}}).content
    other = [ALL, XL, PONY, Entry(replace(ONE.preset, recipe={"refine": {"steps": 40}}))]
    assert first.content != resolve(MODEL, other).content


@pytest.mark.parametrize("layer", [EVERYTHING, FAMILY, VARIANT, CHECKPOINT])
def test_saving_keeps_what_differs_and_shows_the_same_again(layer: str, tmp_path: Path) -> None:
    library = Library(tmp_path)
    for entry in (ALL, XL):
        library.store.save(entry.preset, "")
    own = {"version": 2, "grade": {"grain": 0.3}, "upscale": {"passes": [{"factor": 3}]}}
    shown = resolve(MODEL, library.entries(), own).recipe
    name = library.name_for(MODEL, layer)
    assert name == {EVERYTHING: "all", FAMILY: "xl", VARIANT: "pony", CHECKPOINT: "juggernaut"}[layer]
    draft = library.draft(name, shown, MODEL, layer, about="x")
    assert draft.recipe["grade"] == {"grain": 0.3}
    library.store.save(draft, None)
    again = library.resolve(MODEL)
    above = {EVERYTHING: ("xl", "Few-step models"), FAMILY: ("Few-step models",), VARIANT: ("Few-step models",)}
    hidden = masked(shown, again)
    assert {origin.preset for _, origin in hidden} <= set(above.get(layer, ()))
    if layer == CHECKPOINT:
        assert again.recipe == shown
        assert set(draft.recipe) == {"grade", "upscale"}
        assert library.name_for(MODEL, layer) == "juggernaut", "the next save goes into the same"


def test_masked_names_what_says_otherwise() -> None:
    shown = resolve(MODEL, EVERY, {"refine": {"steps": 30}}).recipe
    said = to_save(shown, MODEL, EVERY, FAMILY, "xl")
    saved = [ALL, PONY, ONE, Entry(replace(XL.preset, recipe=said))]
    assert masked(shown, resolve(MODEL, saved)) == (("refine.steps", Origin(CHECKPOINT, "one")),)


def test_nothing_is_saved_for_the_table_or_for_what_is_not_known() -> None:
    for layer in (DEFAULT, YOU, "moon"):
        with pytest.raises(PresetError):
            to_save(default_recipe(), MODEL, [], layer, "x")
    library = Library(Path("nowhere"))
    with pytest.raises(PresetError, match="no family that is known"):
        library.draft("x", default_recipe(), Checkpoint("x"), FAMILY)


def test_a_preset_of_the_users_hides_a_built_in_one(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.store.save(Preset("PORTRAIT", {"refine": {"steps": 7}}), "")
    entry = library.get("portrait")
    assert not entry.built_in and entry.preset.name == "PORTRAIT"
    assert library.resolve(MODEL, None, Choice(("Portrait",))).recipe["refine"].steps == 7
    library.store.delete("Portrait")
    assert library.get("portrait").built_in
