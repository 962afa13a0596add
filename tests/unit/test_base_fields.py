"""One rule for a field of the base, whoever says it: a request, an infotext, a graph, another program, a call."""

from __future__ import annotations

import argparse
import base64
import io
import json
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher.api import requests
from lib_finisher.api.problems import RequestError
from lib_finisher.cli.options import add_run_options
from lib_finisher.controls import LONGEST_TEXT
from lib_finisher.imaging.side_data import PngText, SideData
from lib_finisher.infotext import layout
from lib_finisher.infotext.fields import told_fields
from lib_finisher.infotext.for_hosts import MOST_FOR_THE_HOST, for_the_host
from lib_finisher.infotext.generation import Generation, read_generation
from lib_finisher.infotext.own_base import own_base
from lib_finisher.infotext.writing import finished_infotext
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.stage import Base

# Of each number the last that is accepted at either end, and the first beyond.
STEPS = [(1, True), (150, True), (0, False), (151, False), (10**9, False), (-1, False), (20.5, False)]
CFG = [(0, True), (30, True), (30.5, False), (-0.5, False), (1e14, False), (float("inf"), False)]
SEEDS = [(0, True), (2**64 - 1, True)]
PROMPTS = [("a" * LONGEST_TEXT, True), ("a" * (LONGEST_TEXT + 1), False)]
VALUES = [
    *(("steps", *one) for one in STEPS), *(("cfg_scale", *one) for one in CFG), *(("seed", *one) for one in SEEDS),
    *(("prompt", *one) for one in PROMPTS), *(("negative_prompt", *one) for one in PROMPTS),
]  # fmt: skip
KEYS = {"steps": "Steps", "cfg_scale": "CFG scale", "seed": "Seed"}


def a_picture() -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def of_request(name: str, value: Any) -> Any:
    data = {"images": [a_picture()], "base": {name: value}}
    try:
        asked = requests.read_finish(data, lambda data: read_recipe(data, ""), requests.Offer({}), requests.Limits())
    except RequestError as error:
        assert [item.field for item in error.problems] == [f"base.{name}"]
        return None
    return asked.base[name]


def a1111(name: str, value: Any) -> tuple[str, SideData]:
    pairs = {"Steps": 20, "CFG scale": 7, "Seed": 5} | ({KEYS[name]: value} if name in KEYS else {})
    prompts = {"prompt": "a fox", "negative_prompt": "blur"} | {name: value}
    line = ", ".join(f"{key}: {item}" for key, item in pairs.items())
    return f"{prompts['prompt']}\nNegative prompt: {prompts['negative_prompt']}\n{line}", SideData()


def swarm(name: str, value: Any) -> tuple[str, SideData]:
    names = {"cfg_scale": "cfgscale", "negative_prompt": "negativeprompt"}
    return json.dumps({"sui_image_params": {"prompt": "a fox", "seed": 5, names.get(name, name): value}}), SideData()


def comfy(name: str, value: Any) -> tuple[str, SideData]:
    inputs = {"seed": 5, "steps": 20, "cfg": 7, "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    texts = {"prompt": "a fox", "negative_prompt": "blur"}
    if name in texts:
        texts[name] = value
    else:
        inputs["cfg" if name == "cfg_scale" else name] = value
    graph = {"1": {"inputs": inputs}, "2": {"inputs": {"text": texts["prompt"]}},
             "3": {"inputs": {"text": texts["negative_prompt"]}}}  # fmt: skip
    return "", SideData((PngText("prompt", json.dumps(graph)),))


@pytest.mark.parametrize(("name", "value", "accepted"), VALUES, ids=lambda one: str(one)[:12])
def test_a_field_has_one_rule(name: str, value: Any, accepted: bool) -> None:
    said = of_request(name, value) if value != float("inf") else None
    assert said == (value if accepted else None)
    for source in (a1111, swarm, comfy):
        base, notes = own_base(*source(name, value), Base(prompt="p", negative_prompt="n", seed=1, steps=9))
        kept = {"prompt": "p", "negative_prompt": "n", "seed": 1, "steps": 9, "cfg_scale": 7.0}[name]
        assert getattr(base, name) == (value if accepted else kept), source.__name__
        assert list(notes) == ([] if accepted else [name])
        if not accepted:
            label = {**KEYS, "prompt": "Prompt", "negative_prompt": "Negative prompt"}[name]
            assert label in notes[name]
            assert "must be" in notes[name]
            assert len(notes[name]) < 300
            assert base.prompt == ("p" if name == "prompt" else "a fox"), "the rest holds"


@pytest.mark.parametrize("seed", ["-2", str(2**64), "1.5", "x", "9" * 5000])
def test_the_command_line_takes_no_other_seed_than_a_request(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    for good in (0, 2**64 - 1):
        assert parser.parse_args(["a.png", "--seed", str(good)]).seed == good
    drawn = {parser.parse_args(["a.png", "--seed", "-1"]).seed for _ in range(4)}
    assert len(drawn) > 1
    assert min(drawn) >= 0
    with pytest.raises(SystemExit):
        parser.parse_args(["a.png", f"--seed={seed}"])
    assert len(capsys.readouterr().err) < 3000


def test_a_sampler_that_is_not_here_is_told_and_the_rest_holds() -> None:
    pairs = {"Prompt": "a", "Sampler": "Elsewhere", "Steps": "9"}
    told = told_fields(pairs, ("Euler", "DPM++ 2M"), ("Automatic", "Karras"))
    assert dict(told.fields) == {"prompt": "a", "negative_prompt": "", "steps": 9}
    assert "'Elsewhere' is not here" in told.notes["sampler"]
    there = told_fields({**pairs, "Sampler": "DPM++ 2M Karras"}, ("Euler", "DPM++ 2M"), ("Automatic", "Karras"))
    assert (there.fields["sampler"], there.fields["scheduler"], dict(there.notes)) == ("DPM++ 2M", "Karras", {})
    odd = told_fields({**pairs, "Sampler": "Euler", "Schedule type": "Zigzag"}, ("Euler",), ("Automatic", "Karras"))
    assert odd.fields["scheduler"] == ""
    assert "'Zigzag' is not here" in odd.notes["scheduler"]
    long = told_fields({**pairs, "Sampler": "x" * 10**6}, ("Euler",), ("Automatic",))
    assert len(long.notes["sampler"]) < 300


# The hosts' own expression over the last line, as A1111 has it.
HOSTS = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
FREEZING = ["word " * 4000, "(a" * 10_000, "<a:" * 7000, "a b" * 5000 + ": c", '"' + "\\" * 9000, "a: " * 7000]


@pytest.mark.parametrize("text", FREEZING, ids=lambda text: repr(text[:6]))
@pytest.mark.parametrize("times", [1, 50])
def test_the_hosts_parser_gets_nothing_that_freezes_it(text: str, times: int) -> None:
    """Its work grows with the square of the last line and of the brackets, so both are held short."""
    for infotext in (text * times, f"a\nSteps: 1, Seed: 2, Model: x, Odd: {text * times}"):
        generation = read_generation(infotext)
        assert generation is not None
        handed = for_the_host(generation)
        assert len(handed) <= MOST_FOR_THE_HOST + 300
        if handed:
            last = handed.split("\n")[-1]
            assert len(last) < 300
            assert len(HOSTS.findall(last)) >= 3, "no line of the prompt is taken for pairs"


def test_the_hosts_parser_gets_the_prompts_and_what_it_puts_into_them() -> None:
    pairs = {"Hypernet": "oil", "Hypernet strength": "0.4", "Seed": "77", "Model": "m"}
    handed = for_the_host(Generation("A1111", "a fox: red, snow: white, sky: blue", "blur, low", pairs))
    *lines, last = handed.split("\n")
    assert lines == ["a fox: red, snow: white, sky: blue", "Negative prompt: blur, low"]
    found = dict(HOSTS.findall(last))
    assert (found["Hypernet"], found["Hypernet strength"]) == ("oil", "0.4")
    assert "m" not in found.values()
    assert "77" not in found.values()
    assert for_the_host(Generation("A1111", "x" * (MOST_FOR_THE_HOST + 1))) == ""
    assert for_the_host(Generation("A1111", "x" * MOST_FOR_THE_HOST)) != ""


class Counted(str):
    """A line that counts how many of its letters are looked at."""

    looked = 0

    def __getitem__(self, key: Any) -> str:
        found = super().__getitem__(key)
        Counted.looked += len(found)
        return found

    def find(self, part: str, *at: int) -> int:
        found = super().find(part, *at)
        Counted.looked += (len(self) if found < 0 else found) - (at[0] if at else 0) + 1
        return found


@pytest.mark.parametrize("unit", ["word ", "a: ", "ab: c, ", 'ab: "c, ', ":", "- / ", "ab:  ", ", ", 'ab: "\\", '])
def test_reading_pairs_looks_at_each_letter_a_few_times(unit: str) -> None:
    counts = []
    for letters in (10_000, 100_000):
        Counted.looked = 0
        assert len(list(layout.pairs_of(Counted(unit * (letters // len(unit)))))) >= 0
        counts.append(Counted.looked)
    assert counts[0] <= 8 * 10_000
    assert counts[1] <= 10.5 * counts[0] + 100


def test_an_infotext_beyond_the_limit_is_a_text_without_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    own = "a fox\nSteps: 20, Seed: 5, CFG scale: 7"
    monkeypatch.setattr(layout, "MOST_CHARACTERS", len(own))
    assert layout.read_layout(own).pairs["Seed"] == "5"
    longer = own + " "
    assert layout.read_layout(longer).pairs == {}
    assert finished_infotext(longer, Base(seed=9), layout_size(), {"Finisher": "{}"}).startswith(own)


def layout_size() -> Any:
    from lib_finisher.imaging.geometry import Size

    return Size(8, 8)
