"""Scripts that the user chooses beside Finisher, a card that the host leaves alone, and infotexts switched off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher.imaging.arrays import to_uint8
from lib_finisher.imaging.files import load_picture
from tests.conftest import PORTRAIT
from tests.smoke.client import Result, Webui, off, recipe
from tests.standin.server import GRADIOS, Standin, standin

pytestmark = pytest.mark.slow

# The first feeds each picture into the next generation, as the host's scripts of that kind do.
SCRIPTS = """
from modules import scripts
from modules.processing import process_images

class Again(scripts.Script):
    times = 3

    def title(self):
        return "SD upscale"

    def ui(self, is_img2img):
        return []

    def run(self, p):
        for _ in range(self.times):
            done = process_images(p)
            p.init_images = [done.images[0]]
        done.extra_generation_params["Counted"] = len(done.images)
        done.extra_generation_params["Comments"] = done.comments
        return done

class Once(Again):
    times = 1

    def title(self):
        return "One by one"
"""
# One cell of the host's plot: its axes are applied to a copy of the processing object.
PLOT = """
from copy import copy

import gradio as gr
from modules import scripts
from modules.processing import process_images

class AxisOption:
    def __init__(self, label, type, apply, format_value=None, confirm=None, cost=0.0, choices=None):
        self.label, self.type, self.apply, self.confirm = label, type, apply, confirm

axis_options = []

class Plot(scripts.Script):
    def title(self):
        return "X/Y/Z plot"

    def ui(self, is_img2img):
        return [gr.Textbox(label="axis"), gr.Textbox(label="value")]

    def run(self, p, label, value):
        axis = next(option for option in axis_options if option.label == "[Finisher] " + label)
        axis.confirm(p, [axis.type(value)])
        cell = copy(p)
        axis.apply(cell, axis.type(value), [])
        return process_images(cell)
"""
# An idle card: the host itself works on the processor.
CARD = """
import torch

torch.cuda.is_available = lambda: True
"""
GRADED = {**off("refine", "detail", "upscale", "texture"), "grade": {"contrast": 0.6, "grain": 0.0}}
SIZE = {"width": 128, "height": 128, "denoising_strength": 0.1, "steps": 4, "sampler_name": "Euler"}


def extension(folder: Path, name: str, text: str) -> str:
    (folder / name / "scripts").mkdir(parents=True)
    (folder / name / "scripts" / f"{name}.py").write_text(text, encoding="utf-8")
    return str(folder / name)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Standin:
    folder = tmp_path_factory.mktemp("extensions")
    found = [extension(folder, *named) for named in (("several", SCRIPTS), ("card", CARD), ("xyz_grid", PLOT))]
    return standin(GRADIOS[0], *(text for path in found for text in ("--extension", path)))


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return to_uint8(load_picture(PORTRAIT).pixels[:128, 96:224])


def generated(host: Standin, picture: np.ndarray, *arguments: Any, **changes: Any) -> Result:
    return Webui(host.url).img2img(picture, *arguments, **{**SIZE, **changes})


def test_a_script_that_goes_on_with_each_picture_gets_it_as_it_was(host: Standin, portrait: np.ndarray) -> None:
    plain = generated(host, portrait, script_name="SD upscale")
    for base in ({}, {"finish_only": True}):
        done = generated(host, portrait, recipe(**GRADED, base=base), script_name="SD upscale")
        assert np.array_equal(done.picture, plain.picture), "neither finished three times nor left unsampled"
        assert "the script SD upscale puts its pictures together" in done.told["Comments"]
        assert '"Finish only" in img2img' in done.told["Comments"]
        assert "Finisher" not in done.infotexts[0]


def test_other_scripts_are_finished_and_count_their_own_pictures(host: Standin, portrait: np.ndarray) -> None:
    alone = generated(host, portrait, recipe(**GRADED, base={"compare": "grade"}))
    assert len(alone.pictures) == 2
    before = set(host.data.rglob("*-finisher-without-grade*"))
    data = recipe(**GRADED, base={"compare": "grade"})
    done = generated(host, portrait, data, script_name="One by one", save_images=True)
    assert done.told["Counted"] == len(done.pictures) == 1
    assert np.array_equal(done.picture, alone.picture)
    assert "the picture without grade is saved, not shown" in done.told["Comments"]
    assert len(set(host.data.rglob("*-finisher-without-grade*")) - before) == 1


@pytest.mark.parametrize(
    ("axis", "value", "data", "typed"),
    [
        # A value that equals the default is typed all the same.
        ("Grade: Contrast", "0.1", {**GRADED, "grade": {"grain": 0.0}}, {"contrast": 0.1}),
        ("Any control", "grade.exposure=0", GRADED, {"exposure": 0}),
        ("Grade: Contrast", "0.2", GRADED, {"contrast": 0.2}),
    ],
)
def test_what_a_plot_varies_is_recorded_as_typed_and_nothing_else_is(
    host: Standin, portrait: np.ndarray, axis: str, value: str, data: dict[str, Any], typed: dict[str, Any]
) -> None:
    plain = json.loads(generated(host, portrait, recipe(**data)).told["Finisher"])
    plotted = generated(host, portrait, recipe(**data), script_name="X/Y/Z plot", script_args=[axis, value])
    assert json.loads(plotted.told["Finisher"]) == {**plain, "grade": {**plain["grade"], **typed}}


@pytest.mark.parametrize("passes", [[{"detector": "face_yunet"}, {}], None])
def test_a_plotted_setting_of_a_pass_is_typed_in_every_pass_and_no_other_is(
    host: Standin, portrait: np.ndarray, passes: list[dict[str, Any]] | None
) -> None:
    data = recipe(
        version=2, **off("refine", "upscale", "texture", "grade"), detail={"passes": passes} if passes else {}
    )
    plotted = generated(
        host, portrait, data, script_name="X/Y/Z plot", script_args=["Any control", "detail.smallest=12"]
    )
    expected = [{**single, "smallest": 12} for single in passes or [{}]]
    assert json.loads(plotted.told["Finisher"])["detail"]["passes"] == expected


def test_an_idle_card_does_not_keep_pictures_from_being_finished(host: Standin, portrait: np.ndarray) -> None:
    plain, done = generated(host, portrait), generated(host, portrait, recipe(**GRADED))
    assert "Finisher error" not in done.told
    assert done.picture.std() > plain.picture.std() + 2


@pytest.mark.parametrize("written", [True, False])
def test_no_infotext_where_the_host_writes_none(host: Standin, portrait: np.ndarray, written: bool) -> None:
    def saved() -> set[Path]:
        return set(host.data.rglob("*-finisher-*.png"))

    before = saved()
    wanted = {"finisher_save_deep": True, "enable_pnginfo": written}
    data = recipe(**GRADED, base={"compare": "grade"})
    generated(host, portrait, data, save_images=True, override_settings=wanted)
    files = saved() - before
    assert len(files) == 2
    for file in files:
        with Image.open(file) as image:
            assert bool(image.info) is written, file.name
