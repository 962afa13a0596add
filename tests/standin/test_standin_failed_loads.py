"""A stage's checkpoint that does not load, or that does not go with the VAE of the base, inside the stand-in web UI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.model_files import FIXTURES, write_file
from tests.smoke.client import off, recipe
from tests.standin.server import GRADIOS, standin
from tests.standin.test_standin_checkpoints import LOADS, Counted

pytestmark = pytest.mark.slow
# One file is shorter than its header says, the other is read but no model can be made of it.
SHORT, STRANGE = "short.safetensors", "strange.safetensors"
# There is room for one at the second try, for the other never.
LATER, LARGE = "later.safetensors", "large.safetensors"
OTHERS = ("refine", "detail", "texture", "grade")
VAE = "ofthebase.safetensors"
# Headers of real files: the last has neither VAE nor text encoder.
FAMILIES = ("sdxl_base", "sdxl_pony", "sd1_v1_5", "sd1_unet_only")
# Another extension, which writes down the VAE that is chosen while something is sampled.
VAES = """
from pathlib import Path
from modules import paths_internal, script_callbacks, shared

def sampled(params):
    if params.sampling_step == 0:
        with (Path(paths_internal.data_path) / "vaes.txt").open("a") as file:
            print(shared.opts.sd_vae, file=file)

script_callbacks.on_cfg_denoiser(sampled)
"""
GENTLE = {"denoising_strength": 0.3, "steps": 6}


@pytest.fixture(scope="module", params=GRADIOS[:1])
def webui(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Counted:
    extension = tmp_path_factory.mktemp("loads")
    (extension / "scripts").mkdir()
    (extension / "scripts" / "loads.py").write_text(LOADS)
    (extension / "scripts" / "vaes.py").write_text(VAES)
    host = standin(request.param, "--extension", str(extension))
    models = host.data / "models" / "Stable-diffusion"
    whole = (models / "standinB.safetensors").read_bytes()
    (models / SHORT).write_bytes(whole[: len(whole) // 2])
    header = {**FIXTURES["flux_schnell_checkpoint"]["header"], "__metadata__": {"loads": "never"}}
    write_file(models / STRANGE, header, real_sizes=False)
    for name, loads in ((LATER, "later"), (LARGE, "too large")):
        write_file(models / name, {**header, "__metadata__": {"loads": loads}}, real_sizes=False)
    for name in FAMILIES:
        write_file(models / f"{name}.safetensors", FIXTURES[name]["header"], real_sizes=False)
    (models.parent / "VAE").mkdir(exist_ok=True)
    (models.parent / "VAE" / VAE).touch()
    running = Counted(host.url, host.data / "loads.txt")
    running.data = host.data
    running.post("/sdapi/v1/refresh-checkpoints", {})
    running.post("/sdapi/v1/refresh-vae", {})
    return running


@pytest.fixture
def vaes(webui: Counted) -> Iterator[Callable[[], list[str]]]:
    """What was chosen while the last generations sampled, with the VAE of the base chosen in the web UI."""
    file = webui.data / "vaes.txt"
    file.unlink(missing_ok=True)
    webui.post("/sdapi/v1/options", {"sd_vae": VAE})
    yield lambda: list(dict.fromkeys(file.read_text().splitlines()))
    webui.post("/sdapi/v1/options", {"sd_vae": "Automatic"})


def with_stage(stage: str, settings: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in (*OTHERS, "upscale") if name != stage]
    return recipe(**{**off(*names), stage: settings})


@pytest.mark.parametrize("name", [SHORT, STRANGE])
@pytest.mark.parametrize("pictures", [{}, {"batch_size": 2}, {"n_iter": 2}], ids=["one", "batch", "iterations"])
def test_the_picture_goes_on_as_it_was_with_a_note(webui: Counted, name: str, pictures: dict[str, int]) -> None:
    before, options = webui.txt2img(**pictures), webui.get("/sdapi/v1/options")
    done = webui.txt2img(with_stage("refine", {**GENTLE, "checkpoint": name, "clip_skip": 2}), **pictures)
    assert f"The checkpoint {name} could not be loaded" in done.told["Finisher error"], done.told
    assert done.told["Finisher stages"] == "none"
    assert len(done.pictures) == len(before.pictures)
    assert all(np.array_equal(*pair) for pair in zip(done.pictures, before.pictures))
    after = webui.txt2img(**pictures)
    assert all(np.array_equal(*pair) for pair in zip(after.pictures, before.pictures))
    assert after.infotexts == before.infotexts
    assert webui.get("/sdapi/v1/options") == options


@pytest.mark.parametrize("name", [SHORT, STRANGE])
def test_the_other_stages_go_on_with_the_users_checkpoint(webui: Counted, name: str) -> None:
    larger = {"factor": 1.5, "denoising_strength": 0.3, "steps": 6}
    alone = webui.txt2img(recipe(**off(*OTHERS), upscale={"passes": [larger]}))
    both = recipe(**off(*OTHERS[1:]), refine={**GENTLE, "checkpoint": name}, upscale={"passes": [larger]})
    done = webui.txt2img(both)
    assert done.told["Finisher stages"] == "upscale"
    assert np.array_equal(done.picture, alone.picture)
    webui.txt2img()


def test_a_checkpoint_that_failed_is_not_tried_again_for_every_crop(webui: Counted) -> None:
    """Each try would load the user's checkpoint again, too: here six tiles share one."""
    tiles = {"factor": 1.5, "method": "tiled", "tile": 64, "steps": 6, "denoising_strength": 0.3}
    done = webui.txt2img(with_stage("upscale", {"passes": [{**tiles, "checkpoint": SHORT}]}))
    assert "could not be loaded" in done.told["Finisher error"]
    assert done.size == (192, 144), "what could be done of it: the size that was asked for"
    assert done.told["Finisher size"] == "192 x 144"
    assert done.told["Finisher stages"] == "none"
    assert [name for name, _ in webui.loads] == ["standinA"]


def test_where_there_is_no_room_what_else_is_on_the_device_gives_way_first(webui: Counted) -> None:
    done = webui.txt2img(with_stage("refine", {**GENTLE, "checkpoint": LATER}))
    assert done.told.get("Finisher error") is None
    assert done.told["Finisher stages"] == "refine"


def test_a_checkpoint_that_there_is_never_room_for_is_said_to_be_one(webui: Counted) -> None:
    before = webui.txt2img()
    done = webui.txt2img(with_stage("refine", {**GENTLE, "checkpoint": LARGE}))
    assert f"The checkpoint {LARGE} could not be loaded" in done.told["Finisher error"], done.told
    assert "choose a smaller one" in done.told["Finisher error"]
    assert np.array_equal(done.picture, before.picture)
    assert np.array_equal(webui.txt2img().picture, before.picture)


@pytest.mark.parametrize(
    ("checkpoint", "own", "used"),
    [
        ("sd1_v1_5", {}, ["Automatic"]),
        ("sd1_v1_5", {"vae": "None"}, ["None"]),
        ("sd1_unet_only", {}, []),
        ("sdxl_pony", {}, []),
    ],
    ids=["has its own", "another is chosen", "has none", "of the same family"],
)
def test_the_vae_of_the_base_is_not_for_another_family(
    webui: Counted, vaes: Callable[[], list[str]], checkpoint: str, own: dict[str, str], used: list[str]
) -> None:
    stage = {**GENTLE, "checkpoint": f"{checkpoint}.safetensors", **own}
    base = {"sd_model_checkpoint": "sdxl_base.safetensors"}
    done = webui.txt2img(with_stage("refine", stage), override_settings=base)
    assert done.told["Finisher stages"] == "refine", done.told
    assert vaes() == [VAE, *used]
    assert webui.get("/sdapi/v1/options")["sd_vae"] == VAE
