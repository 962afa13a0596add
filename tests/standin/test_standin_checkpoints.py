"""Other checkpoints inside the stand-in web UI: the base's refiner and the swaps of stages, every load counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.model_files import FIXTURES, write_file
from tests.smoke.client import DRAFT, Result, Webui, off, recipe
from tests.standin.server import GRADIOS, standin

pytestmark = pytest.mark.slow
SIZE = {"width": 128, "height": 96}
SDXL, REFINER, OLD = "sdxlbase.safetensors", "sdxlrefiner.safetensors", "standinB.safetensors"
# A configuration that does not name it names its default after the first refiner.
BY_STEPS = "refiner_switch_by_sample_steps"
NOTHING = off("refine", "detail", "upscale", "texture", "grade")
GENTLE = {"denoising_strength": 0.3, "steps": 6}
# Another extension, which writes down every load and the step that was done before it.
LOADS = """
import json
from pathlib import Path
from modules import paths_internal, script_callbacks, shared

def loaded(model):
    with (Path(paths_internal.data_path) / "loads.txt").open("a") as file:
        print(json.dumps([model.sd_checkpoint_info.name_for_extra, shared.state.sampling_step]), file=file)

script_callbacks.on_model_loaded(loaded)
"""

# And a script that uses its object again, as the batch tab does for every file: the second time without Finisher.
AGAIN = """
from modules import processing, scripts

class Again(scripts.Script):
    def title(self):
        return "Again"

    def run(self, p):
        first = processing.process_images(p)
        finisher = next(item for item in p.scripts.alwayson_scripts if item.title() == "Finisher")
        p.script_args_value = list(p.script_args_value)
        p.script_args_value[finisher.args_from] = {"enabled": False}
        p.extra_generation_params.clear()
        second = processing.process_images(p)
        first.images += second.images
        first.infotexts += second.infotexts
        return first
"""

# One whose first generation is broken off: then the same object without Finisher, and with it once more.
BROKEN_OFF = """
from modules import processing, scripts, shared

NAMES = ("refiner_checkpoint", "refiner_switch_at", "refiner_checkpoint_info", "override_settings")

def fields(p):
    setting = shared.opts.refiner_switch_by_sample_steps
    return {**{name: repr(getattr(p, name)) for name in NAMES}, "refiner_switch_by_sample_steps": setting}

class BrokenOff(scripts.Script):
    def title(self):
        return "Broken off"

    def run(self, p):
        found, told = [fields(p)], ""
        try:
            processing.process_images(p)
        except Exception as error:
            told = str(error)
        found.append(fields(p))
        # What a press of the button would do.
        shared.state.interrupted = shared.state.skipped = False
        p.prompt = p.prompt.partition(", fault")[0]
        finisher = next(item for item in p.scripts.alwayson_scripts if item.title() == "Finisher")
        asked = p.script_args_value[finisher.args_from]
        done = []
        for given in ({"enabled": False}, asked):
            p.script_args_value = list(p.script_args_value)
            p.script_args_value[finisher.args_from] = given
            p.extra_generation_params.clear()
            done.append(processing.process_images(p))
            found.append(fields(p))
        without, again = done
        without.images += again.images
        without.infotexts += again.infotexts
        without.extra_generation_params = {**again.extra_generation_params, "fields": found, "error": told}
        return without

class NoNumbers(scripts.Script):
    # The host itself raises over it, once everything is sampled.
    def title(self):
        return "No numbers"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def post_sample(self, p, ps):
        if "faultnumbers" in str(p.prompts):
            ps.samples = ps.samples * float("nan")
"""


class Counted(Webui):
    """The web UI, and what it loaded during the last generation."""

    def __init__(self, url: str, loads: Path) -> None:
        super().__init__(url)
        self._file = loads
        self.loads: list[list[Any]] = []

    def _generate(self, route: str, arguments: tuple[Any, ...], changes: dict[str, Any]) -> Result:
        before = len(self._lines())
        done = super()._generate(route, arguments, {**SIZE, **changes})
        self.loads = self._lines()[before:]
        return done

    def _lines(self) -> list[list[Any]]:
        return [json.loads(line) for line in self._file.read_text().splitlines()] if self._file.exists() else []


@pytest.fixture(scope="module", params=GRADIOS)
def webui(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Counted:
    extension = tmp_path_factory.mktemp("loads")
    (extension / "scripts").mkdir()
    (extension / "scripts" / "loads.py").write_text(LOADS)
    (extension / "scripts" / "again.py").write_text(AGAIN)
    (extension / "scripts" / "broken_off.py").write_text(BROKEN_OFF)
    faults = ROOT / "tests" / "fault_injector"
    host = standin(request.param, "--extension", str(extension), "--extension", str(faults))
    models = host.data / "models" / "Stable-diffusion"
    for name, fixture in ((SDXL, "sdxl_base"), (REFINER, "sdxl_refiner")):
        write_file(models / name, FIXTURES[fixture]["header"], real_sizes=False)
    running = Counted(host.url, host.data / "loads.txt")
    running.post("/sdapi/v1/refresh-checkpoints", {})
    return running


def chosen(name: str = SDXL, **more: Any) -> dict[str, Any]:
    return {"override_settings": {"sd_model_checkpoint": name}, **more}


def with_refiner(name: str = REFINER, at: float = 0.5, **more: Any) -> dict[str, Any]:
    return recipe(**NOTHING, base={"refiner_checkpoint": name, "refiner_switch_at": at, **more})


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M", "DDIM"])
@pytest.mark.parametrize(("steps", "at", "first"), [(10, 0.8, 8), (8, 0.5, 4)])
def test_the_refiner_takes_over_after_that_share_of_the_steps(
    webui: Counted, sampler: str, steps: int, at: float, first: int
) -> None:
    """On schedules and samplers of every kind, whatever noise is left by then."""
    done = webui.txt2img(with_refiner(at=at), **chosen(steps=steps, sampler_name=sampler, scheduler="Automatic"))
    assert "sdxlrefiner" in done.told["Refiner"]
    assert done.told["Refiner switch at"] == at
    assert done.told["Refiner switch by sampling steps"] is True
    names = [name for name, _ in webui.loads]
    assert names[-2:] == ["sdxlrefiner", "sdxlbase"]
    # What was done last before it was loaded: steps are counted from 0.
    assert webui.loads[-2][1] == first - 1


@pytest.mark.parametrize("chosen_in_host", [True, False])
@pytest.mark.parametrize("overridden", [True, False])
def test_the_share_holds_whatever_a_request_overrides(webui: Counted, chosen_in_host: bool, overridden: bool) -> None:
    webui.post("/sdapi/v1/options", {BY_STEPS: chosen_in_host})
    settings = {"sd_model_checkpoint": SDXL, BY_STEPS: overridden}
    webui.txt2img(with_refiner(at=0.8), steps=10, scheduler="Karras", override_settings=settings)
    left = webui.get("/sdapi/v1/options")[BY_STEPS]
    webui.post("/sdapi/v1/options", {BY_STEPS: False})
    assert webui.loads[-2] == ["sdxlrefiner", 7]
    assert left is chosen_in_host


def test_in_img2img_the_share_is_of_the_steps_that_run(webui: Counted) -> None:
    picture = webui.txt2img().picture
    webui.img2img(picture, with_refiner(), **chosen(steps=20, denoising_strength=0.5))
    assert [name for name, _ in webui.loads][-2:] == ["sdxlrefiner", "sdxlbase"]
    # Eleven of twenty steps run, and 6/11 is the first share that is half or more.
    assert webui.loads[-2][1] == 5


def test_nothing_stays_behind(webui: Counted) -> None:
    """Neither the refiner nor the overridden setting, and the same draft is drawn as before."""
    before, options = webui.txt2img(**chosen()), webui.get("/sdapi/v1/options")
    webui.txt2img(with_refiner(), **chosen())
    assert webui.get("/sdapi/v1/options") == {BY_STEPS: False, **options}
    after = webui.txt2img(**chosen())
    assert np.array_equal(after.picture, before.picture)
    assert "Refiner" not in after.infotexts[0]


def test_an_object_that_is_used_again_has_no_refiner_any_more(webui: Counted) -> None:
    plain = webui.txt2img(**chosen())
    done = webui.txt2img(with_refiner(), **chosen(script_name="Again", script_args=[]))
    assert "Refiner: sdxlrefiner" in done.infotexts[0]
    assert "Refiner" not in done.infotexts[1]
    assert [name for name, _ in webui.loads].count("sdxlrefiner") == 1
    assert np.array_equal(done.pictures[1], plain.picture)


def broken_off(webui: Counted, fault: str, **more: Any) -> Result:
    prompt = f"{DRAFT['prompt']}, fault{fault}"
    return webui.txt2img(with_refiner(), **chosen(prompt=prompt, script_name="Broken off", script_args=[], **more))


def used_again(webui: Counted, done: Result, before: Result, loads: int) -> None:
    """Without Finisher the object has no refiner, and with it Finisher's own once more."""
    assert "Refiner" not in done.infotexts[0]
    assert np.array_equal(done.pictures[0], before.picture)
    assert "Refiner: sdxlrefiner" in done.infotexts[1]
    assert "own refiner setting was kept" not in done.infotexts[1]
    assert [name for name, _ in webui.loads].count("sdxlrefiner") == loads + 1
    first, _, *rest = done.told["fields"]
    assert rest == [first, first]


@pytest.mark.parametrize(
    ("fault", "error", "loads"),
    [("raise", "a fault for a test", 0), ("numbers", "A tensor with all NaNs was produced", 1)],
)
def test_an_object_whose_generation_failed_has_no_refiner_any_more(
    webui: Counted, fault: str, error: str, loads: int
) -> None:
    """Before the refiner took over and after it. The host calls no hook then: the next use puts the fields back."""
    plain, options = webui.txt2img(**chosen()), webui.get("/sdapi/v1/options")
    done = broken_off(webui, fault)
    assert error in done.told["error"]
    first, failed, *_ = done.told["fields"]
    assert failed["refiner_checkpoint"] != first["refiner_checkpoint"], "it did not fail amid the generation"
    assert failed[BY_STEPS] is False
    used_again(webui, done, plain, loads)
    assert webui.get("/sdapi/v1/options") == {BY_STEPS: False, **options}


@pytest.fixture()
def checkpoint_kept(webui: Counted) -> Iterator[None]:
    own = {"sd_model_checkpoint": webui.get("/sdapi/v1/options")["sd_model_checkpoint"]}
    yield
    webui.post("/sdapi/v1/options", own)


@pytest.mark.parametrize("fault", ["interrupt", "skip"])
def test_an_object_whose_generation_was_broken_off_is_as_before(webui: Counted, fault: str) -> None:
    plain = webui.txt2img(**chosen())
    done = broken_off(webui, fault)
    assert done.told["error"] == ""
    first, stopped, *_ = done.told["fields"]
    assert stopped == first
    used_again(webui, done, plain, 0)


@pytest.mark.usefixtures("checkpoint_kept")
@pytest.mark.parametrize("fault", ["interrupt", "raise"])
def test_no_setting_stays_changed_where_overridden_settings_are_to_stay(webui: Counted, fault: str) -> None:
    plain, options = webui.txt2img(**chosen()), {BY_STEPS: False, **webui.get("/sdapi/v1/options")}
    done = broken_off(webui, fault, override_settings_restore_afterwards=False)
    assert all(fields == done.told["fields"][0] for fields in done.told["fields"])
    assert np.array_equal(done.pictures[0], plain.picture)
    assert "Refiner:" not in done.infotexts[1]
    assert "this request lets overridden settings stay" in done.infotexts[1]
    assert webui.get("/sdapi/v1/options")[BY_STEPS] is options[BY_STEPS]


def test_the_hosts_own_refiner_setting_is_kept_and_that_is_told(webui: Counted) -> None:
    own = {"refiner_checkpoint": OLD, "refiner_switch_at": 0.75, "steps": 8}
    done = webui.txt2img(with_refiner(), **chosen(**own))
    assert "standinB" in done.told["Refiner"]
    assert done.told["Refiner switch at"] == 0.75
    assert "own refiner setting was kept" in done.told["Finisher notes"]


@pytest.mark.parametrize(
    ("base", "name", "told"),
    [
        ("standinA.safetensors", REFINER, "for SDXL only"),
        (SDXL, OLD, "no SDXL refiner"),
        (SDXL, "gone.safetensors", "There is no checkpoint 'gone.safetensors'"),
    ],
)
def test_where_it_is_not_for_the_checkpoint_nothing_is_changed(webui: Counted, base: str, name: str, told: str) -> None:
    plain = webui.txt2img(**chosen(base))
    done = webui.txt2img(with_refiner(name), **chosen(base))
    assert told in done.told["Finisher notes"]
    assert "Refiner" not in done.told
    assert np.array_equal(done.picture, plain.picture)


def test_too_few_steps_are_told_with_the_number_that_is_enough(webui: Counted) -> None:
    done = webui.txt2img(with_refiner(at=0.9), **chosen(steps=10))
    assert "the refiner has 1 of 10 steps" in done.told["Finisher notes"]
    assert "sample 40 steps or let it take over at 0.6" in done.told["Finisher notes"]
    # DDIM counts a step that it does not run.
    done = webui.txt2img(with_refiner(at=0.9), **chosen(steps=10, sampler_name="DDIM"))
    assert "the refiner has 0 of 10 steps" in done.told["Finisher notes"]
    assert "Refiner" not in done.told


def test_two_swaps_for_a_batch_that_is_finished_together(webui: Counted) -> None:
    """The four pictures of one txt2img batch go through the stages together."""
    webui.txt2img()
    refine = {**GENTLE, "checkpoint": OLD}
    webui.txt2img(recipe(**{**NOTHING, "refine": refine}), batch_size=4)
    assert [name for name, _ in webui.loads] == ["standinB", "standinA"]


def test_two_swaps_a_picture_in_the_hosts_own_loop(webui: Counted) -> None:
    webui.txt2img()
    refine = {**GENTLE, "checkpoint": OLD}
    webui.txt2img(recipe(**{**NOTHING, "refine": refine}), n_iter=3)
    assert [name for name, _ in webui.loads] == ["standinB", "standinA"] * 3


def test_the_refiner_as_the_checkpoint_of_the_refine_stage(webui: Counted) -> None:
    """The other way: the whole picture once more, gently, on the refiner."""
    refine = {**GENTLE, "checkpoint": REFINER}
    done = webui.txt2img(recipe(**{**NOTHING, "refine": refine}), **chosen())
    assert done.told["Finisher stages"] == "refine"
    assert [name for name, _ in webui.loads][-2:] == ["sdxlrefiner", "sdxlbase"]
    assert "Finisher error" not in done.told
