"""The stages on real input, their order, and the pipeline that runs them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.events import Control, Event, Progress, StageFinished, StageStarted
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.recipe import Recipe, assign, read_recipe
from lib_finisher.stages.crop import crop_around
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.repair import _patches as repair_patches
from lib_finisher.stages.repair import regions
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.store.results import ResultStore
from tests.conftest import Onward

FIND = Detectors().detect
ORDER = ["refine", "extend", "repair", "detail", "upscale", "texture", "grade"]
FAST = ["refine.steps=4", "extend.steps=3", "repair.steps=4", "detail.steps=4", "upscale.steps=4"]


def recipe_of(*assignments: str, only: Sequence[str] = ()) -> Recipe:
    switches = [f"{name}.enabled={'true' if name in only else 'false'}" for name in NAMES]
    return read_recipe(assign({}, [*FAST, *switches, *assignments]))


def run(host: EmbeddedHost, recipe: Recipe, *works: Work, **more: object) -> list[Finished]:
    return Pipeline(host, FIND, recipe, **more).run(works)  # type: ignore[arg-type]


def status(done: Finished) -> dict[str, str]:
    return {item.stage: item.status for item in done.reports}


@pytest.fixture(scope="module")
def face(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[0:256, 120:376])


def test_the_order_is_fixed() -> None:
    assert list(NAMES) == ORDER
    assert isinstance(STAGES, tuple)


def test_grain_is_the_last_thing_that_happens(host: EmbeddedHost, face: np.ndarray) -> None:
    graded = ("grade.white_balance=0.5", "grade.contrast=0.3", "grade.saturation=0.3")
    without = run(host, recipe_of(*graded, "grade.grain=0", only=["grade"]), Work(face))[0].pixels
    with_grain = run(host, recipe_of(*graded, "grade.grain=0.2", "grade.grain_size=1", only=["grade"]), Work(face))[0]
    light = with_grain.pixels - without
    inside = ((without > 0.2) & (without < 0.8)).all(axis=-1)
    # Grain added last is the same in all three channels; anything run after it would have told them apart.
    assert float(np.ptp(light, axis=-1)[inside].max()) < 3 / 65535
    assert float(light.std()) > 1 / 255


def test_the_face_is_found_and_redrawn_where_it_is(host: EmbeddedHost, portrait: np.ndarray) -> None:
    found = FIND("face_yunet", portrait, 0.3)
    assert len(found) == 1
    assert found[0].confidence > 0.8
    assert found[0].box.contained_ratio(Box(170, 60, 280, 200)) > 0.7
    done = run(host, recipe_of(only=["detail"]), Work(portrait))[0]
    report = next(item for item in done.reports if item.stage == "detail")
    assert report.status == "ran"
    assert "found 1 face" in report.reason
    changed = np.abs(done.pixels - portrait).max(axis=-1) > 0
    rows, columns = np.nonzero(changed)
    assert found[0].box.grown(90).intersection(Box(columns.min(), rows.min(), columns.max(), rows.max())) is not None
    assert changed.mean() < 0.25
    assert not changed[300:].any()


def test_nothing_found_is_said_and_changes_nothing(host: EmbeddedHost, gradient) -> None:  # type: ignore[no-untyped-def]
    picture = gradient(128, 96)
    done = run(host, recipe_of(only=["detail"]), Work(picture))[0]
    assert status(done)["detail"] == "skipped"
    assert "found nothing" in done.reports[3].reason
    assert np.array_equal(done.pixels, picture)


def test_an_unknown_detector_is_named_and_the_rest_goes_on(host: EmbeddedHost, face: np.ndarray) -> None:
    recipe = recipe_of("detail.detector=hand_yolov9", only=["detail", "grade"])
    done = run(host, recipe, Work(face))[0]
    assert status(done)["detail"] == "failed"
    assert "hand_yolov9" in done.error
    assert "face_yunet" in done.error
    assert status(done)["grade"] == "ran"


def test_the_gate_keeps_a_face_that_would_be_lost(face: np.ndarray) -> None:
    class Blurring(EmbeddedHost):
        def redraw(self, batch, watch):  # type: ignore[no-untyped-def]
            results = super().redraw(batch, watch)
            rng = np.random.default_rng(0)
            return [(result * 0.1 + rng.random(result.shape, dtype=np.float32) * 0.9) for result in results]

    done = run(Blurring(), recipe_of("detail.gate=0.15", only=["detail"]), Work(face))[0]
    assert "less sure" in done.reports[3].refusals[0]
    assert np.array_equal(done.pixels, face)
    ungated = run(Blurring(), recipe_of("detail.gate=1", only=["detail"]), Work(face))[0]
    assert not np.array_equal(ungated.pixels, face)


@pytest.mark.parametrize("factor, expected", [(2, (512, 512)), (1.5, (384, 384)), (1, (256, 256)), (2.3, (589, 589))])
def test_upscaling_is_exact(host: EmbeddedHost, face: np.ndarray, factor: float, expected: tuple[int, int]) -> None:
    done = run(host, recipe_of(f"upscale.factor={factor}", only=["upscale"]), Work(face))[0]
    assert done.pixels.shape == (*expected, 3)
    assert status(done)["upscale"] == "ran"


def test_passes_end_exactly_at_their_product(host: EmbeddedHost, gradient) -> None:  # type: ignore[no-untyped-def]
    passes = '[{"factor": 1.5, "method": "upscaler only"}, {"factor": 1.3333333333333333, "method": "upscaler only"}]'
    done = run(host, recipe_of(f"upscale.passes={passes}", only=["upscale"]), Work(gradient(77, 101)))[0]
    assert done.pixels.shape == (154, 202, 3)


def test_what_an_engine_cannot_use_is_said(host: EmbeddedHost, face: np.ndarray) -> None:
    done = run(host, recipe_of("refine.prompt=a portrait", only=["refine"]), Work(face))[0]
    assert "takes no prompts" in done.reports[0].notes[0]
    for control in ("vae", "scheduler"):
        done = run(host, recipe_of(f"refine.{control}=Nope", only=["refine"]), Work(face))[0]
        assert "'Nope'" in done.error


def test_a_missing_upscaler_falls_back_and_says_so(host: EmbeddedHost, face: np.ndarray) -> None:
    done = run(host, recipe_of("upscale.upscaler=4x-Nothing", only=["upscale"]), Work(face))[0]
    assert "4x-Nothing" in done.reports[4].notes[0]
    assert "Lanczos" in done.reports[4].reason


def test_extend_adds_exactly_what_was_asked_and_keeps_the_rest(host: EmbeddedHost, face: np.ndarray) -> None:
    sides = ("extend.left=40", "extend.bottom=24", "extend.overlap=16")
    done = run(host, recipe_of(*sides, only=["extend"]), Work(face))[0]
    assert done.pixels.shape == (280, 296, 3)
    assert np.array_equal(done.pixels[: 256 - 33, 40 + 33 :], face[: 256 - 33, 33:])
    assert float(done.pixels[:, :40].std()) > 2 / 255


def test_repair_redraws_only_the_marked_regions(host: EmbeddedHost, face: np.ndarray) -> None:
    mask = np.zeros((256, 256), dtype=np.float32)
    mask[20:60, 30:80] = 1
    mask[180:220, 150:200] = 1
    done = run(host, recipe_of(only=["repair"]), Work(face, mask=mask))[0]
    assert "2 of 2 regions" in done.reports[2].reason
    changed = np.abs(done.pixels - face).max(axis=-1) > 0.25 / 255
    assert changed[20:60, 30:80].mean() > 0.9
    assert changed[180:220, 150:200].mean() > 0.9
    assert not changed[100:150].any()
    assert status(run(host, recipe_of(only=["repair"]), Work(face))[0])["repair"] == "skipped"


def test_regions_are_the_blobs_without_specks() -> None:
    mask = np.zeros((50, 60), dtype=np.float32)
    mask[5:15, 5:25] = 1
    mask[30:45, 40:55] = 0.9
    mask[48, 2] = 1
    found, labels = regions(mask)
    assert [box for _, box in found] == [Box(5, 5, 25, 15), Box(40, 30, 55, 45)]
    assert [int((labels == number).sum()) for number, _ in found] == [10 * 20, 15 * 15]


def test_a_mask_of_specks_is_skipped(host: EmbeddedHost, face: np.ndarray) -> None:
    mask = np.zeros((256, 256), dtype=np.float32)
    mask[20:23, 20:23] = 1
    done = run(host, recipe_of(only=["repair"]), Work(face, mask=mask))[0]
    assert status(done)["repair"] == "skipped"
    assert done.error == ""


@pytest.mark.parametrize("blur", [4, 32, 64])
def test_the_repair_mask_never_ends_at_its_crop(host: EmbeddedHost, blur: int) -> None:
    mask = np.zeros((800, 800), dtype=np.float32)
    mask[300:400, 300:400] = 1
    settings = recipe_of(f"repair.mask_blur={blur}", only=["repair"])["repair"]
    patch = repair_patches(Base(), mask, settings, Tools(host, FIND, Onward()))[0]
    weight = patch.weight()
    border = np.concatenate([weight[0], weight[-1], weight[:, 0], weight[:, -1]])
    assert float(border.max()) < 0.13


def test_a_face_at_the_pictures_edge_is_redrawn_up_to_it(host: EmbeddedHost, portrait: np.ndarray) -> None:
    cropped = np.ascontiguousarray(portrait[40:260, 185:400])
    assert FIND("face_yunet", cropped, 0.3)[0].box.left < 25
    done = run(host, recipe_of(only=["detail"]), Work(cropped))[0]
    changed = np.abs(done.pixels - cropped).max(axis=-1)
    rows = slice(60, 120)
    assert float(changed[rows, :6].mean()) > 0.2 * float(changed[rows, 20:60].mean())


def test_a_region_far_larger_than_the_model_is_not_sampled_at_full_size(host: EmbeddedHost) -> None:
    picture = Size(6000, 4000)
    for side in (900, 2000, 3900):
        crop = crop_around(Box(500, 50, 500 + side, 50 + side), 0.5, picture, 512, host.capabilities)
        assert crop.canvas.area <= 2.6 * 512 * 512
        assert crop.box.width <= picture.width + 64
        assert crop.box.height <= picture.height + 64
        assert abs(crop.canvas.width / crop.canvas.height - crop.box.width / crop.box.height) < 0.1


@pytest.mark.parametrize("stage", ["refine", "detail", "upscale"])
def test_a_stage_that_could_redraw_nothing_has_failed(host: EmbeddedHost, face: np.ndarray, stage: str) -> None:
    done = run(host, recipe_of(f"{stage}.sampler=Nope", only=[stage, "grade"]), Work(face))[0]
    assert status(done)[stage] == "failed"
    assert "Nope" in done.error


def test_a_good_pass_stays_when_another_fails(host: EmbeddedHost, face: np.ndarray) -> None:
    recipe = recipe_of('detail.passes=[{"steps": 4}, {"detector": "Nope"}]', only=["detail"])
    done = run(host, recipe, Work(face))[0]
    assert status(done)["detail"] == "failed"
    assert not np.array_equal(done.pixels, face)


def test_what_was_made_in_need_is_not_kept_for_better_days(face: np.ndarray, tmp_path: Path) -> None:
    class Short(EmbeddedHost):
        def __init__(self, limit: int) -> None:
            super().__init__()
            self.limit = limit

        def redraw(self, batch, watch):  # type: ignore[no-untyped-def]
            if sum(size_of(one.pixels).area for one in batch.elements) > self.limit:
                raise MemoryError
            return super().redraw(batch, watch)

    store, recipe = ResultStore(tmp_path), recipe_of(only=["refine"])
    poor = run(Short(200 * 200), recipe, Work(face), store=store)[0]
    assert status(poor)["refine"] == "ran"
    assert any("out of memory" in note for note in poor.reports[0].notes)
    rich = run(Short(10**9), recipe, Work(face), store=store)[0]
    assert status(rich)["refine"] == "ran", "made again, now that there is memory"
    assert status(run(Short(10**9), recipe, Work(face), store=store)[0])["refine"] == "reused"


def test_what_a_gate_refused_is_remembered_with_its_reason(face: np.ndarray, tmp_path: Path) -> None:
    class Noisy(EmbeddedHost):
        def redraw(self, batch, watch):  # type: ignore[no-untyped-def]
            noise = np.random.default_rng(0)
            return [noise.random(result.shape, dtype=np.float32) for result in super().redraw(batch, watch)]

    store, recipe = ResultStore(tmp_path), recipe_of(only=["detail"])
    first, again = (run(Noisy(), recipe, Work(face), store=store)[0] for _ in range(2))
    assert "less sure" in first.reports[3].refusals[0]
    assert status(again)["detail"] == "reused"
    assert first.reports[3].refusals == again.reports[3].refusals


def test_any_exception_of_an_engine_is_one_pictures_misfortune(face: np.ndarray) -> None:
    class Wild(EmbeddedHost):
        def redraw(self, batch, watch):  # type: ignore[no-untyped-def]
            if size_of(batch.elements[0].pixels).width == 184:
                raise RuntimeError("planted")
            return super().redraw(batch, watch)

    good, bad = run(Wild(), recipe_of(only=["refine"]), Work(face), Work(face[:, :180]))
    assert good.error == ""
    assert "planted" in bad.error


def test_settings_at_nothing_return_the_input_bit_for_bit(host: EmbeddedHost, face: np.ndarray) -> None:
    nothing = (
        "refine.denoising_strength=0", "detail.denoising_strength=0",
        "upscale.factor=1", "upscale.denoising_strength=0",
        "texture.strength=0", "grade.white_balance=0", "grade.contrast=0", "grade.saturation=0", "grade.grain=0",
    )  # fmt: skip
    done = run(host, recipe_of(*nothing, only=["refine", "detail", "upscale", "texture", "grade"]), Work(face))[0]
    assert np.array_equal(done.pixels, face)


def test_texture_lifts_detail_and_draws_no_halo(host: EmbeddedHost, face: np.ndarray) -> None:
    step = np.full((64, 64, 3), 0.3, dtype=np.float32)
    step[:, 32:] = 0.7
    done = run(host, recipe_of("texture.strength=1", only=["texture"]), Work(step))[0].pixels
    assert float(done.max()) < 0.7 + 2 / 255
    assert float(done.min()) > 0.3 - 2 / 255
    lifted = run(host, recipe_of("texture.strength=1", only=["texture"]), Work(face))[0].pixels
    fine = lambda a: float(np.abs(np.diff(a.mean(axis=-1), axis=1)).mean())
    assert fine(lifted) > 1.1 * fine(face)


def test_pictures_of_a_chunk_are_what_they_are_alone(host: EmbeddedHost, face: np.ndarray) -> None:
    recipe = recipe_of("upscale.factor=1.5", only=["refine", "detail", "upscale", "texture", "grade"])
    works = [Work(face, Base(seed=1)), Work(np.ascontiguousarray(face[:, ::-1]), Base(seed=2)), Work(face[:200, :180])]
    together = run(host, recipe, *works)
    for work, done in zip(works, together):
        assert np.array_equal(run(host, recipe, work)[0].pixels, done.pixels)


def test_one_picture_that_fails_leaves_the_others_alone(face: np.ndarray) -> None:
    class Picky(EmbeddedHost):
        def redraw(self, batch, watch):  # type: ignore[no-untyped-def]
            if any(size_of(item.pixels).width == 184 for item in batch.elements):
                raise HostError("planted")
            return super().redraw(batch, watch)

    recipe = recipe_of(only=["refine", "grade"])
    good, bad = run(Picky(), recipe, Work(face), Work(face[:, :180]))
    assert good.error == ""
    assert status(bad) == {**status(good), "refine": "failed"}
    assert "planted" in bad.error


def test_a_stage_that_raises_is_reported_and_the_picture_kept(host: EmbeddedHost, face: np.ndarray) -> None:
    def broken(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list:  # type: ignore[type-arg]
        raise ZeroDivisionError("planted")

    done = Pipeline(host, broken, recipe_of(only=["detail", "grade"])).run([Work(face)])[0]
    assert "ZeroDivisionError: planted" in done.error
    assert status(done)["grade"] == "ran"


def test_only_what_changed_is_run_again(host: EmbeddedHost, face: np.ndarray, tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    every = ["refine", "detail", "upscale", "texture", "grade"]
    first = run(host, recipe_of(only=every), Work(face), store=store)[0]
    again = run(host, recipe_of(only=every), Work(face), store=store)[0]
    assert {status(again)[name] for name in every} == {"reused"}
    assert np.array_equal(first.pixels, again.pixels)
    graded = run(host, recipe_of("grade.contrast=0.4", only=every), Work(face), store=store)[0]
    assert [status(graded)[name] for name in every] == ["reused"] * 4 + ["ran"]
    fresh = run(host, recipe_of("grade.contrast=0.4", only=every), Work(face))[0]
    assert np.array_equal(graded.pixels, fresh.pixels)
    other_seed = run(host, recipe_of(only=every), Work(face, Base(seed=9)), store=store)[0]
    assert status(other_seed)["refine"] == "ran"


def test_a_broken_store_only_costs_time(host: EmbeddedHost, face: np.ndarray, tmp_path: Path) -> None:
    recipe = recipe_of(only=["texture", "grade"])
    first = run(host, recipe, Work(face), store=ResultStore(tmp_path))[0]
    for file in tmp_path.rglob("*.npy"):
        file.write_bytes(file.read_bytes()[:100])
    again = run(host, recipe, Work(face), store=ResultStore(tmp_path))[0]
    assert status(again)["texture"] == "ran"
    assert np.array_equal(first.pixels, again.pixels)


def test_the_store_stays_within_its_limit(tmp_path: Path) -> None:
    store = ResultStore(tmp_path, limit=5000)
    for number in range(10):
        store.put(f"{number:040d}", np.zeros(1000, dtype=np.uint8), {"n": number})
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.npy")) <= 5000
    assert store.get(f"{9:040d}") is not None
    assert store.get(f"{0:040d}") is None
    assert not list(tmp_path.rglob("*.part"))


class Presser:
    """Presses Interrupt or Skip when a stage has sampled so much."""

    def __init__(self, press: str, stage: str, after: float = 0.0) -> None:
        self.control = Control()
        self.press, self.stage, self.after = press, stage, after
        self.running = ""
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, StageStarted):
            self.running = event.stage
            if self.stage == event.stage and self.after == 0:
                getattr(self.control, self.press)()
        elif isinstance(event, Progress) and self.running == self.stage and self.after:
            getattr(self.control, self.press)()
            self.after = 0


@pytest.mark.parametrize("after", [0.0, 0.001])
@pytest.mark.parametrize("stage", ["refine", "extend", "repair", "detail", "upscale", "texture"])
def test_interrupt_keeps_the_last_complete_stage(
    host: EmbeddedHost, face: np.ndarray, tmp_path: Path, stage: str, after: float
) -> None:
    mask = np.zeros((256, 256), dtype=np.float32)
    mask[20:60, 30:80] = 1
    settings = ("extend.left=16", "upscale.factor=1.5", "upscale.tile=128", "upscale.method=tiled")
    recipe = recipe_of(*settings, only=ORDER)
    presser = Presser("interrupt", stage, after)
    store = ResultStore(tmp_path)
    work = Work(face, mask=mask)
    stopped = run(host, recipe, work, store=store, listener=presser, control=presser.control)[0]
    if stage == "texture" and after:
        assert stopped.error == ""  # texture samples nothing, so there is no moment to press
        return
    assert "interrupted" in stopped.error or stage == "texture"
    only = ORDER[: ORDER.index(stage)]
    complete = run(host, recipe_of(*settings, only=only), work)[0]
    if stage != "texture":
        assert np.array_equal(stopped.pixels, complete.pixels), "the last complete stage, nothing half drawn"
    resumed = run(host, recipe, work, store=store)[0]
    whole = run(host, recipe, work)[0]
    assert np.array_equal(resumed.pixels, whole.pixels)
    assert [status(resumed)[name] for name in only] == ["reused"] * len(only)


@pytest.mark.parametrize("stage", ["refine", "detail", "upscale"])
def test_skip_leaves_out_one_stage(host: EmbeddedHost, face: np.ndarray, stage: str) -> None:
    every = ["refine", "detail", "upscale", "grade"]
    presser = Presser("skip", stage, 0.001)
    done = run(
        host, recipe_of("upscale.factor=1.5", only=every), Work(face), listener=presser, control=presser.control
    )[0]
    rest = [name for name in every if name != stage]
    assert status(done)[stage] == "skipped"
    assert done.error == ""
    assert np.array_equal(done.pixels, run(host, recipe_of("upscale.factor=1.5", only=rest), Work(face))[0].pixels)


def test_interrupt_from_another_thread(host: EmbeddedHost, portrait: np.ndarray) -> None:
    control = Control()
    timer = threading.Timer(0.5, control.interrupt)
    timer.start()
    done = run(
        host, recipe_of("upscale.steps=150", "upscale.factor=4", only=["upscale"]), Work(portrait), control=control
    )[0]
    assert done.interrupted_in == "upscale"
    assert np.array_equal(done.pixels, portrait)


def test_the_plan_is_what_the_run_takes(host: EmbeddedHost, face: np.ndarray) -> None:
    recipe = recipe_of("extend.left=64", only=["refine", "extend", "upscale", "grade"])
    plan = make_plan(Work(face), recipe, Tools(host, FIND, Onward()))
    done = run(host, recipe, Work(face))[0]
    for step, report in zip(plan.steps, done.reports):
        assert (step.stage, step.runs) == (report.stage, report.status == "ran")
        assert step.estimate.patches == report.cost.patches
        assert step.estimate.host_calls == report.cost.host_calls
        assert step.estimate.megapixel_steps == pytest.approx(report.cost.megapixel_steps)
    assert plan.size == size_of(done.pixels)


def test_events_tell_of_every_stage_and_progress_never_falls(host: EmbeddedHost, face: np.ndarray) -> None:
    events: list[Event] = []
    run(host, recipe_of(only=["refine", "upscale", "grade"]), Work(face), listener=events.append)
    assert [event.stage for event in events if isinstance(event, StageStarted)] == ["refine", "upscale", "grade"]
    assert [event.stage for event in events if isinstance(event, StageFinished)] == ORDER
    done = [event.done / event.total for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(1, 1), (3000, 1), (1, 3000), (7, 5), (90, 800)])
def test_any_size_goes_through(host: EmbeddedHost, gradient, shape: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    done = run(host, recipe_of(only=["refine", "detail", "upscale", "texture", "grade"]), Work(gradient(*shape)))[0]
    assert done.error == ""
    assert done.pixels.shape == (shape[0] * 2, shape[1] * 2, 3)


def test_too_large_a_target_is_refused_in_words(host: EmbeddedHost, gradient) -> None:  # type: ignore[no-untyped-def]
    done = run(host, recipe_of("upscale.factor=16", only=["upscale", "grade"]), Work(gradient(4, 1200)))[0]
    assert "at most 16384" in done.error
    assert replace(done.reports[4], seconds=0).status == "failed"
