from __future__ import annotations

import json

import pytest

from lib_finisher.controls import SettingsError
from lib_finisher.recipe import assign, default_recipe, read_recipe, write_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.upscale_settings import scaled_to


def test_the_default_recipe_survives_json() -> None:
    recipe = default_recipe()
    assert read_recipe(json.loads(json.dumps(write_recipe(recipe)))) == recipe
    assert list(write_recipe(recipe))[1:] == ["base", *NAMES]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"upscal": {}}, "Did you mean 'upscale'"),
        ({"version": 99}, "version"),
        ({"grade": {"contrast": 5}}, "grade.contrast: 5 is not accepted; it must be a number from -1 to 1"),
        ({"detail": {"passes": [{"confidence": 2}]}}, "detail.passes.1.confidence"),
        ([], "must be an object of stages"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(data: object, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_recipe(data)
    assert told in str(caught.value)


def test_assignments() -> None:
    data = assign(
        {"version": 2}, ["grade.contrast=0.2", "detail.1.confidence=0.5", "upscale.factor=3", "detail.enabled=false"]
    )
    recipe = read_recipe(data)
    assert recipe["grade"].contrast == 0.2
    assert recipe["detail"].passes[0].confidence == 0.5
    assert recipe["detail"].enabled is False
    assert recipe["upscale"].passes[0].factor == 3.0
    assert recipe["refine"] == default_recipe()["refine"]


def test_setting_one_control_of_a_pass_leaves_the_familys_other_defaults() -> None:
    recipe = read_recipe(assign({}, ["upscale.factor=3", "detail.1.confidence=0.5"]), "flux")
    plain = read_recipe({}, "flux")
    assert recipe["upscale"].passes[0].denoising_strength == plain["upscale"].passes[0].denoising_strength == 0.25
    assert recipe["detail"].passes[0].denoising_strength == plain["detail"].passes[0].denoising_strength


def test_an_assignment_reaches_every_pass_and_leaves_the_file_alone() -> None:
    given = {"detail": {"passes": [{"prompt": "a"}, {"prompt": "b"}]}}
    data = assign(given, ["detail.steps=9", "detail.passes.2.prompt=c"])
    passes = read_recipe(data)["detail"].passes
    assert [one.steps for one in passes] == [9, 9]
    assert [one.prompt for one in passes] == ["a", "c"]
    assert given == {"detail": {"passes": [{"prompt": "a"}, {"prompt": "b"}]}}


@pytest.mark.parametrize(
    "text", ["grade", "grade.contrast", "=3", "grade.=3", "a.b.c.d=1", "detail.9.steps=1", "grade.1.contrast=0"]
)
def test_a_malformed_assignment_is_named(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        assign({}, [text])
    assert repr(text)[1:-1] in str(caught.value)


def test_texts_stay_texts_and_passes_can_be_given_whole() -> None:
    recipe = read_recipe(assign({}, ["refine.prompt=1984", 'detail.passes=[{}, {"steps": 3}]']))
    assert recipe["refine"].prompt == "1984"
    assert [one.steps for one in recipe["detail"].passes] == [0, 3]


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_beyond_all_bounds_is_refused(digits: int) -> None:
    with pytest.raises(SettingsError, match=r"grade\.contrast"):
        read_recipe(assign({}, ["grade.contrast=1" + "0" * digits]))


def test_upscale_to_less_than_the_first_passes_is_refused() -> None:
    settings = read_recipe({"upscale": {"passes": [{"factor": 4}, {"factor": 1}]}})["upscale"]
    with pytest.raises(SettingsError, match="4 times already"):
        scaled_to(settings, 2)


def test_an_unknown_control_in_an_assignment_is_named() -> None:
    with pytest.raises(SettingsError, match=r"grade\.contrst"):
        read_recipe(assign({}, ["grade.contrst=1"]))


def test_upscale_to_gives_the_rest_to_the_last_pass() -> None:
    settings = read_recipe({"upscale": {"passes": [{"factor": 1.5}, {"factor": 2}]}})["upscale"]
    factors = [one.factor for one in scaled_to(settings, 6).passes]
    assert factors == [1.5, 4.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("refine.enabled=False", False), ("refine.enabled=TRUE", True), ("extend.enabled=true", True),
        ("grade.contrast=.3", 0.3), ("grade.contrast=-.3", -0.3), ("grade.contrast=+0.3", 0.3),
        ("refine.steps=7.", 7), ("refine.steps=+7", 7), ("refine.denoising_strength=1e-1", 0.1),
        ("refine.prompt=True", "True"), ("refine.prompt=.3", ".3"), ('refine.prompt="a b"', "a b"),
    ],
)  # fmt: skip
def test_a_value_as_people_write_it(text: str, value: object) -> None:
    section, name = text.partition("=")[0].split(".")
    found = getattr(read_recipe(assign({}, [text]))[section], name)
    assert found == value and type(found) in (type(value), float)


@pytest.mark.parametrize(
    "text",
    [
        "grade.contrast=0,3", "grade.contrast=.", "grade.contrast=1e", "grade.contrast=true", "grade.contrast=nan",
        "refine.enabled=maybe", "refine.enabled=1", "refine.enabled=yes", "refine.steps=1.5", "refine.steps=True",
    ],
)  # fmt: skip
def test_a_value_without_one_meaning_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=text.partition("=")[0]):
        read_recipe(assign({}, [text]))
