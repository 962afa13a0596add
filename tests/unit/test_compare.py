"""Finishing a picture with and without a stage, and paying once for what both share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lib_finisher.cli import main
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import Control, Event, Meter, StageFinished
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.files import load_picture
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.recipe import Recipe, read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.store.results import ResultStore
from tests.conftest import PORTRAIT

FIND = Detectors().detect
UPSCALE = {"passes": [{"factor": 1.25, "denoising_strength": 0.2, "steps": 3, "skip_flat": False}]}


def recipe_of(compare: str, **changes: object) -> Recipe:
    data: dict[str, object] = {
        "base": {"compare": compare},
        "refine": {"steps": 4},
        "detail": {"enabled": False},
        "upscale": UPSCALE,
        "texture": {"strength": 0.5},
        "grade": {"contrast": 0.3, "grain": 0.2},
    }
    return read_recipe({**data, **changes}, "embedded")


def run(recipe: Recipe, *pictures: np.ndarray, **more: object) -> list[Finished]:
    pipeline = Pipeline(EmbeddedHost(), FIND, recipe, **more)  # type: ignore[arg-type]
    return pipeline.run([Work(pixels, Base(seed=number)) for number, pixels in enumerate(pictures)])


def sampled(done: Finished) -> float:
    return sum(report.cost.megapixel_steps for report in done.reports)


@pytest.fixture(scope="module")
def drafts(portrait: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(portrait[top : top + 96, 180:276]) for top in (60, 120)]


@pytest.mark.parametrize("stage", ["refine", "upscale", "texture", "grade"])
def test_both_are_what_two_runs_would_have_made(stage: str, drafts: list[np.ndarray]) -> None:
    off = recipe_without(stage)
    plain, other = run(recipe_of("nothing"), *drafts), run(off, *drafts)
    for done, with_it, without_it in zip(run(recipe_of(stage), *drafts), plain, other):
        assert done.compared == stage
        assert np.array_equal(done.pixels, with_it.pixels)
        assert done.without is not None and np.array_equal(done.without.pixels, without_it.pixels)
        assert not np.array_equal(done.pixels[:96, :96], done.without.pixels[:96, :96])
        assert [report.stage for report in done.without.reports] == list(NAMES)


def recipe_without(stage: str) -> Recipe:
    return recipe_of("nothing", **{stage: {"enabled": False}})


def test_what_is_shared_is_sampled_once(drafts: list[np.ndarray]) -> None:
    """With grade compared nothing is sampled twice; with upscale only the picture without it has less to do."""

    class Counting(EmbeddedHost):
        elements = 0

        def redraw(self, batch, watch):  # type: ignore[no-untyped-def]
            type(self).elements += len(batch.elements)
            return super().redraw(batch, watch)

    counts = {}
    for stage in ("nothing", "grade", "upscale", "refine"):
        Counting.elements = 0
        Pipeline(Counting(), FIND, recipe_of(stage)).run([Work(drafts[0])])
        counts[stage] = Counting.elements
    once = counts["nothing"]
    assert counts["grade"] == counts["upscale"] == once
    # Refine itself is shared by nobody; the upscale after it runs on both.
    tiles = once - 1
    assert counts["refine"] == once + tiles


def test_nothing_is_compared_where_the_stage_did_nothing(drafts: list[np.ndarray]) -> None:
    switched_off = run(recipe_of("repair"), drafts[0])[0]
    no_strength = run(recipe_of("texture", texture={"strength": 0.0}), drafts[0])[0]
    for done, stage in ((switched_off, "repair"), (no_strength, "texture")):
        assert done.without is None
        notes = {report.stage: report.notes for report in done.reports}
        assert notes[stage] == ("nothing to compare: it changed nothing here",)
        assert not any(told for name, told in notes.items() if name != stage)
    assert not any(report.notes for report in run(recipe_of("nothing"), drafts[0])[0].reports)


def test_an_interrupted_comparison_is_not_shown(drafts: list[np.ndarray]) -> None:
    control = Control()

    def listener(event: Event) -> None:
        if isinstance(event, StageFinished) and event.stage == "refine":
            control.interrupt()

    done = run(recipe_of("refine"), drafts[0], control=control, listener=listener)[0]
    assert done.interrupted_in and done.without is None


def test_listeners_hear_of_each_picture_once(drafts: list[np.ndarray]) -> None:
    told: list[tuple[int, str]] = []

    def listener(event: Event) -> None:
        if isinstance(event, StageFinished):
            told.append((event.picture, event.stage))

    run(recipe_of("refine"), *drafts, listener=listener)
    assert sorted(told) == sorted((number, name) for number in (0, 1) for name in NAMES)


def test_the_plan_counts_both(drafts: list[np.ndarray]) -> None:
    tools = Tools(EmbeddedHost(), FIND, Meter(Control()))
    work = Work(drafts[0])
    once, both = (make_plan(work, recipe_of(stage), tools) for stage in ("nothing", "refine"))
    for before, after in zip(once.steps, both.steps):
        factor = 2 if after.stage == "upscale" else 1
        assert after.estimate.megapixel_steps == pytest.approx(factor * before.estimate.megapixel_steps)
    done = run(recipe_of("refine"), drafts[0])[0]
    assert done.without is not None
    shared = next(report for report in done.reports if report.stage == "refine").cost.megapixel_steps
    assert both.total.megapixel_steps == pytest.approx(sampled(done) + sampled(done.without), rel=1e-6)
    assert shared > 0


def test_both_come_from_the_store_the_next_time(drafts: list[np.ndarray], tmp_path: Path) -> None:
    first = run(recipe_of("refine"), drafts[0], store=ResultStore(tmp_path))[0]
    again = run(recipe_of("refine"), drafts[0], store=ResultStore(tmp_path))[0]
    assert first.without is not None and again.without is not None
    assert sampled(again) == sampled(again.without) == 0
    assert np.array_equal(first.without.pixels, again.without.pixels)


def test_the_command_line_saves_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [
        "refine.enabled=false",
        "detail.enabled=false",
        "upscale.enabled=false",
        "grade.enabled=true",
        "base.compare=grade",
    ]
    sets = [part for item in settings for part in ("--set", item)]
    assert main(["finish", str(PORTRAIT), "--out", str(tmp_path), "--no-cache", "--json", *sets]) == 0
    told = json.loads(capsys.readouterr().out)["pictures"][0]
    assert told["compared"]["without"] == "grade"
    other = Path(told["compared"]["output"])
    assert other.name == "astronaut.without-grade.png"
    assert not np.array_equal(load_picture(other).pixels, load_picture(Path(told["output"])).pixels)


def test_the_command_line_names_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["detail.enabled=false", "upscale.enabled=false", "grade.enabled=true", "base.compare=grade"]
    sets = [part for item in settings for part in ("--set", item)]
    assert main(["finish", str(PORTRAIT), "--out", str(tmp_path), "--no-cache", *sets]) == 0
    assert f"without grade: {tmp_path / 'astronaut.without-grade.png'}\n" in capsys.readouterr().out
