"""What pictures say of their making, by every program's layout, and what of it stands in the result."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from lib_finisher.cli.main import main
from lib_finisher.imaging.exif import Exif
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.side_data import PngText, SideData
from lib_finisher.infotext.generation import read_generation
from lib_finisher.infotext.layout import pairs_of, read_layout
from lib_finisher.infotext.own_base import own_base
from lib_finisher.infotext.seeds import read_seed
from lib_finisher.infotext.writing import beside_json, finished_infotext
from lib_finisher.stages.stage import Base

LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 96x96"
A1111 = f"a fox, snow\nNegative prompt: blur\n{LINE}"
# The expression of every supported web UI.
HOSTS = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


@given(st.text(alphabet='ab1 :,"\\-/_é{}', max_size=60))
@example('a: "b", cd: "e", fg:h')
@example('Hashes: {"model": "0a"}, Lora: "x: 1, y: 2", -- odd key: 3,, : 4, a b:')
def test_pairs_are_found_as_the_web_uis_find_them(line: str) -> None:
    assert list(pairs_of(line)) == HOSTS.findall(line)


@pytest.mark.parametrize("text", ["a" * 300_000, "a:" * 150_000, 'a: "' * 75_000, "ab, " * 75_000, "ab: c, " * 40_000])
def test_a_long_text_is_read_in_a_time_that_grows_with_its_length(text: str) -> None:
    def seconds(part: str) -> float:
        begin = time.process_time()
        finished_infotext(f"a fox\n{part}", Base(), Size(8, 9), {"Finisher": "1"})
        read_generation(f"a fox\n{part}")
        return time.process_time() - begin

    # Twenty times the length would take four hundred times as long, were it by the square.
    assert seconds(text) < 0.5 + 60 * seconds(text[: len(text) // 20])


TRAILING = {
    "templates": "Template: a {red|blue} fox\nNegative Template: blur",
    "a text": "made with love",
    "blank lines and a key": "\n\nHires prompt: a, b: c\n",
}


@pytest.mark.parametrize("what", TRAILING)
def test_lines_behind_the_pairs_are_no_prompt_and_stay_where_web_uis_read_them(what: str) -> None:
    own = f"{A1111}\n{TRAILING[what]}"
    told = read_generation(own)
    assert told is not None
    assert (told.prompt, told.negative_prompt, told.pairs["Seed"]) == ("a fox, snow", "blur", "5")
    result = finished_infotext(own, Base(seed=9), Size(96, 96), {"Finisher": "{}"})
    read = {key: json.loads(v) if v[:1] == '"' else v for key, v in HOSTS.findall(result.split("\n")[-1])}
    assert {"Seed": "5", "Steps": "20", "Finisher": "{}"}.items() <= read.items()
    for line in filter(None, TRAILING[what].split("\n")):
        key, _, value = line.partition(": ")
        assert read[key] == value if value else read["Comment"] == line
    assert result.count("Seed: ") == 1
    assert result.startswith("a fox, snow\nNegative prompt: blur\nSteps: 20")
    assert finished_infotext(result, Base(), Size(1, 1), {"Finisher": "{}"}) == result


def test_a_prompt_with_colons_is_no_line_of_pairs() -> None:
    text = "a fox: red, snow: white, sky: blue\nmore"
    assert read_layout(text).line == ""
    told = read_generation(text)
    assert told is not None
    assert (told.prompt, told.pairs) == (text, {})


SWARM = {"sui_image_params": {"prompt": "a fox", "negativeprompt": "blur", "seed": 581626448, "steps": 25,
                              "cfgscale": 4.5, "sampler": "euler", "scheduler": "karras"}}  # fmt: skip
FOOOCUS = {"prompt": "a fox", "negative_prompt": "blur", "seed": "581626448", "steps": 25, "guidance_scale": 4.5,
           "sampler": "euler", "scheduler": "karras", "metadata_scheme": "fooocus"}  # fmt: skip
NOVELAI = {"prompt": "a fox", "uc": "blur", "seed": 581626448, "steps": 25, "scale": 4.5, "sampler": "euler",
           "noise_schedule": "karras", "strength": 0.7}  # fmt: skip
INVOKE = {"positive_prompt": "a fox", "negative_prompt": "blur", "seed": 581626448, "steps": 25, "cfg_scale": 4.5}
OLD_INVOKE = {
    "image": {"prompt": [{"prompt": "a fox", "weight": 1.0}], "seed": 581626448, "steps": 25, "cfg_scale": 4.5}
}
COMFY: dict[str, Any] = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 581626448, "steps": 25, "cfg": 4.5, "sampler_name": "euler",
          "scheduler": "karras", "denoise": 1.0, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0],
          "latent_image": ["5", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x.safetensors"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": ["9", 0], "clip": ["4", 1]}},
    "9": {"class_type": "PrimitiveString", "inputs": {"value": "blur"}},
    "10": {"class_type": "KSampler", "inputs": {"seed": 7, "steps": 9, "cfg": 1, "denoise": 0.3, "positive": ["7", 0],
           "negative": ["6", 0], "latent_image": ["3", 0]}},
}  # fmt: skip
FLUX = {
    "13": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["25", 0], "guider": ["22", 0],
           "sampler": ["16", 0], "sigmas": ["17", 0], "latent_image": ["27", 0]}},
    "16": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
    "17": {"class_type": "BasicScheduler", "inputs": {"scheduler": "karras", "steps": 25, "model": ["12", 0]}},
    "22": {"class_type": "CFGGuider", "inputs": {"positive": ["26", 0], "negative": ["28", 0], "cfg": 4.5}},
    "25": {"class_type": "RandomNoise", "inputs": {"noise_seed": 581626448}},
    "26": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["6", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox"}},
    "28": {"class_type": "CLIPTextEncode", "inputs": {"text": "blur"}},
}  # fmt: skip
XMP = (
    '<rdf:Description><dc:creator/><exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">'
    + json.dumps({"c": "a fox", "uc": "blur", "seed": 581626448, "steps": 25, "scale": 4.5}).replace('"', "&quot;")
    + "</rdf:li></rdf:Alt></exif:UserComment></rdf:Description>"
)


def texts(**more: Any) -> SideData:
    return SideData(tuple(PngText(key.replace("_", "-") if key == "sd_metadata" else key, json.dumps(value)) for key, value in more.items()))  # noqa: E501  # fmt: skip


def in_a_tag(tag: int, name: str, data: Any) -> SideData:
    made = Image.Exif()
    made[tag] = f"{name}:{json.dumps(data)}"
    return SideData(exif=Exif(made.tobytes()).for_result())


PROGRAMS = {
    "SwarmUI": (json.dumps(SWARM), SideData()),
    "Fooocus": (json.dumps(FOOOCUS, indent=2), SideData()),
    "NovelAI": ("", texts(Comment=NOVELAI)),
    "InvokeAI": ("", texts(invokeai_metadata=INVOKE)),
    "InvokeAI, old": ("", texts(sd_metadata=OLD_INVOKE)),
    "ComfyUI": ("", texts(workflow={"nodes": []}, prompt=COMFY)),
    "ComfyUI, custom sampling": ("", texts(prompt=FLUX)),
    "ComfyUI, WebP": ("", in_a_tag(0x0110, "prompt", COMFY)),
    "Draw Things": ("", SideData(xmp=XMP.encode())),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_each_program_tells_is_read(program: str) -> None:
    infotext, side = PROGRAMS[program]
    told = read_generation(infotext, side)
    assert told is not None
    assert told.program == program.split(",")[0]
    assert told.prompt == "a fox"
    assert told.negative_prompt == ("" if "old" in program else "blur")
    assert {key: told.pairs[key] for key in ("Seed", "Steps", "CFG scale")} == {
        "Seed": "581626448", "Steps": "25", "CFG scale": "4.5"
    }  # fmt: skip
    if program.startswith(("Swarm", "Fooocus", "NovelAI", "ComfyUI")):
        assert (told.pairs["Sampler"], told.pairs["Schedule type"]) == ("euler", "karras")
    base, notes = own_base(infotext, side, Base(seed=1))
    assert (base.seed, base.prompt, base.steps, base.cfg_scale, notes) == (581626448, "a fox", 25, 4.5, {})


@pytest.mark.parametrize(
    "text", ["{", "{}", "[]", '{"a": 1}', '{"sui_image_params": 3}', '{"prompt": {"x": 1}}', "{" * 100_000, '{"3": {}}']
)
def test_json_that_tells_nothing_is_nothing(text: str) -> None:
    for infotext, side in ((text, SideData()), ("", SideData((PngText("Comment", text), PngText("prompt", text))))):
        told = read_generation(infotext, side)
        assert told is None or told.pairs == {}


def test_a_graph_in_a_circle_ends() -> None:
    circle = {str(n): {"inputs": {"positive": [str((n + 1) % 9), 0], "seed": [str((n + 1) % 9), 0], "steps": 1}} for n in range(9)}  # noqa: E501  # fmt: skip
    told = read_generation("", texts(prompt=circle))
    assert told is None or "Seed" not in told.pairs


@pytest.mark.parametrize(
    ("written", "seed", "note"),
    [
        ("0", 0, ""), (5, 5, ""), (" 77 ", 77, ""), ("5.0", 5, ""), ("1125899906842623", 1125899906842623, ""),
        ("6687881544318117707", 6687881544318117707, ""), (str(2**64 - 1), 2**64 - 1, ""),
        (str(2**64 + 3), 3, "more than 64 bits; 3, its lowest 64, was used"), ("-1", None, "random"),
        ("many", None, "is no number"), ("9" * 5000, None, "is no number"), ("nan", None, "no number"),
        ("1e999", None, "no number"),
    ],
)  # fmt: skip
def test_seeds_have_64_bits_or_a_note(written: Any, seed: int | None, note: str) -> None:
    value, told = read_seed(written)
    assert value == seed
    assert note in told if note else told == ""


def test_json_stays_json_and_finishers_words_stand_beside_it() -> None:
    own, pairs = json.dumps(SWARM, indent=1), {"Finisher": '{"grade": {}}'}
    assert finished_infotext(own, Base(seed=3), Size(8, 9), pairs) == own
    assert json.loads(beside_json(own, pairs)["finisher"]) == pairs
    assert beside_json(A1111, pairs) == {}
    assert "Seed: 3" in finished_infotext("{a fox|a cat}, snow", Base(seed=3), Size(8, 9), pairs)


ONLY_GRADE = [f"--set={name}.enabled={str(name == 'grade').lower()}" for name in ("refine", "detail", "upscale", "texture", "grade")]  # noqa: E501  # fmt: skip


def finished(folder: Path, told: dict[str, str], *more: str) -> Image.Image:
    info = PngImagePlugin.PngInfo()
    for key, value in told.items():
        info.add_text(key, value)
    levels = np.tile(np.arange(0, 96, dtype=np.uint8)[:, None, None], (1, 96, 3)) * np.uint8(2)
    Image.fromarray(levels).save(folder / "a.png", pnginfo=info)
    call = ["finish", str(folder / "a.png"), "--out", str(folder / "out"), "--no-cache", "--overwrite", *more]
    assert main([*call, *ONLY_GRADE]) == 0
    result = Image.open(folder / "out" / "a.png")
    result.load()
    return result


def test_the_command_line_takes_the_pictures_own_seed(tmp_path: Path) -> None:
    grain = "--set=grade.grain=0.5"
    seen = {}
    for seed in (581626448, 6687881544318117707, 6687881544318117708):
        told = {"prompt": json.dumps(COMFY).replace("581626448", str(seed))}
        result = finished(tmp_path, told, grain)
        assert result.info["prompt"] == told["prompt"]
        assert json.loads(result.info["finisher"])["seed"] == seed
        assert f"Seed: {seed}, " in result.info["parameters"], "an infotext that web UIs paste"
        assert result.info["parameters"].startswith("a fox\nNegative prompt: blur\nSteps: 25")
        seen[seed] = np.asarray(result)
    assert not any(np.array_equal(seen[a], seen[b]) for a in seen for b in seen if a < b)
    again = finished(tmp_path, told, grain, "--seed", "581626448")
    assert np.array_equal(np.asarray(again), seen[581626448])


def test_an_infotext_stays_as_it_came_and_a_seed_too_long_is_told(tmp_path: Path) -> None:
    for own in (A1111, json.dumps(SWARM), A1111.replace("Seed: 5", f"Seed: {2**64 + 5}")):
        result = finished(tmp_path, {"parameters": own})
        assert result.info["parameters"] == own
        words = json.loads(result.info["finisher"])
        assert words["seed"] == (581626448 if own.startswith("{") else 5)
        assert ("more than 64 bits" in str(words.get("notes"))) is ("Seed: 184" in own)


def test_a_refused_lut_is_told_in_the_result(tmp_path: Path) -> None:
    (tmp_path / "luts").mkdir()
    (tmp_path / "luts" / "look.cube").write_text("LUT_3D_SIZE 2\n0 0 0\n")
    result = finished(tmp_path, {}, "--luts", str(tmp_path / "luts"), "--set=grade.lut=look")
    assert "8 entries expected, 1 found" in str(json.loads(result.info["finisher"])["notes"])
    assert "look.cube: cut short" in result.info["parameters"]


def test_a_number_too_long_for_a_float_ends_no_run(tmp_path: Path) -> None:
    """JSON knows no bounds: a graph with one of 400 digits is read like any other."""
    sampler = {"seed": 5, "positive": ["2", 0], "latent_image": ["3", 0]}
    graph = {
        "1": {"class_type": "KSampler", "inputs": {**sampler, "denoise": 10**400}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "moss"}},
    }
    generation = read_generation("", texts(prompt=graph))
    assert generation is not None
    assert (generation.prompt, generation.pairs["Seed"]) == ("moss", "5")
