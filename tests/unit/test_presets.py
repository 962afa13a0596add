"""A preset as a value and as a file: schema, migrations, names, patterns, what is unknown."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from lib_finisher.presets.errors import NewerSchema, PresetError
from lib_finisher.presets.files import file_name
from lib_finisher.presets.fragment import EVERY, expanded, laid_over, usable
from lib_finisher.presets.migrations import MARK, SCHEMA
from lib_finisher.presets.pattern import Pattern, PatternError
from lib_finisher.presets.preset import Match, Preset, check_rules, parse, read_preset, text_of
from lib_finisher.recipe import default_recipe, read_recipe, write_recipe

FULL = Preset(
    name="Mine, 100 % 😀",
    recipe={"refine": {"denoising_strength": 0.4, "steps": 2.0}, "detail": {"passes": [{"confidence": 0.5}, {}]}},
    families={"flow": {"refine": {"denoising_strength": 0.25}}},
    variants={"few-step": {"detail": {EVERY: {"steps": 8}}}},
    match=Match(sha256=("a" * 64,), globs=("juggernaut*",), more={"moon": ["full"]}),
    about="A sentence.", notes="Line\nline", author="me", created="2026-01-01T00:00:00Z", locked=True,
    instead={"4x-UltraSharp": ("R-ESRGAN 4x+", "auto")}, more={"colour": "red", "deep": {"a": [1, {"b": None}]}},
)  # fmt: skip


def test_a_preset_survives_its_file() -> None:
    text = text_of(FULL)
    again = read_preset(parse(text)[0])
    assert again == FULL
    assert text_of(again) == text
    assert again.revision == FULL.revision
    assert "colour" in text and "moon" in text, "what is not known is kept"


def test_the_hash_follows_what_the_preset_does_and_nothing_else() -> None:
    same = replace(FULL, name="Other", notes="", author="you", changed="2027", locked=False, match=Match())
    assert same.content == FULL.content and len(FULL.content) == 10
    assert same.revision != FULL.revision
    as_a_page_writes_it = replace(FULL, recipe=json.loads(json.dumps(FULL.recipe).replace("2.0", "2")))
    assert as_a_page_writes_it.content == FULL.content
    assert replace(FULL, recipe={"refine": {"steps": 3}}).content != FULL.content
    assert replace(FULL, families={}).content != FULL.content


def test_a_bare_recipe_is_schema_0_and_keeps_every_value() -> None:
    recipe = default_recipe().changed("refine", replace(default_recipe()["refine"], denoising_strength=0.41))
    preset = read_preset(json.loads(json.dumps(write_recipe(recipe))), "from a file")
    assert (preset.name, preset.as_json()[MARK]) == ("from a file", SCHEMA)
    assert read_recipe(expanded(preset.recipe)) == recipe
    assert read_recipe(expanded(preset.recipe), "flux") == recipe, "what the file names stays under any family"


def test_the_file_of_a_newer_finisher_is_told_apart() -> None:
    with pytest.raises(NewerSchema, match="Update Finisher"):
        read_preset({MARK: SCHEMA + 1, "name": "x", "recipe": {}})


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "a preset is an object"),
        ({"a": 1}, "no preset"),
        ({MARK: "1", "name": "x"}, "no number of a schema"),
        ({MARK: True, "name": "x"}, "no number of a schema"),
        ({MARK: 1}, "needs a name"),
        ({MARK: 1, "name": "  "}, "needs a name"),
        ({MARK: 1, "name": "Auto"}, "stands for a way of choosing"),
        ({MARK: 1, "name": "x" * 301}, "at most 300"),
        ({MARK: 1, "name": "x", "recipe": []}, "recipe: it must be an object"),
        ({MARK: 1, "name": "x", "recipe": {"refine": 3}}, "recipe: it must be"),
        ({MARK: 1, "name": "x", "families": {"sd1": []}}, "families.sd1"),
        ({MARK: 1, "name": "x", "match": {"names": "a"}}, "match.names: it must be a list"),
        ({MARK: 1, "name": "x", "match": {"everything": 1}}, "match.everything"),
        ({MARK: 1, "name": "x", "instead": {"a": [1]}}, "instead.a"),
        ({MARK: 1, "name": "x", "locked": "yes"}, "locked"),
        ({MARK: 1, "name": "x", "recipe": {"refine": {"a": float("inf")}}}, "a number that JSON cannot write"),
    ],
)
def test_what_is_no_preset_is_refused_with_the_reason(data: object, told: str) -> None:
    with pytest.raises(PresetError, match=told):
        read_preset(data)


@pytest.mark.parametrize("text", ["", "{", '{"a": NaN}', "[" * 100_000, '{"a": 1e}', "\ud800", "nul"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(PresetError):
        read_preset(parse(text)[0])


def test_deep_nesting_is_refused() -> None:
    data: object = 1
    for _ in range(60):
        data = [data]
    with pytest.raises(PresetError, match="too deeply"):
        read_preset({MARK: 1, "name": "x", "recipe": {"refine": {"a": data}}})


# -- fragments ------------------------------------------------------------------------------------------


def test_what_cannot_be_used_is_left_out_alone() -> None:
    clean, notes = usable(
        {
            "refine": {"steps": 9, "denoising_strength": 7, "sparkle": 1},
            "detail": {"passes": [{"confidence": 0.5, "nose": 2}, {"steps": "many"}], "every": {"steps": 3, "x": 1}},
            "upscale": {"passes": []},
            "extend": {"aspect": "wide"},
            "moon": {"phase": 1},
            "version": {},
        }
    )
    assert clean == {
        "refine": {"steps": 9},
        "detail": {"passes": [{"confidence": 0.5}, {}], "every": {"steps": 3}},
    }
    for told in (
        "sparkle",
        "denoising_strength: 7",
        "passes.1.nose",
        "passes.2.steps",
        "every.x",
        "moon",
        "upscale.passes",
    ):
        assert any(told in note for note in notes), told
    assert len(notes) == 8
    assert not any("Accepted here" in note for note in notes)


def test_a_list_takes_the_place_of_a_list_and_every_reaches_into_it() -> None:
    below = {"detail": {"passes": [{"confidence": 0.5}], EVERY: {"steps": 8, "iou": 0.3}}, "refine": {"steps": 3}}
    above = {"detail": {"passes": [{"steps": 20}, {}]}, "refine": {"cfg_scale": 5}}
    assert expanded(laid_over(below, above)) == {
        "detail": {"passes": [{"steps": 20, "iou": 0.3}, {"steps": 8, "iou": 0.3}]},
        "refine": {"steps": 3, "cfg_scale": 5},
    }
    upon = laid_over({"detail": {"passes": [{"steps": 20}]}}, {"detail": {EVERY: {"steps": 8}}})
    assert expanded(upon) == {"detail": {"passes": [{"steps": 8}]}}
    alone = expanded(laid_over({}, {"upscale": {EVERY: {"steps": 8}}}))
    assert read_recipe(alone, "flux")["upscale"].passes[0].steps == 8
    assert read_recipe(alone, "flux")["upscale"].passes[0].denoising_strength == 0.25, "the family's stays"


# -- file names -----------------------------------------------------------------------------------------

NAMES = (
    "../../x", "con", "CON", "nul.txt", "com1", "a" * 300, "😀😀", "a\x00b\x1b[2J", "x/y", "C:\\x", ".hidden", "..",
    "...", "trailing. ", "grüße", "名前", "a*b?c", "~", "-rf", "a\nb", "é", "\ud83d", "LPT9", "x:y", "|", "set-aside",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_file_names_are_safe_everywhere(name: str) -> None:
    made = file_name(name)
    assert len(made.encode("utf-8", "replace")) <= 120
    assert made.endswith(".json") and not made.startswith(".")
    assert not set(made) & set('/\\:*?"<>|\n\x00\x1b')
    stem = made.removesuffix(".json")
    assert stem == stem.strip(" .") and stem.split(".")[0].lower() not in ("con", "nul", "com1", "lpt9", "aux", "prn")


def test_different_names_have_different_files_and_equal_ones_the_same() -> None:
    keys = {Preset(name).key for name in NAMES}
    assert len({file_name(name) for name in NAMES}) == len(keys)
    assert file_name("Portrait") == file_name(" portrait ") == "portrait.json"
    assert file_name("e\u0301") == file_name("é")


# -- expressions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fitting", "others"),
    [
        (r"juggernaut.*v\d+", ["juggernautXL_v9", "JUGGERNAUTV12"], ["juggernaut", "xjuggernaut_v9", "juggernaut_v9x"]),
        (r"^a(b|cd)?e$", ["ae", "abe", "acde"], ["abcde", "e"]),
        (r"[a-c]{2,3}\.x", ["ab.x", "abc.x"], ["a.x", "abca.x", "abx"]),
        (r"(?:no){2}", ["nono"], ["no", "nonono"]),
        (r"x+y*", ["x", "xxyy"], ["", "y"]),
        (r"[^0-9]+", ["abc"], ["a1"]),
        (r"a{2,}", ["aa", "aaaaa"], ["a"]),
        (r"a|", ["a", ""], ["b"]),
    ],
)
def test_expressions_match_whole_names(text: str, fitting: list[str], others: list[str]) -> None:
    pattern = Pattern(text)
    assert [name for name in fitting if not pattern.matches(name)] == []
    assert [name for name in others if pattern.matches(name)] == []


@pytest.mark.parametrize(
    "text",
    [
        "(",
        ")",
        "a)",
        "*",
        "[a",
        "(?=a)",
        r"(a)\1",
        r"\b",
        "a{3,2}",
        "a{0}",
        "a{x}",
        "x^y",
        "a" * 201,
        "((a{50}){50}){50}",
        "a\\",
    ],
)
def test_other_expressions_are_refused(text: str) -> None:
    with pytest.raises(PatternError):
        Pattern(text)


@pytest.mark.parametrize(
    "text",
    ["(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*)*x", ".*.*.*.*.*.*.*.*x", "(a?){30}a{30}b", "(?:(?:a+)+)+$b"[:-2] + "b"],
)
def test_no_expression_takes_long(text: str) -> None:
    start = time.perf_counter()
    assert not Pattern(text).matches("a" * 260)
    assert time.perf_counter() - start < 0.5


def test_rules_that_can_never_hold_are_refused() -> None:
    check_rules(Match(sha256=("A" * 64,), shorthash=("0123456789",), regexes=("a+",)))
    for match in (Match(sha256=("abc",)), Match(shorthash=("0123456g89",)), Match(regexes=("(",))):
        with pytest.raises(PresetError, match="match"):
            check_rules(match)
