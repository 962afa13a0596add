"""Each picture is handed on when its own last stage ends, and what it is does not depend on what the store had."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.inputs import Source
from lib_finisher.batch.saving import Saving
from lib_finisher.events import BatchStarted, Control, Event, StageFinished
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, UpscalerFacts, Watch
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Request
from lib_finisher.stages.diffusion import sampling_of
from lib_finisher.stages.diffusion_settings import Diffusion
from lib_finisher.stages.frame import Look, tiles
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work
from lib_finisher.store.recent import RecentPatches
from lib_finisher.store.results import ResultStore
from tests.conftest import Onward

TILED = {"factor": 2.0, "tile": 128, "denoising_strength": 0.3, "steps": 2, "upscaler": "Lanczos", "skip_flat": False}


def recipe_of(base: dict[str, Any] | None = None, **on: dict[str, Any]) -> Any:
    data: dict[str, Any] = {name: {"enabled": name in on, **on.get(name, {})} for name in NAMES}
    return read_recipe({**data, "base": base or {}}, "embedded")


LIGHT = {"refine": {"steps": 1}, "grade": {"contrast": 0.3}}
DIFFUSING = {"refine": {"steps": 1}, "upscale": {"passes": [TILED]}}


@pytest.fixture(scope="module")
def drafts(portrait: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(portrait[top : top + 128, 180:308]) for top in (40, 60, 80)]


def told_by(recipe: Any, drafts: list[np.ndarray], **more: Any) -> tuple[list[tuple[str, int]], list[Finished]]:
    """What happens in which order: ("stage", picture) for each last stage's end, ("through", picture), and for the
    first batch of all that is sampled after a picture is through ("batch", 0)."""
    told: list[tuple[str, int]] = []
    last = [name for name in NAMES if recipe[name].enabled][-1]

    def listen(event: Event) -> None:
        if isinstance(event, StageFinished) and event.stage == last:
            told.append(("stage", event.picture))
        if isinstance(event, BatchStarted) and ("through", 0) in told and ("batch", 0) not in told:
            told.append(("batch", 0))

    pipeline = Pipeline(EmbeddedHost(), lambda *_: [], recipe, listener=listen, **more)
    works = [Work(pixels, Base(seed=number)) for number, pixels in enumerate(drafts)]
    return told, pipeline.run(works, lambda number, done: told.append(("through", number)))


@pytest.mark.parametrize("stages", [LIGHT, DIFFUSING])
def test_a_picture_is_handed_on_before_the_next_is_through_its_last_stage(
    drafts: list[np.ndarray], stages: dict[str, Any]
) -> None:
    told, done = told_by(recipe_of(**stages), drafts)
    order = [(what, number) for number in range(3) for what in ("stage", "through")]
    assert [item for item in told if item[0] != "batch"] == order
    assert stages is LIGHT or told.index(("batch", 0)) == 2, "the second one is not even sampled"
    assert [[report.stage for report in one.reports] for one in done] == [list(NAMES)] * 3


@pytest.mark.parametrize("compare", ["grade", "refine", "texture"])
def test_with_what_it_is_compared_with_or_without(drafts: list[np.ndarray], compare: str) -> None:
    told, done = told_by(recipe_of({"compare": compare}, **LIGHT), drafts)
    assert [number for what, number in told if what == "through"] == [0, 1, 2]
    for one in done:
        assert [report.stage for report in one.reports] == list(NAMES)
        assert (one.without is not None) == (compare != "texture")
        assert one.without is None or [report.stage for report in one.without.reports] == list(NAMES)


def test_where_no_stage_is_on_and_where_the_run_is_interrupted(drafts: list[np.ndarray]) -> None:
    told, _ = told_by(recipe_of(refine={"enabled": False}, grade={"enabled": True}), drafts[:1])
    assert ("through", 0) in told
    nothing = Pipeline(EmbeddedHost(), lambda *_: [], recipe_of())
    numbers: list[int] = []
    nothing.run([Work(pixels) for pixels in drafts], lambda number, done: numbers.append(number))
    assert numbers == [0, 1, 2]
    control = Control()
    control.interrupt()
    told, done = told_by(recipe_of(**LIGHT), drafts, control=control)
    assert [number for what, number in told if what == "through"] == [0, 1, 2]
    assert all(one.interrupted_in == "refine" for one in done)


def test_a_picture_that_fails_in_its_turn_costs_no_other(drafts: list[np.ndarray]) -> None:
    """The engine fails on the second picture's first tile, whose batch is its own."""

    class Failing(EmbeddedHost):
        def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
            if any(item.seed == 1 for item in batch.elements):
                raise RuntimeError("no luck")
            return super().redraw(batch, watch)

    numbers: list[int] = []
    works = [Work(pixels, Base(seed=number)) for number, pixels in enumerate(drafts)]
    done = Pipeline(Failing(), lambda *_: [], recipe_of(**DIFFUSING)).run(
        works, lambda number, _: numbers.append(number)
    )
    assert sorted(numbers) == [0, 1, 2] and [bool(one.error) for one in done] == [False, True, False]


def test_a_surprise_in_its_turn_is_raised_and_nobody_is_redrawn_for_it(drafts: list[np.ndarray]) -> None:
    class Counting(EmbeddedHost):
        calls = 0

        def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
            self.calls += 1
            return super().redraw(batch, watch)

    def through(number: int, done: Finished) -> None:
        if number == 0:
            raise LookupError("the front is gone")

    undisturbed, host = Counting(), Counting()
    works = [Work(pixels, Base(seed=number)) for number, pixels in enumerate(drafts)]
    Pipeline(undisturbed, lambda *_: [], recipe_of(**DIFFUSING)).run(works)
    with pytest.raises(LookupError):
        Pipeline(host, lambda *_: [], recipe_of(**DIFFUSING)).run(works, through)
    assert host.calls < undisturbed.calls


def saved(drafts: list[np.ndarray], folder: Path, recipe: Any, store: ResultStore | None, host: EmbeddedHost) -> Any:
    folder.mkdir()
    for number, pixels in enumerate(drafts):
        Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(folder / f"{number}.png")
    sources = [Source(file) for file in sorted(folder.glob("*.png"))]
    pipeline = Pipeline(host, lambda *_: [], recipe, store)
    return finish_files(sources, pipeline, host, recipe, Base(), Saving(folder / "o"), None, Control())


def test_what_is_saved_is_told_although_the_run_ends_by_an_error(drafts: list[np.ndarray], tmp_path: Path) -> None:
    class Ending(EmbeddedHost):
        def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
            if (tmp_path / "a" / "o" / "0.png").exists():
                raise KeyboardInterrupt
            return super().redraw(batch, watch)

    reports = []
    with pytest.raises(KeyboardInterrupt):
        for report in saved(drafts, tmp_path / "a", recipe_of(**DIFFUSING), None, Ending()):
            reports.append(report)
    assert [report.source.name for report in reports] == ["0.png"] and reports[0].output.is_file()


def test_the_same_bytes_whatever_came_from_the_store(drafts: list[np.ndarray], tmp_path: Path) -> None:
    """Nothing, everything, and some patches but not those before them."""
    recipe = recipe_of(upscale={"passes": [{**TILED, "tile": 96, "denoising_strength": 0.6}]}, grade={"contrast": 0.1})

    class Stopping(EmbeddedHost):
        """Is ended by Ctrl-C, twice, after some batches."""

        calls = 0

        def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
            self.calls += 1
            if self.calls > 3:
                raise KeyboardInterrupt
            return super().redraw(batch, watch)

    def made(name: str, store: ResultStore | None) -> dict[str, bytes]:
        reports = list(saved(drafts, tmp_path / name, recipe, store, EmbeddedHost()))
        notes.append([note for report in reports for stage in report.stages for note in stage.notes])
        return {file.name: file.read_bytes() for file in (tmp_path / name / "o").glob("*.png")}

    notes: list[list[str]] = []
    right = made("none", None)
    assert len(right) == 3
    store = ResultStore(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        list(saved(drafts, tmp_path / "killed", recipe, store, Stopping()))
    patches = sorted((tmp_path / "store").glob("??/*.npy"), key=lambda file: file.stat().st_mtime_ns)
    assert len(patches) > 2
    patches[0].unlink()
    assert made("some", store) == right
    assert any("taken up" in note for note in notes[-1]), "the report says so, the pictures do not"
    assert made("all", store) == right
    told = json.loads(Image.open(tmp_path / "all" / "o" / "0.png").info["finisher"])
    assert told["stages"]["upscale"] == "ran" and told["stages"]["refine"] == "skipped"


def test_sums_are_made_in_one_order_whatever_patches_are_kept(portrait: np.ndarray) -> None:
    """To the last bit of floats, where four tiles overlap."""
    picture = np.ascontiguousarray(portrait[40:200, 150:310])
    host = EmbeddedHost()
    patches = tiles(Size(160, 160), 96, 48, Look(0.8), host.capabilities)
    request = Request(
        picture, tuple(patches), sampling_of(Diffusion(steps=2), Base()), NoiseField(3), ColourLock("tile"),
        together=True,
    )  # fmt: skip
    assert len(patches) == 4 and host.capabilities.most_elements >= 4
    memory = RecentPatches(1 << 30)
    run = lambda memory: redraw([request], host, AreaBudget(host.capabilities), Onward(), memory)[0]
    whole = run(memory).picture

    class Holed(RecentPatches):
        """Has what the other has but for the patches of these numbers, in the order in which it is asked."""

        def __init__(self, *without: int) -> None:
            super().__init__(1 << 30)
            self.without, self.asked = without, -1

        def recall(self, key: str) -> Any:
            self.asked += 1
            return None if self.asked in self.without else memory.recall(key)

    for without in ((0,), (1,), (0, 2), (0, 1, 2)):
        outcome = run(Holed(*without))
        assert outcome.recalled == 4 - len(without)
        assert np.array_equal(outcome.picture, whole)


class Modelled(EmbeddedHost):
    """Lanczos in the place of a model's file; it counts its runs."""

    def __init__(self, identity: str = "1", scale: int = 2) -> None:
        super().__init__()
        self.ran, self.facts = 0, UpscalerFacts("model", scale, identity)

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        return (self.facts,)

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        self.ran += 1
        size = Work(pixels).size
        made = resize(pixels, size.scaled(self.facts.scale)) if self.facts.scale > 1 else pixels
        return np.asarray(np.clip(made, 0, 1) ** 1.1, dtype=np.float32)


def enlarged(host: Modelled, pixels: np.ndarray, store: ResultStore | None, **changes: Any) -> Finished:
    one = {**TILED, "upscaler": "model", "denoising_strength": 0.0, **changes}
    return Pipeline(host, lambda *_: [], recipe_of(upscale={"passes": [one]}), store).run([Work(pixels)])[0]


def grained(host: Modelled, pixels: np.ndarray, store: ResultStore | None, **changes: Any) -> Finished:
    texture = {"upscaler": "model", "model_blend": 0.8, "strength": 0.0, **changes}
    return Pipeline(host, lambda *_: [], recipe_of(texture=texture), store).run([Work(pixels)])[0]


@pytest.mark.parametrize(("run", "scale", "other"), [(enlarged, 2, {"fidelity": 0.7}), (grained, 1, {"strength": 0.5})])
def test_a_model_runs_once_on_the_same_picture(
    drafts: list[np.ndarray], tmp_path: Path, run: Callable[..., Finished], scale: int, other: dict[str, Any]
) -> None:
    store, pixels = ResultStore(tmp_path), drafts[0]
    first = Modelled(scale=scale)
    run(first, pixels, store)
    assert first.ran == 1
    again, changed, plain = Modelled(scale=scale), Modelled("2", scale), Modelled(scale=scale)
    kept = run(again, pixels, store, **other)
    assert again.ran == 0, "other settings, the same model on the same picture"
    assert np.array_equal(kept.pixels, run(plain, pixels, None, **other).pixels) and plain.ran == 1
    run(changed, pixels, store, **other)
    assert changed.ran == 1, "another file of that name"
    elsewhere = Modelled(scale=scale)
    run(elsewhere, drafts[1], store)
    assert elsewhere.ran == 1, "another picture"


def test_a_model_that_was_stopped_or_failed_is_not_kept(drafts: list[np.ndarray], tmp_path: Path) -> None:
    class Failing(Modelled):
        def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
            return np.zeros_like(super().upscale(name, pixels, watch))

    store = ResultStore(tmp_path)
    assert "could not be used" in " ".join(enlarged(Failing(), drafts[0], store).reports[4].notes)
    after = Modelled()
    assert not enlarged(after, drafts[0], store).left_out and after.ran == 1
