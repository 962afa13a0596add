"""Scripts that the user chooses beside Finisher, a card that the host leaves alone, and infotexts switched off."""

from __future__ import annotations

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
    found = extension(folder, "several", SCRIPTS), extension(folder, "card", CARD)
    return standin(GRADIOS[0], "--extension", found[0], "--extension", found[1])


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
