"""Whatever becomes of a stage, the host is afterwards as it was: its settings, checkpoint, tiling and next picture.

The faults come from `tests/fault_injector`, an extension for tests; without it in the host these tests are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lib_finisher.imaging.files import load_picture
from lib_finisher.stages.sections import NAMES
from tests.conftest import PORTRAIT
from tests.smoke.client import Result, Webui, encoded, off, recipe

SETTINGS = {
    "refine": {"denoising_strength": 0.5},
    "extend": {"enabled": True, "right": 64},
    "repair": {"enabled": True},
    "detail": {"passes": [{"gate": 1.0, "width": 384, "height": 384}]},
    "upscale": {"passes": [{"factor": 1.5, "method": "tiled", "tile": 320}]},
}
WORDS = {
    "raise": "a fault for a test",
    "interrupt": "interrupted in",
    "skip": "",
    "memory": "",
    "checkpoint": "'no such checkpoint'",
}


@dataclass(frozen=True)
class Before:
    """What the host makes when nothing has happened."""

    plain: Result
    tiled: Result
    portrait: np.ndarray


@pytest.fixture(scope="module")
def before(webui: Webui) -> Before:
    names = [name.lower() for name in webui.get("/sdapi/v1/scripts")["img2img"]]
    if "finisher fault injector" not in names:
        pytest.skip("the host has no fault injector (tests/fault_injector)")
    # With token merging, which every nested call could leave off or put on twice.
    webui.post("/sdapi/v1/options", {"token_merging_ratio": 0.5})
    portrait = (load_picture(PORTRAIT).pixels[:384, :384] * 255 + 0.5).astype(np.uint8)
    return Before(webui.txt2img(), webui.txt2img(tiling=True), portrait)


@pytest.fixture(scope="module", autouse=True)
def without_token_merging_again(webui: Webui) -> object:
    yield
    webui.post("/sdapi/v1/options", {"token_merging_ratio": 0.0})


@pytest.mark.parametrize("stage", SETTINGS)
@pytest.mark.parametrize("fault", WORDS)
def test_the_host_is_as_before(webui: Webui, before: Before, stage: str, fault: str) -> None:
    data = {**off(*NAMES), stage: SETTINGS[stage], "base": {"finish_only": True}}
    settings = dict(data[stage])
    changes = {"checkpoint": "no such checkpoint"} if fault == "checkpoint" else {"prompt": f"a face, fault{fault}"}
    changes |= {"steps": 8, "denoising_strength": 0.5}
    if "passes" in settings:
        settings["passes"] = [{**settings["passes"][0], **changes}]
    else:
        settings |= changes
    mask = np.zeros((384, 384, 3), np.uint8)
    mask[150:300, 100:300] = 255
    done = webui.img2img(before.portrait, recipe(**{**data, stage: settings}), mask=encoded(mask), sampler_name="Euler")
    assert WORDS[fault] in done.told.get("Finisher error", ""), done.told
    assert done.told["Finisher size"] == " x ".join(map(str, done.picture.shape[1::-1]))
    if fault == "memory":
        # It stepped down and went on.
        assert done.told["Finisher stages"] == stage
        assert "out of memory" in done.told["Finisher notes"]
        assert "Finisher error" not in done.told
    else:
        # An upscale or an extension that failed gives nothing; the picture is the one that came in.
        assert done.told["Finisher stages"] == "none", done.told
        assert np.array_equal(done.picture, before.portrait)
    plain, tiled = webui.txt2img(), webui.txt2img(tiling=True)
    webui.txt2img()
    assert np.array_equal(plain.picture, before.plain.picture)
    assert plain.infotexts == before.plain.infotexts
    assert np.array_equal(tiled.picture, before.tiled.picture)


def test_an_exception_amid_a_run_leaves_the_other_pictures(webui: Webui, before: Before) -> None:
    stages = {**off("detail", "upscale", "texture", "grade"), "refine": {"prompt": "faultraise", "steps": 8}}
    done = webui.txt2img(recipe(**stages), n_iter=2, seed=7)
    webui.txt2img()
    assert "a fault for a test" in done.told["Finisher error"]
    assert np.array_equal(done.pictures[-2], before.plain.picture)


def test_extensions_that_hold_on_to_the_model_let_go_and_take_hold_again(webui: Webui, before: Before) -> None:
    """What ControlNet adds on A1111 belongs to the base picture alone, and to that of every iteration."""
    names = [name.lower() for name in webui.get("/sdapi/v1/scripts")["txt2img"]]
    if "finisher model hook" not in names:
        pytest.skip("the Forge family takes such changes back by itself")
    larger = {"passes": [{"factor": 1.5, "method": "hires", "denoising_strength": 0.4}]}
    stages = {**off("refine", "detail", "texture", "grade"), "upscale": larger}
    both = webui.txt2img(recipe(**stages), prompt="hookedmodel", n_iter=2, seed=3)
    alone = webui.txt2img(recipe(**stages), prompt="hookedmodel", seed=4)
    unhooked = webui.txt2img(recipe(**stages), prompt="notheldmodel", seed=4)
    plain = webui.txt2img()
    assert "Finisher error" not in both.told
    assert both.told["Finisher stages"] == "upscale"
    assert np.array_equal(both.pictures[-1], alone.picture)
    assert not np.array_equal(alone.picture, unhooked.picture)
    assert np.array_equal(plain.picture, before.plain.picture)
