"""Recipes, --set, presets, infotexts, tables and small languages: whatever comes is read, or told in words."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from lib_finisher.controls import SettingsError, controls_of
from lib_finisher.imaging.cube import LutError, parse_cube
from lib_finisher.imaging.curves import CurveError, read_curves
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.lut import LutChain
from lib_finisher.imaging.side_data import PngText, SideData
from lib_finisher.infotext.for_hosts import for_the_host
from lib_finisher.infotext.generation import read_generation
from lib_finisher.infotext.layout import read_layout
from lib_finisher.infotext.own_base import own_base
from lib_finisher.infotext.writing import finished_infotext
from lib_finisher.json_text import JsonError, is_shallow, read_json
from lib_finisher.model_titles import split_title
from lib_finisher.presets.builtin import PRESETS as BUILT_IN
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.preset import parse, read_preset, text_of
from lib_finisher.presets.share import from_infotext, read_bundle
from lib_finisher.recipe import SECTIONS, Recipe, assign, default_recipe, read_recipe, write_recipe
from lib_finisher.stages.detail_prompts import chosen, own_seed_of, seeds_added
from lib_finisher.stages.diffusion import extra_networks
from lib_finisher.stages.extend_settings import aspect_of
from lib_finisher.stages.stage import Base
from tests.fuzz.budget import tried, within
from tests.fuzz.mutations import JSON, mutated, mutated_json, words

RECIPES = [write_recipe(default_recipe()), write_recipe(default_recipe("sdxl")), {}, {"version": 1}]
PRESETS = [text_of(preset).encode() for preset in BUILT_IN]
NAMES = [f"{section}.{row.name}" for section, kind in SECTIONS.items() for row in controls_of(kind)]


@tried(150)
@given(data=mutated_json(RECIPES) | JSON, family=st.sampled_from(["", "sdxl", "flux", "nothing"]))
def test_a_recipe_is_read_or_told(data: Any, family: str) -> None:
    with within(60_000):
        try:
            recipe = read_recipe(data, family)
        except SettingsError as error:
            assert error.problems
            assert all(len(line) < 1000 for line in error.problems)
            return
    assert_round_trip(recipe)


def assert_round_trip(recipe: Recipe) -> None:
    written = json.loads(json.dumps(write_recipe(recipe)))
    assert write_recipe(read_recipe(written)) == written


VALUES = words("true", "1", "0.5", "1e400", "-", "nan", "[", "]", "{", "}", '"', ":", ",", "a", "\\", "None", "0" * 20)


@tried(200)
@given(name=st.sampled_from(NAMES) | words(".", "grade", "detail", "passes", "1", "enabled"), value=VALUES, more=VALUES)
def test_an_assignment_is_read_or_told(name: str, value: str, more: str) -> None:
    with within(60_000), contextlib.suppress(SettingsError):
        assert_round_trip(read_recipe(assign({}, [f"{name}={value}", f"{name}{more}"])))
    with within(60_000), contextlib.suppress(SettingsError):
        assert_round_trip(read_recipe(assign({}, [f"{name}={value}"])))


@tried(200)
@given(text=mutated(PRESETS) | st.binary(max_size=60))
def test_a_preset_is_read_or_told(text: bytes) -> None:
    with within(400_000):
        for read in (read_bundle, lambda text: (read_preset(parse(text)[0]),)):
            try:
                presets = read(text)
            except PresetError as error:
                assert str(error)
                continue
            for preset in presets:
                written = text_of(preset)
                again = read_preset(parse(written)[0])
                assert text_of(again) == written


PIECES = (
    "Steps: 20", "Seed: 5", "CFG scale: 7", "Sampler: Euler a", "Size: 8x8", ", ", "\n", "Negative prompt: ", '"', "\\",
    ":", ",", "Finisher: ", "{}", "<lora:", ">", "(", "a fox", "{", '"prompt": "x"', "}", "Finisher stages: grade",
    "Steps: 1000000000", "Seed: -1", "CFG scale: 1e14", "Schedule type: Karras", "ab: ", "  ",
)  # fmt: skip
TOLD = st.text(max_size=20).map(str.strip).filter(bool) | words(*PIECES, most=4).map(str.strip).filter(bool)
INFOTEXTS = words(*PIECES, most=25)
GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 25, "cfg": 4.5, "sampler_name": "euler",
          "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0], "denoise": 1.0}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["9", 0]}}, "7": {"inputs": {"text": "blur"}},
    "9": {"inputs": {"value": "fox", "string": ["6", 0]}},
}  # fmt: skip
OTHERS = [
    GRAPH,
    {"sui_image_params": {"prompt": "a", "seed": 5, "steps": 20, "cfgscale": 7}},
    {"prompt": "a", "uc": "b", "seed": "7", "scale": 5},
    {"image": {"prompt": [{"prompt": "a", "weight": 1.0}], "seed": 3}},
]


def assert_in_range(base: Base) -> None:
    assert 0 <= base.seed < 2**64
    assert 1 <= base.steps <= 150
    assert 0 <= base.cfg_scale <= 30
    assert max(len(base.prompt), len(base.negative_prompt)) <= 20_000


@tried(400)
@given(
    text=INFOTEXTS,
    pairs=st.dictionaries(
        st.sampled_from(["Finisher", "Finisher notes"]), st.text(max_size=20).map(str.strip).filter(bool)
    ),
)
@example(text="", pairs={"Finisher": '"', "Finisher notes": '"'})
def test_an_infotext_is_read_and_keeps_what_is_written_into_it(text: str, pairs: dict[str, str]) -> None:
    with within(40_000):
        base, notes = own_base(text)
        assert_in_range(base)
        assert all(isinstance(note, str) and note for note in notes.values())
        generation = read_generation(text)
        handed = "" if generation is None else for_the_host(generation)
        assert len(handed) < 4400
        written = finished_infotext(text, Base(), Size(8, 8), pairs)
        if not text.lstrip().startswith("{"):
            read = read_layout(written).pairs
            assert {key: read.get(key) for key in pairs} == pairs
        assert finished_infotext(written, Base(), Size(8, 8), pairs) == written
        with contextlib.suppress(PresetError, SettingsError):
            from_infotext(written, "x")
        assert len(extra_networks(text)) <= text.count(">")
        split_title(text)


@tried(200)
@given(data=mutated_json(OTHERS) | JSON, keyword=st.sampled_from(["", "prompt", "Comment", "sd-metadata", "invokeai_metadata"]))  # noqa: E501  # fmt: skip
def test_what_other_programs_tell_is_read(data: Any, keyword: str) -> None:
    text = json.dumps(data)
    side = SideData((PngText(keyword, text),)) if keyword else SideData()
    with within(60_000):
        base, notes = own_base("" if keyword else text, side)
    assert_in_range(base)
    assert all(len(note) < 400 for note in notes.values())


@tried(200)
@given(text=words("[", "]", "{", "}", '"a":', "1", ",", "null", "1e400", '"', "\\u", "NaN", most=40) | st.binary(max_size=40))  # noqa: E501  # fmt: skip
def test_json_is_read_or_told(text: str | bytes) -> None:
    with within(20_000):
        try:
            data, notes = read_json(text)
        except JsonError as error:
            assert str(error)
            return
    assert is_shallow(data)
    assert all(isinstance(note, str) for note in notes)


TABLES = [
    b"TITLE \"x\"\nLUT_3D_SIZE 2\nDOMAIN_MIN 0 0 0\n" + b"0 .5 1\n" * 8,
    b"LUT_1D_SIZE 3\nLUT_1D_INPUT_RANGE 0 1\n0 0 0\n.5 .5 .5\n1 1 1\n",
    b"LUT_1D_SIZE 2\nLUT_3D_SIZE 2\nLUT_IN_VIDEO_RANGE\n0 0 0\n1 1 1\n" + b"0,1 0 1 # x\n" * 8,
    "LUT_3D_SIZE 2\n".encode("utf-16") + ("0 0 0\n" * 8).encode("utf-16-le"),
]  # fmt: skip


@tried(250)
@given(data=mutated(TABLES) | st.binary(max_size=80))
def test_a_table_is_read_or_told(data: bytes) -> None:
    with within(60_000):
        try:
            file = parse_cube(data, "x.cube")
        except LutError as error:
            assert str(error).startswith("x.cube")
            return
    for table in file.tables:
        assert table.table.shape == (table.size**3 if table.solid else table.size, 3)
        assert np.isfinite(table.table).all()
    picture = np.linspace(-0.5, 1.5, 27, dtype=np.float32).reshape(3, 3, 3)
    assert np.isfinite(LutChain.of(file).apply(picture, 0.5)).all()


@tried(150)
@given(text=words("0,0", "255,255", "|", "\n", "r:", "g:", ",", ";", "1e9", "-1", "128.5", "[FOR ", "]", "[SEED 5]", "2=1", "#0", "16:9", "x"))  # noqa: E501  # fmt: skip
def test_the_small_languages_are_read_or_told(text: str) -> None:
    with within(20_000):
        with contextlib.suppress(CurveError):
            assert all(np.isfinite(table).all() for table in read_curves(text).tables.values())
        with contextlib.suppress(ValueError):
            aspect_of(text)
        chosen(text)
        own_seed_of(text)
        assert all(isinstance(number, int) for number in seeds_added(text).values())
