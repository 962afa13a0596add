"""Other extensions beside Finisher: who holds the model lets go for the finishing and ends as without it, nobody else
is disturbed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.smoke.client import Result, Webui, off, recipe
from tests.standin.server import GRADIOS, Standin, standin

pytestmark = pytest.mark.slow

# What they do is written down: one line each. `Maps` does what ControlNet does on A1111: `process` hooks the UNet and
# makes a map, `postprocess` puts the map into the gallery if it still holds the UNet, and takes back what it noted on
# the object. The others hold on otherwise, or not at all.
NEIGHBOURS = """
import functools
from pathlib import Path

import numpy as np
from PIL import Image
from modules import paths_internal, script_callbacks, scripts

def note(*words):
    with (Path(paths_internal.data_path) / "neighbours.txt").open("a") as file:
        print(*words, file=file)

class Neighbour:
    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        import gradio as gr
        return [gr.Checkbox(False, label=self.title())]

class Maps(Neighbour, scripts.Script):
    held, times = None, 0

    def title(self):
        return "Maps"

    def process(self, p, on):
        unet = p.sd_model.model.diffusion_model
        if self.held:
            unet.forward = self.held
        self.held = None
        if not on:
            return
        p.prompt_marks = []
        if getattr(p, "map_latents", None) is None:
            note("drawn")
            p.map_latents = "drawn"
        p.extra_generation_params["Map"] = p.extra_generation_params.get("Map", 0) + 1
        p.all_prompts[0] += ", mapped"
        self.held = unet.forward
        self.map = Image.fromarray(np.full((p.height, p.width, 3), 90 + 10 * p.batch_size, np.uint8))
        size = (p.height, p.width)

        def forward(x, sigma, cond):
            note("sampled", x.shape[-2] * 8, x.shape[-1] * 8)
            if (x.shape[-2] * 8, x.shape[-1] * 8) != size:
                raise RuntimeError("the map has another size")
            return self.held(x, sigma, cond) * 1.01

        unet.forward = forward
        self.times += 1
        p.prompt_marks.append(self.times)
        note("hooked", self.times)

    def postprocess(self, p, processed, on):
        if self.held is None:
            return
        note("let go of", *p.prompt_marks)
        p.prompt_marks, p.map_latents = [], None
        processed.images.append(self.map)
        p.sd_model.model.diffusion_model.forward, self.held = self.held, None

class Steps(Neighbour, scripts.Script):
    sizes = None

    def title(self):
        return "Steps"

    def step(self, params):
        note("step", *(8 * side for side in params.x.shape[-2:]))

    def process(self, p, on):
        if on:
            script_callbacks.on_cfg_denoiser(self.step)

    def postprocess(self, p, processed, on):
        script_callbacks.remove_callbacks_for_function(self.step)
"""
# It touches no model, and its message goes out once.
MESSENGER = """
from pathlib import Path

from modules import paths_internal, scripts

class Messenger(scripts.Script):
    def title(self):
        return "Messenger"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def process(self, p):
        pass

    def postprocess(self, p, processed):
        with (Path(paths_internal.data_path) / "messages.txt").open("a") as file:
            print(len(processed.images), file=file)
"""
# The upscaled picture has another size than the base's map; its redraw samples.
LARGER = {**off("detail", "texture", "grade", "refine"), "upscale": {"passes": [{"factor": 1.5, "steps": 4}]}}


@pytest.fixture(scope="module", params=GRADIOS)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Standin:
    folders = []
    for name, script in (("neighbours", NEIGHBOURS), ("messenger", MESSENGER)):
        folder = tmp_path_factory.mktemp(name)
        (folder / "scripts").mkdir()
        (folder / "scripts" / f"{name}.py").write_text(script)
        folders += ["--extension", str(folder)]
    return standin(request.param, *folders)


@pytest.fixture(autouse=True)
def _nothing_noted(host: Standin) -> Iterator[None]:
    for name in ("neighbours.txt", "messages.txt"):
        (host.data / name).unlink(missing_ok=True)
    yield


def generated(host: Standin, *neighbours: str, finish: bool, **changes: object) -> Result:
    scripts = {name: {"args": [True]} for name in neighbours}
    if finish:
        scripts["Finisher"] = {"args": [recipe(**LARGER)]}
    return Webui(host.url).txt2img(alwayson_scripts=scripts, **changes)


def lines(host: Standin, name: str) -> list[str]:
    file = host.data / name
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize(("batch", "iterations"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_a_map_is_in_the_gallery_as_it_is_without_finisher(host: Standin, batch: int, iterations: int) -> None:
    counts = {"batch_size": batch, "n_iter": iterations}
    plain = generated(host, finish=False, **counts)
    without = generated(host, "Maps", finish=False, **counts)
    asked = [line for line in lines(host, "neighbours.txt") if line.startswith("sampled")]
    (host.data / "neighbours.txt").unlink()
    done = generated(host, "Maps", finish=True, **counts)
    assert "Finisher error" not in done.told, done.told
    assert len(without.pictures) == len(plain.pictures) + 1
    assert len(done.pictures) == len(without.pictures)
    assert np.array_equal(done.pictures[-1], without.pictures[-1])
    assert (done.pictures[-1] == 90 + 10 * batch).all()
    for shown, base in zip(done.pictures[-1 - batch * iterations : -1], without.pictures[-1 - batch * iterations : -1]):
        assert shown.shape[0] == base.shape[0] * 1.5
    told = lines(host, "neighbours.txt")
    assert [line for line in told if line.startswith("sampled")] == asked, "it took part in each base, and in no redraw"
    # Each taking hold has its letting go, which found what the one before had noted.
    holding = [line for line in told if not line.startswith("sampled")]
    assert holding.pop(0) == "drawn", "once a run, and then kept"
    first = int(holding[0].split()[-1])
    assert holding == [f"{act} {first + number}" for number in range(iterations + 1) for act in ("hooked", "let go of")]
    assert "Finisher error" not in done.told


def test_the_base_is_made_as_without_finisher(host: Standin) -> None:
    without = generated(host, "Maps", finish=False, n_iter=2)
    wanted = {"finisher_save_base": True}
    done = generated(host, "Maps", finish=True, n_iter=2, override_settings=wanted, save_images=True)
    # In the order of their making.
    saved = sorted(host.data.rglob("*-finisher-base*"), key=lambda file: file.stat().st_mtime_ns)[-2:]
    assert len(saved) == 2
    for base, file in zip(without.pictures[-3:-1], saved):
        assert np.array_equal(np.asarray(Image.open(file).convert("RGB")), base)
    assert done.told["Map"] == 1, "the infotext says it once"
    assert "mapped, mapped" not in done.infotexts[-1]


def test_the_next_plain_generation_is_as_before(host: Standin) -> None:
    before = generated(host, finish=False)
    generated(host, "Maps", "Steps", finish=True)
    assert np.array_equal(generated(host, finish=False).picture, before.picture)


def test_what_is_called_at_each_step_is_let_go_too(host: Standin) -> None:
    generated(host, "Steps", finish=False)
    alone = lines(host, "neighbours.txt")
    (host.data / "neighbours.txt").unlink()
    generated(host, "Steps", finish=True)
    assert alone and lines(host, "neighbours.txt") == alone


@pytest.mark.parametrize("iterations", [1, 2])
def test_who_does_not_hold_the_model_is_left_alone(host: Standin, iterations: int) -> None:
    done = generated(host, finish=True, n_iter=iterations)
    assert lines(host, "messages.txt") == [str(len(done.pictures))]
