"""Samplers and schedules under the names of other hosts and tools. The lists are those of hosts' own records."""

from __future__ import annotations

import json

import pytest

from lib_finisher.presets.missing import HashedNames, plain_name, same_here, with_what_is_here
from lib_finisher.recipe import read_recipe
from lib_finisher.sampler_names import sampler_here, scheduler_here
from tests.conftest import ROOT

RECORD = json.loads((ROOT / "tests" / "facts" / "a1111-82a973c.json").read_text(encoding="utf-8"))
SAMPLERS = ["DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 2S a", "Euler a", "Euler", "DPM2 a", "UniPC", "DDIM", "LMS"]
SCHEDULES = ["Automatic", "Karras", "Exponential", "Polyexponential", "SGM Uniform", "Simple", "DDIM", "Beta"]
OLD = ["DPM++ 2M Karras", "DPM++ 2M", "DPM++ SDE Karras", "Euler a", "Euler"]


@pytest.mark.parametrize(
    ("sampler", "scheduler", "expected"),
    [
        ("DPM++ 2M", "Karras", ("DPM++ 2M", "Karras")),
        ("DPM++ 2M Karras", "", ("DPM++ 2M", "Karras")),
        ("DPM++ 2M Karras", "Automatic", ("DPM++ 2M", "Karras")),
        ("DPM++ 2M SDE Exponential", "", ("DPM++ 2M SDE", "Exponential")),
        ("DPM++ 2M SDE Polyexponential", "", ("DPM++ 2M SDE", "Polyexponential")),
        ("dpmpp_2m", "karras", ("DPM++ 2M", "Karras")),
        ("dpmpp_2m_sde_gpu", "sgm_uniform", ("DPM++ 2M SDE", "SGM Uniform")),
        ("dpmpp_2s_ancestral", "ddim_uniform", ("DPM++ 2S a", "DDIM")),
        ("euler_ancestral", "", ("Euler a", "")),
        ("k_euler_a", "", ("Euler a", "")),
        ("k_dpmpp_2m", "", ("DPM++ 2M", "")),
        ("dpmpp_2m_k", "", ("DPM++ 2M", "Karras")),
        ("EulerAncestralDiscreteScheduler", "", ("Euler a", "")),
        ("DPMSolverMultistepScheduler", "", ("DPM++ 2M", "")),
        ("uni_pc", "beta", ("UniPC", "Beta")),
        ("ddim", "", ("DDIM", "")),
        ("Euler", "No such schedule", ("Euler", "")),
        ("No such sampler", "Karras", None),
        ("DPM++ 3M", "", None),
        ("Karras", "", None),
    ],
)
def test_on_a_host_with_a_list_of_schedules(sampler: str, scheduler: str, expected: tuple[str, str] | None) -> None:
    assert sampler_here(sampler, scheduler, SAMPLERS, SCHEDULES) == expected


@pytest.mark.parametrize(
    ("sampler", "scheduler", "expected"),
    [
        ("DPM++ 2M", "Karras", ("DPM++ 2M Karras", "")),
        ("DPM++ 2M Karras", "", ("DPM++ 2M Karras", "")),
        ("dpmpp_2m", "karras", ("DPM++ 2M Karras", "")),
        ("DPM++ 2M", "Automatic", ("DPM++ 2M", "")),
        ("DPM++ SDE", "Karras", ("DPM++ SDE Karras", "")),
        ("DPM++ SDE", "", None),
        ("Euler a", "Karras", ("Euler a", "")),
    ],
)
def test_on_a_host_that_writes_both_in_one_name(sampler: str, scheduler: str, expected: tuple[str, str] | None) -> None:
    assert sampler_here(sampler, scheduler, OLD, []) == expected


def test_names_that_a_host_has_stay_as_they_are() -> None:
    samplers, schedulers = RECORD["names"]["samplers"], RECORD["names"]["schedulers"]
    for sampler in samplers:
        for scheduler in schedulers:
            assert sampler_here(sampler, scheduler, samplers, schedulers) == (sampler, scheduler)
    assert scheduler_here("sgm_uniform", SCHEDULES) == "SGM Uniform" and scheduler_here("gone", SCHEDULES) == ""


def test_a_preset_of_another_host() -> None:
    recipe = read_recipe({"refine": {"sampler": "DPM++ 2M", "scheduler": "Karras"}})
    got, notes = with_what_is_here(recipe, {"sampler": OLD, "scheduler": []})
    assert (got["refine"].sampler, got["refine"].scheduler, notes) == ("DPM++ 2M Karras", "", ())
    recipe = read_recipe({"detail": {"passes": [{"sampler": "dpmpp_2m Karras"}]}})
    got, notes = with_what_is_here(recipe, {"sampler": SAMPLERS, "scheduler": SCHEDULES})
    assert (got["detail"].passes[0].sampler, got["detail"].passes[0].scheduler, notes) == ("DPM++ 2M", "Karras", ())
    gone = read_recipe({"refine": {"sampler": "Euler", "scheduler": "Nowhere"}})
    got, notes = with_what_is_here(gone, {"sampler": SAMPLERS, "scheduler": SCHEDULES})
    assert (got["refine"].sampler, got["refine"].scheduler) == ("Euler", "")
    assert notes == ("refine: scheduler 'Nowhere' is not here, so what the base picture used is used",)


def test_what_is_said_by_hand_is_written_as_here_and_never_replaced() -> None:
    data = {
        "refine": {"sampler": "Gone", "scheduler": "Gone"},
        "detail": {"passes": [{"detector": "gone.pt, FACE_yunet"}, {"detector": "gone.pt"}]},
        "upscale": {"passes": [{"upscaler": "Gone"}, {"upscaler": "4x_ultrasharp.pth", "sampler": "k_euler_a"}]},
    }
    here = {
        "sampler": SAMPLERS, "scheduler": SCHEDULES, "detector": ["face_yunet"], "upscaler": ["4x-UltraSharp"],
    }  # fmt: skip
    paths = [
        "refine.sampler", "refine.scheduler", "detail.passes.1.detector", "detail.passes.2.detector",
        "upscale.passes.1.upscaler", "upscale.passes.2.upscaler", "upscale.passes.2.sampler",
    ]  # fmt: skip
    got, notes = with_what_is_here(read_recipe(data), here, {"Gone": ["4x-UltraSharp"]}, paths)
    assert notes == ()
    assert (got["refine"].sampler, got["refine"].scheduler) == ("Gone", "Gone")
    assert [item.detector for item in got["detail"].passes] == ["gone.pt, face_yunet", "gone.pt"]
    assert all(item.active for item in got["detail"].passes)
    assert [item.upscaler for item in got["upscale"].passes] == ["Gone", "4x-UltraSharp"]
    assert got["upscale"].passes[1].sampler == "Euler a"
    # The same of a preset is replaced, and said.
    _, notes = with_what_is_here(read_recipe(data), here, {"Gone": ["4x-UltraSharp"]})
    assert len(notes) == 5


@pytest.mark.parametrize(
    ("wanted", "there", "found"),
    [
        ("model_v1.0.safetensors", ["model_v10.safetensors"], ""),
        ("model_v1_0", ["model_v10.safetensors", "model_v1.0.safetensors"], "model_v1.0.safetensors"),
        ("1x-Skin", ["1x_skin.pth"], "1x_skin.pth"),
        ("b/face.pt", ["a/face.pt", "b/face.pt"], "b/face.pt"),
        ("B\\Face.pt", ["a/face.pt", "b/face.pt"], "b/face.pt"),
        ("c/face.pt", ["a/face.pt", "b/face.pt"], ""),
        ("c/face.pt", ["a/face.pt"], "a/face.pt"),
        ("m.safetensors [1a2b3c4d5e]", ["m.safetensors [ffffffffff]"], ""),
        ("m.safetensors [1a2b3c4d5e]", ["m.safetensors"], "m.safetensors"),
        ("m.safetensors", ["m.safetensors [ffffffffff]"], "m.safetensors [ffffffffff]"),
        ("m [1a2b3c4d5e]", ["m.ckpt [1a2b3c4d5e]", "m.safetensors [ffffffffff]"], "m.ckpt [1a2b3c4d5e]"),
        ("Ge\u0301sicht.pt", ["g\u00e9sicht.pt"], "g\u00e9sicht.pt"),
        ("G\u00e9sicht.pt", ["ge\u0301sicht.pt"], "ge\u0301sicht.pt"),
        ("Gesicht.pt", ["g\u00e9sicht.pt"], ""),
        ("b/m [1a2b3c4d5e6]", ["a/m.ckpt", "b/m.ckpt"], "b/m.ckpt"),
        # Brackets of a name: a word, a number, and what could be a hash, was the file not called so.
        ("m [final]", ["m.ckpt", "m [final].ckpt"], "m [final].ckpt"),
        ("m [final]", ["m.ckpt"], ""),
        ("m [123456]", ["m.ckpt"], ""),
        ("M [20231224]", ["m.ckpt", "m [20231224].ckpt"], "m [20231224].ckpt"),
        ("\u0915\u093f.pt", ["\u0915\u0940.pt"], ""),
    ],
)  # fmt: skip
def test_files_are_one_by_name_folder_version_and_hash(wanted: str, there: list[str], found: str) -> None:
    assert same_here(wanted, there) == found


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("m.safetensors [abcdef0123]", "m.safetensors"),
        ("m [abcdef0123456]", "m.safetensors"),
        # The older hash of eight digits, which the hosts know too.
        ("m.safetensors [12345678]", "m.safetensors"),
        ("m.safetensors [87654321]", ""),
        ("m [abcdef9999]", ""),
        ("m", "m.safetensors"),
        # Nothing is known of the other file's yet.
        ("new [87654321]", "sub/new.ckpt"),
        ("sub/new.ckpt [abcdef0123]", "sub/new.ckpt"),
    ],
)
def test_a_hash_that_the_host_knows_must_not_contradict(title: str, found: str) -> None:
    there = HashedNames({
        "m.safetensors": ("abcdef0123456" + "7" * 51, "abcdef0123", "12345678"), "sub/new.ckpt": (None, None, ""),
    })  # fmt: skip
    assert same_here(title, there) == found


def test_a_version_keeps_its_point() -> None:
    assert plain_name("x_v1.0.pth") == plain_name("X-v1_0") != plain_name("xv10")
