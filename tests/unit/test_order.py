"""The order of the stages: the same whatever is enabled, in every front. It is written out here, nowhere derived."""

from __future__ import annotations

import base64
import functools
import io
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher.api import answers, requests
from lib_finisher.cli import main
from lib_finisher.controls import SettingsError
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import StageFinished, StageStarted
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import ModelFacts
from lib_finisher.infotext.writing import KEY, KEY_STAGES, outcome_pairs, recipe_pairs
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.recipe import SECTIONS, read_recipe, write_recipe
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.ui.table import Offer, page_table
from tests.conftest import Onward

READ = functools.partial(read_recipe, family="embedded")
ORDER = ["refine", "extend", "repair", "detail", "upscale", "texture", "grade"]
DIFFUSING = ["refine", "extend", "repair", "detail", "upscale"]

QUICK: dict[str, dict[str, Any]] = {
    "refine": {"steps": 1},
    "extend": {"steps": 1, "right": 8},
    "repair": {"steps": 1},
    "detail": {"passes": [{"steps": 1, "skip_large": False}]},
    "upscale": {"passes": [{"steps": 1, "factor": 1.25}]},
    "texture": {},
    "grade": {"contrast": 0.2},
}
SUBSETS = [subset for count in range(len(ORDER) + 1) for subset in itertools.combinations(ORDER, count)]


class Recording(EmbeddedHost):
    """The engine as a small model, telling for which stages it has sampled: the noise of a batch names its stage."""

    def __init__(self) -> None:
        super().__init__()
        self.sampled: list[str] = []

    def model(self, checkpoint: str = "") -> ModelFacts:
        return ModelFacts("small", "embedded", 64)

    def redraw(self, batch, watch):  # type: ignore[no-untyped-def]
        self.sampled += [element.noise.field.salt.partition("/")[0] for element in batch.elements]
        return super().redraw(batch, watch)


def recipe_data(subset: tuple[str, ...], seed: int) -> dict[str, Any]:
    """A recipe for those stages, written in an order of the user's own."""
    data = {name: {"enabled": name in subset, **QUICK[name]} for name in ORDER}
    names = list(data)
    random.Random(seed).shuffle(names)
    return {name: data[name] for name in names}


def without_repeats(names: list[str]) -> list[str]:
    return [name for name, _ in itertools.groupby(names)]


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    """A face, small."""
    face = Image.fromarray(np.uint8(np.round(portrait[30:190, 145:305] * 255)))
    return np.asarray(face.resize((80, 80)), dtype=np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    marked = np.zeros((80, 80), dtype=np.float32)
    marked[4:16, 4:16] = 1
    return marked


@pytest.mark.slow
def test_all_subsets_run_in_the_missions_order(picture: np.ndarray, mask: np.ndarray) -> None:
    """What is told, what is reported and what is sampled: 128 subsets, each recipe shuffled."""
    assert len(SUBSETS) == 128
    find = Detectors().detect
    for seed, subset in enumerate(SUBSETS):
        host, begun, ended = Recording(), [], []

        def listener(event: object, begun: list[str] = begun, ended: list[str] = ended) -> None:
            if isinstance(event, StageStarted):
                begun.append(event.stage)
            if isinstance(event, StageFinished):
                ended.append(event.stage)

        recipe = read_recipe(recipe_data(subset, seed), "embedded")
        done = Pipeline(host, find, recipe, listener=listener).run([Work(picture, Base(seed=seed), mask)])[0]
        assert done.error == "", subset
        assert begun == list(subset)
        assert ended == [item.stage for item in done.reports] == ORDER
        assert [item.stage for item in done.reports if item.status == "ran"] == list(subset)
        assert host.sampled == sorted(host.sampled, key=ORDER.index)
        assert without_repeats([name for name in host.sampled if name in DIFFUSING]) == [
            name for name in subset if name in DIFFUSING
        ]
        if subset:
            assert begun[-1] == max(subset, key=ORDER.index)


def test_plans_are_in_that_order(picture: np.ndarray, mask: np.ndarray) -> None:
    tools = Tools(EmbeddedHost(), lambda *_: [], Onward())
    for seed, subset in enumerate(SUBSETS):
        plan = make_plan(Work(picture, mask=mask), read_recipe(recipe_data(subset, seed), "embedded"), tools)
        assert [step.stage for step in plan.steps] == ORDER
        assert [step.stage for step in plan.steps if step.runs] == [name for name in subset if name != "detail"]


def test_a_recipe_is_written_in_that_order_however_it_was_read() -> None:
    assert [name for name in SECTIONS if name in ORDER] == ORDER
    for seed, subset in enumerate(SUBSETS):
        recipe = read_recipe(recipe_data(subset, seed))
        assert [name for name in write_recipe(recipe) if name in ORDER] == ORDER
        told = json.loads(recipe_pairs(recipe, "")[KEY])
        assert [name for name in told if name in ORDER] == [name for name in ORDER if name in told]
        assert read_recipe(told) == recipe


def test_the_infotext_names_what_ran_in_that_order(picture: np.ndarray, mask: np.ndarray) -> None:
    for subset in (tuple(ORDER), ("extend", "grade"), ("refine", "repair", "texture"), ()):
        recipe = read_recipe(recipe_data(subset, 3), "embedded")
        done = Pipeline(Recording(), Detectors().detect, recipe).run([Work(picture, Base(), mask)])[0]
        assert outcome_pairs(done, [])[KEY_STAGES] == (", ".join(subset) or "none")


def test_the_page_shows_that_order() -> None:
    table = page_table(Offer({}))
    assert [stage["name"] for stage in table["stages"]] == ORDER


FEW = [tuple(ORDER), ("grade", "extend"), ("repair", "detail", "texture"), ("upscale", "refine")]


@pytest.fixture()
def files(tmp_path: Path, picture: np.ndarray, mask: np.ndarray) -> Iterator[Path]:
    Image.fromarray(np.uint8(picture * 255)).save(tmp_path / "a.png")
    Image.fromarray(np.uint8(mask * 255)).save(tmp_path / "mask.png")
    yield tmp_path


@pytest.mark.parametrize("subset", FEW)
def test_the_command_line_runs_that_order(files: Path, subset: tuple[str, ...], capfd: Any) -> None:
    (files / "recipe.json").write_text(json.dumps(recipe_data(subset, 1)))
    call = ["finish", str(files / "a.png"), "--out", str(files / "out"), "--recipe", str(files / "recipe.json")]
    marked = ["--mask", str(files / "mask.png")] if "repair" in subset else []
    assert main([*call, *marked, "--no-cache", "--save-stages", "--json"]) == 0
    stages = json.loads(capfd.readouterr().out)["pictures"][0]["stages"]
    assert [item["stage"] for item in stages] == ORDER
    expected = [name for name in ORDER if name in subset]
    assert [item["stage"] for item in stages if item["status"] == "ran"] == expected
    saved = sorted(file.stem for file in (files / "out" / "stages" / "a").iterdir())
    assert [name.partition("-")[2] for name in saved if name.partition("-")[2] in ORDER] == expected


@pytest.mark.parametrize("subset", FEW)
def test_the_api_runs_that_order(files: Path, subset: tuple[str, ...]) -> None:
    picture, mask = (base64.b64encode((files / name).read_bytes()).decode() for name in ("a.png", "mask.png"))
    data = {"images": [picture], "mask": mask, "recipe": recipe_data(subset, 2)}
    asked = requests.read_finish(data, READ, requests.Offer({}), requests.Limits())
    bases = [asked.base_of({})]
    pictures, masks = asked.opened()
    works = [Work(pictures[0].pixels, bases[0], masks[0])]
    done = Pipeline(Recording(), Detectors().detect, asked.recipe).run(works)
    answer = answers.finished_json(done, pictures, bases, asked.recipe, "embedded", asked.report)
    assert [item["stage"] for item in answer["reports"][0]] == ORDER
    expected = [name for name in ORDER if name in subset]
    assert [item["stage"] for item in answer["reports"][0] if item["status"] == "ran"] == expected
    text = Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))).info["parameters"]
    assert f'{KEY_STAGES}: "{", ".join(expected)}"' in text


def test_the_order_is_no_setting() -> None:
    with pytest.raises(SettingsError, match="no such stage"):
        read_recipe({"stages": ["grade", "refine"]})
