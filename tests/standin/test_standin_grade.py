"""Grading inside the stand-in: a LUT of the host's folder, no bands, and the 16-bit picture beside the other."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_finisher.imaging.arrays import to_uint8
from lib_finisher.imaging.dither import dithered
from lib_finisher.imaging.files import load_picture
from tests.conftest import PORTRAIT
from tests.smoke.client import Webui, encoded, off, recipe
from tests.standin.server import GRADIOS, Standin, standin

pytestmark = pytest.mark.slow
WARM = "LUT_3D_SIZE 2\n" + "\n".join(f"{r} {g * 0.9} {b * 0.7}" for b in (0, 1) for g in (0, 1) for r in (0, 1))
OTHERS = off("refine", "detail", "upscale", "texture")
PLAIN = {"contrast": 0.0, "saturation": 0.0, "grain": 0.0}


@pytest.fixture(scope="module")
def host() -> Standin:
    started = standin(GRADIOS[0])
    folder = started.data / "models" / "finisher" / "luts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Warm.cube").write_text(WARM)
    return started


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return to_uint8(load_picture(PORTRAIT).pixels[:128, 96:224])


def graded(host: Standin, picture: np.ndarray, settings: dict, **changes: object) -> tuple[np.ndarray, str]:
    data = recipe(**OTHERS, base={"finish_only": True}, grade={**PLAIN, **settings})
    done = Webui(host.url).img2img(picture, data, width=128, height=128, **changes)
    assert "Finisher error" not in done.told
    return done.picture, done.infotexts[0]


def test_a_lut_of_the_hosts_folder_is_applied_and_the_picture_is_dithered(host: Standin, portrait: np.ndarray) -> None:
    picture, _ = graded(host, portrait, {"lut": "warm"})
    ideal = portrait.astype(np.float32) / np.float32(255) * np.array([1.0, 0.9, 0.7], np.float32)
    assert np.abs(picture - ideal * 255).max() < 1.01
    rounded = np.abs(picture.astype(int) - dithered(ideal))
    # The 16 bits between the stages move a value across the threshold now and then.
    assert (rounded > 0).mean() < 0.01 < (picture != to_uint8(ideal)).mean()


def test_a_lut_that_is_not_there_is_told(host: Standin, portrait: np.ndarray) -> None:
    picture, infotext = graded(host, portrait, {"lut": "../Warm", "contrast": 0.3})
    assert "there is no LUT" in infotext and str(host.data) not in infotext
    assert np.array_equal(picture, graded(host, portrait, {"contrast": 0.3})[0])


def test_the_routes_offer_luts_and_take_them_as_the_page_does(host: Standin, portrait: np.ndarray) -> None:
    webui = Webui(host.url)
    assert webui.get("/finisher/v1/schema")["choices"]["lut"] == ["Warm.cube"]
    for name, taken in (("Warm.cube", True), ("warm", True), ("", True), ("Cold", False)):
        asked = {"image": encoded(portrait), "recipe": {**OTHERS, "grade": {"lut": name}}}
        if taken:
            webui.post("/finisher/v1/plan", asked)
            continue
        with pytest.raises(urllib.error.HTTPError) as refused:
            webui.post("/finisher/v1/plan", asked)
        (problem,) = json.loads(refused.value.read())["detail"]
        assert problem["field"] == "recipe.grade.lut" and "'Cold' is not here" in str(problem)


def test_the_16_bit_picture_is_saved_where_that_is_set(host: Standin, portrait: np.ndarray) -> None:
    def saved() -> set[Path]:
        return set(host.data.rglob("*-finisher-16bit*.png"))

    before = saved()
    graded(host, portrait, {"exposure": -0.4}, save_images=True)
    assert saved() == before
    wanted = {"finisher_save_deep": True}
    picture, infotext = graded(host, portrait, {"exposure": -0.4}, save_images=True, override_settings=wanted)
    (file,) = saved() - before
    loaded = load_picture(file)
    assert np.array_equal(dithered(loaded.pixels), picture)
    levels = loaded.pixels * 255
    assert np.abs(levels - np.rint(levels)).max() > 0.3
    assert loaded.infotext.split("Finisher recipe")[0] == infotext.split("Finisher recipe")[0]
    with Image.open(file) as image:
        assert "Finisher" in image.info["parameters"]
