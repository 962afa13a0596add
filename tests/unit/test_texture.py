"""The texture stage: the lift as it was, a model's skin grain, redraws; all of it on a mask, and nothing beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench.texture import SHARP, energy, sharpener, skin_in, smoothed, texture_only
from lib_finisher.controls import read
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.search import Search
from lib_finisher.events import Control, Event, Progress
from lib_finisher.finished import Finished, StageReport
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, HostError, OutOfMemory, UpscalerFacts, Watch
from lib_finisher.imaging.arrays import Mask, Pixels, from_uint16, to_uint16
from lib_finisher.imaging.colour import low_frequencies
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.texture import blend_detail, lift_detail
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.recipe import read_recipe
from lib_finisher.stages import texture_model
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.stages.texture import Texture
from lib_finisher.stages.texture_model import grained
from lib_finisher.stages.texture_settings import TextureSettings
from lib_finisher.store.results import ResultStore
from tests.conftest import Onward, weights

FIND = Detectors().detect
REDRAW = {"active": True, "steps": 4, "denoising_strength": 0.2}


def finished(host: EmbeddedHost, picture: Pixels, store: ResultStore | None = None, **texture: Any) -> Finished:
    return Pipeline(host, FIND, texture_only(**texture), store=store).run([Work(picture)])[0]


def report_of(done: Finished) -> StageReport:
    return next(item for item in done.reports if item.stage == "texture")


@pytest.fixture(scope="module")
def sharp_host(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedHost:
    pytest.importorskip("torch", reason="upscaler models need torch, installed for the newest Python only")
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    folder = tmp_path_factory.mktemp("models")
    sharpener(folder / f"{SHARP}.pth", 4.0)
    return EmbeddedHost(folder)


@pytest.fixture(scope="module")
def original(portrait: np.ndarray) -> Pixels:
    return np.ascontiguousarray(portrait[0:256, 96:352])


@pytest.fixture(scope="module")
def skin(original: Pixels) -> Mask:
    """The skin of the unsmoothed picture."""
    mask = skin_in(original)
    assert 0.05 < float(mask.mean()) < 0.2
    return mask


@pytest.fixture(scope="module")
def smooth(original: Pixels, skin: Mask) -> Pixels:
    """The face as a model without pores draws it."""
    return smoothed(original, skin)


def unchanged(done: Pixels, before: Pixels, mask: Mask) -> bool:
    outside = mask == 0
    assert float(outside.mean()) > 0.5
    return np.array_equal(done[outside], before[outside])


@pytest.mark.parametrize("blend", [0.25, 0.5])
def test_a_real_model_gives_smoothed_skin_its_grain_back(
    sharp_host: EmbeddedHost, original: Pixels, smooth: Pixels, skin: Mask, blend: float
) -> None:
    done = finished(sharp_host, smooth, where="skin", upscaler=SHARP, model_blend=blend, strength=0)
    inside = skin > 0.9
    was, before, now = (energy(picture, inside) for picture in (original, smooth, done.pixels))
    assert before < 0.5 * was
    assert before + (0.3 if blend > 0.3 else 0.15) * was < now < 1.05 * was
    assert unchanged(done.pixels, smooth, skin_in(smooth))
    assert f"detail by {SHARP} ({blend:.0%}) on skin of 1 face" in report_of(done).reason
    # Colours and tones stay: what is left of the picture at a sixteenth of its size.
    drift = np.abs(low_frequencies(done.pixels) - low_frequencies(smooth)) * 255
    assert float(drift.max()) < 1.5 * blend


@pytest.mark.parametrize("strength", [4.0, -0.8])
def test_a_model_that_smooths_is_told(tmp_path: Path, original: Pixels, strength: float) -> None:
    pytest.importorskip("torch", reason="upscaler models need torch, installed for the newest Python only")
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    sharpener(tmp_path / f"{SHARP}.pth", strength)
    for where, blend in (("skin", 0.5), ("everywhere", 1.0)):
        done = finished(EmbeddedHost(tmp_path), original, where=where, upscaler=SHARP, model_blend=blend, strength=0)
        told = [note for note in report_of(done).notes if f"{SHARP} smooths here instead of adding" in note]
        assert len(told) == (1 if strength < 0 else 0)


def test_without_blend_or_with_another_mask_the_skin_gets_nothing(
    sharp_host: EmbeddedHost, smooth: Pixels, skin: Mask
) -> None:
    """What must not raise the energy does not: else the measurement would say nothing."""
    inside = skin > 0.9
    none = finished(sharp_host, smooth, where="skin", upscaler=SHARP, model_blend=0, strength=0)
    assert np.array_equal(none.pixels, smooth)
    tools = Tools(sharp_host, FIND, Onward())
    elsewhere = (skin_in(smooth) == 0).astype(np.float32)
    other = grained(smooth, SHARP, 0.5, elsewhere, tools, []).pixels
    assert np.array_equal(other[elsewhere == 0], smooth[elsewhere == 0])
    # As far from what was changed as the measurement reaches.
    deep = cv2.erode((inside & (elsewhere == 0)).astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
    assert deep.any()
    assert energy(other, deep) == pytest.approx(energy(smooth, deep), rel=1e-3)
    assert not unchanged(other, smooth, skin)


def test_the_lift_raises_the_energy_of_skin_and_of_nothing_else(
    host: EmbeddedHost, original: Pixels, smooth: Pixels, skin: Mask
) -> None:
    inside = skin > 0.9
    energies = []
    for strength in (0.0, 0.4, 1.0, 2.0):
        done = finished(host, smooth, where="skin", strength=strength)
        energies.append(energy(done.pixels, inside))
        assert unchanged(done.pixels, smooth, skin_in(smooth))
    assert energies == sorted(energies)
    assert energies[3] > 1.4 * energies[0]
    assert energies[3] < energy(original, inside)


def test_a_recipe_of_before_has_the_result_of_before(host: EmbeddedHost, original: Pixels) -> None:
    for texture in ({}, {"strength": 1.0}, {"strength": 0.7, "radius": 4.0}):
        done = finished(host, original, **texture)
        lifted = lift_detail(original, texture.get("strength", 0.4), texture.get("radius", 2.0))
        assert np.array_equal(done.pixels, from_uint16(to_uint16(lifted)))
        assert "lifted by" in report_of(done).reason
    assert report_of(finished(host, original, strength=0)).status == "skipped"


@pytest.mark.parametrize("where", ["skin", "faces"])
def test_the_lift_on_a_part_is_that_of_the_whole_there(host: EmbeddedHost, original: Pixels, where: str) -> None:
    done = finished(host, original, where=where, strength=1.0).pixels
    mask = skin_in(original, where)
    whole = lift_detail(original, 1.0, 2.0)
    assert float(np.abs(done - whole)[mask == 1].max()) < 2 / 65535
    assert unchanged(done, original, mask)


class Modelled(EmbeddedHost):
    """The embedded engine with models of our own in place of files."""

    def __init__(self, *facts: UpscalerFacts, error: Exception | None = None) -> None:
        super().__init__()
        self.facts, self.error = facts, error
        self.given: list[Size] = []

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        return self.facts

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        if self.error is not None:
            raise self.error
        self.given.append(size_of(pixels))
        scale = next(item.scale for item in self.facts if item.name == name)
        enlarged = resize(pixels, size_of(pixels).scaled(scale)) if scale > 1 else pixels
        return np.clip(enlarged + 2 * (enlarged - cv2.GaussianBlur(enlarged, (0, 0), scale)), 0, 1)


def facts(name: str, scale: int = 1) -> UpscalerFacts:
    return UpscalerFacts(name, scale, name)


def test_only_the_part_around_the_mask_goes_through_the_model(portrait: np.ndarray) -> None:
    host = Modelled(facts(SHARP))
    done = finished(host, portrait, where="faces", upscaler=SHARP, strength=0)
    assert report_of(done).status == "ran"
    (given,) = host.given
    assert given.area < 0.35 * size_of(portrait).area
    everywhere = finished(host, portrait, upscaler=SHARP, strength=0)
    assert host.given[1] == size_of(portrait)
    assert "on " not in report_of(everywhere).reason


@pytest.mark.parametrize("scale", [2, 4])
def test_a_model_that_enlarges_comes_back_in_strips_or_whole(
    original: Pixels, monkeypatch: pytest.MonkeyPatch, scale: int
) -> None:
    name = f"{scale}x-Sharp"
    host, tools = Modelled(facts(name, scale)), None
    tools = Tools(host, FIND, Onward())
    whole = grained(original, name, 0.5, None, tools, [])
    assert whole.how == f"{name} (50%, {scale}x and back)"
    assert whole.pixels.shape == original.shape
    everywhere = np.ones(original.shape[:2], dtype=bool)
    assert energy(whole.pixels, everywhere) > 1.1 * energy(original, everywhere)
    monkeypatch.setattr(texture_model, "_STRIP_PIXELS", 256 * scale**2 * 50)
    strips = grained(original, name, 0.5, None, tools, [])
    assert len(host.given) == 1 + 6
    assert float(np.abs(strips.pixels - whole.pixels).max()) * 255 < 0.01


def test_auto_takes_a_model_that_keeps_the_size_best_one_for_skin(original: Pixels) -> None:
    notes: list[str] = []
    three = Modelled(facts("4x-Skin", 4), facts("1x-DeJPG"), facts("1x-ITF-SkinDiffDetail-Lite-v1"))
    made = grained(original, "auto", 0.25, None, Tools(three, FIND, Onward()), notes)
    assert made.how == "1x-ITF-SkinDiffDetail-Lite-v1 (25%)"
    assert (made.degraded, notes) == (False, [])
    made = grained(original, "auto", 0.25, None, Tools(Modelled(facts("4x", 4)), FIND, Onward()), notes)
    assert made.degraded and "no 1x model" in notes[0]


@pytest.mark.parametrize("error", [None, HostError("broken file"), OutOfMemory("too large")])
def test_a_model_that_is_missing_or_fails_is_said_and_the_lift_goes_on(
    original: Pixels, tmp_path: Path, error: Exception | None
) -> None:
    host = Modelled(facts("1x-There"), error=error)
    wanted = "1x-There" if error else "1x-Missing"
    store = ResultStore(tmp_path)
    done = finished(host, original, store, upscaler=wanted)
    report = report_of(done)
    assert (report.status, done.error) == ("ran", "")
    assert wanted in report.notes[0] and ("1x-There" in report.notes[0])
    assert np.array_equal(done.pixels, finished(EmbeddedHost(), original).pixels)
    again = finished(host, original, store, upscaler=wanted)
    assert report_of(again).status == "ran", "what is degraded is not kept"


def test_a_redraw_changes_nothing_beyond_the_mask(host: EmbeddedHost, original: Pixels) -> None:
    mask = skin_in(original)
    for one in (REDRAW, {**REDRAW, "tile": 128}, {**REDRAW, "columns": 3, "rows": 2}):
        done = finished(host, original, where="skin", strength=0, passes=[one])
        assert report_of(done).status == "ran"
        assert unchanged(done.pixels, original, mask)
        assert float(np.abs(done.pixels - original)[mask > 0.9].mean()) * 255 > 0.5


def test_a_soft_edge_counts_once(host: EmbeddedHost, original: Pixels) -> None:
    """Where the mask is a half, half of what the unlimited redraw changes."""
    mask = skin_in(original, "faces")
    limited = finished(host, original, where="faces", strength=0, passes=[{**REDRAW, "colour_lock": 0}]).pixels
    inside = mask > 0.99
    soft = (mask > 0.3) & (mask < 0.7)
    change = np.abs(limited - original).mean(axis=-1)
    share = float(change[soft].mean() / change[inside].mean())
    assert 0.3 < share < 1.0


def test_the_pass_may_have_a_region_of_its_own(host: EmbeddedHost, original: Pixels) -> None:
    done = finished(host, original, where="everywhere", strength=0, passes=[{**REDRAW, "region": "faces"}])
    assert "on 1 face" in report_of(done).reason
    assert unchanged(done.pixels, original, skin_in(original, "faces"))
    everywhere = finished(host, original, where="faces", strength=0, passes=[{**REDRAW, "region": "everywhere"}])
    assert float((everywhere.pixels != original).any(axis=-1).mean()) > 0.9


def test_tiles_that_touch_no_skin_are_not_sampled_and_the_plan_knows(host: EmbeddedHost, portrait: np.ndarray) -> None:
    tools = Tools(host, FIND, Onward())
    costs = {}
    for where in ("everywhere", "skin"):
        recipe = texture_only(where=where, strength=0, passes=[{**REDRAW, "tile": 128}])
        done = Pipeline(host, FIND, recipe).run([Work(portrait)])[0]
        step = next(item for item in make_plan(Work(portrait), recipe, tools).steps if item.stage == "texture")
        cost = report_of(done).cost
        assert (step.estimate.patches, step.estimate.host_calls) == (cost.patches, cost.host_calls)
        assert step.estimate.megapixel_steps == pytest.approx(cost.megapixel_steps)
        costs[where] = cost.patches
    assert costs["skin"] < 0.5 * costs["everywhere"]
    assert f"{costs['skin']} of {costs['everywhere']} patches are on skin of 1 face" in step.reason
    larger = Texture().estimate(Work(portrait), Size(1024, 1024), recipe["texture"], tools)
    assert costs["skin"] < larger.patches < 4 * costs["everywhere"]


def test_flat_tiles_are_left_alone_only_where_the_whole_picture_is_meant(
    host: EmbeddedHost, portrait: np.ndarray
) -> None:
    picture = portrait.copy()
    picture[:, 256:] = 0.5
    one = {**REDRAW, "columns": 4, "rows": 2}
    report = report_of(finished(host, picture, strength=0, passes=[one]))
    assert "flat tiles left alone, which saves" in report.reason
    assert report.cost.patches < 8
    assert report_of(finished(host, picture, strength=0, passes=[{**one, "skip_flat": False}])).cost.patches == 8
    smooth_skin = np.clip(cv2.GaussianBlur(portrait, (0, 0), 6.0), 0, 1)
    faces = finished(host, smooth_skin, where="faces", strength=0, passes=[{**one, "tile": 64, "columns": 0}])
    assert "left alone" not in report_of(faces).reason


def test_nothing_is_asked_that_is_not_needed(host: EmbeddedHost, original: Pixels) -> None:
    asked: list[str] = []

    def find(name: str, *more: Any, **named: Any) -> list[Any]:
        asked.append(name)
        return FIND(name, *more, **named)

    Pipeline(host, find, texture_only(strength=1)).run([Work(original)])
    assert asked == []
    passes = [{**REDRAW, "tile": 128}, REDRAW]
    Pipeline(host, find, texture_only(where="skin", upscaler="x", passes=passes), keep_stages=True).run(
        [Work(original)]
    )
    # The plan for the progress bar asks as well; the stage itself asks once for all it does.
    assert set(asked) == {"face_yunet"} and len(asked) <= 2


@pytest.mark.parametrize(
    ("texture", "samples", "upscalers", "detectors"),
    [
        ({}, False, False, []),
        ({"where": "skin"}, False, False, ["face_yunet"]),
        ({"where": "skin", "strength": 0}, False, False, []),
        ({"where": "skin", "strength": 0, "upscaler": "x", "detector": "a,b"}, False, True, ["face_yunet", "a", "b"]),
        ({"where": "persons", "detector": "a"}, False, False, ["a"]),
        ({"upscaler": "x", "model_blend": 0}, False, False, []),
        ({"passes": [{}]}, False, False, []),
        ({"passes": [{"active": True}]}, True, False, []),
        ({"passes": [{"active": True, "denoising_strength": 0}]}, False, False, []),
        ({"passes": [{}, {"active": True, "region": "faces"}]}, True, False, ["face_yunet"]),
    ],
)
def test_what_the_result_depends_on(
    texture: dict[str, Any], samples: bool, upscalers: bool, detectors: Sequence[str]
) -> None:
    reads = Texture().reads(read(TextureSettings, texture, where="texture"))
    assert (reads.samples, reads.upscalers) == (samples, upscalers)
    assert [name for name, _ in reads.detectors] == list(detectors)


def test_no_face_is_said(host: EmbeddedHost, portrait: np.ndarray) -> None:
    suit = np.ascontiguousarray(portrait[300:480, 20:200])
    report = report_of(finished(host, suit, where="faces"))
    assert (report.status, report.reason) == ("skipped", "no grain and no lift: 0 faces found")
    done = finished(host, suit, where="skin")
    assert any("no face was found" in note for note in report_of(done).notes)
    nothing = report_of(finished(host, suit, where="faces", strength=0, passes=[REDRAW]))
    assert (nothing.status, nothing.reason) == ("skipped", "nothing to redraw: 0 faces found")


def test_redraws_come_first_then_the_model_then_the_lift(original: Pixels) -> None:
    host = Modelled(facts(SHARP))
    texture = {"upscaler": SHARP, "strength": 1.0, "passes": [REDRAW, {**REDRAW, "tile": 128}]}
    done = finished(host, original, **texture)
    told = report_of(done).reason.split("; ")
    assert [text.split()[0] for text in told] == ["redrawn,", "redrawn,", "detail", "detail"]
    assert "lifted" in told[3]
    redrawn = finished(host, original, strength=0, passes=texture["passes"]).pixels
    tools = Tools(host, FIND, Onward())
    expected = lift_detail(grained(redrawn, SHARP, 0.25, None, tools, []).pixels, 1.0, 2.0)
    # Between stages pictures are rounded to 16 bits.
    assert float(np.abs(done.pixels - expected).max()) < 1e-3


def test_seams_of_tiles_do_not_show(host: EmbeddedHost, portrait: np.ndarray) -> None:
    """Levels on both sides of every border of tiles, against the same redraw in one piece."""
    one = {**REDRAW, "steps": 6, "denoising_strength": 0.3}
    whole = finished(host, portrait, strength=0, passes=[one]).pixels
    tiled = finished(host, portrait, strength=0, passes=[{**one, "tile": 192}]).pixels
    assert float(np.abs(low_frequencies(tiled) - low_frequencies(whole)).max()) * 255 < 1.5


def test_a_redraw_does_not_depend_on_the_batch(portrait: np.ndarray) -> None:
    texture = {"where": "skin", "strength": 0, "passes": [{**REDRAW, "tile": 128}]}
    together = Pipeline(EmbeddedHost(), FIND, texture_only(**texture))
    first, second = together.run([Work(portrait, Base(seed=3)), Work(np.ascontiguousarray(portrait[:, ::-1]))])
    alone = Pipeline(EmbeddedHost(), FIND, texture_only(**texture)).run([Work(portrait, Base(seed=3))])[0]
    assert np.array_equal(first.pixels, alone.pixels)
    assert report_of(second).status == "ran"


def test_a_stopped_or_failed_redraw_leaves_the_picture_as_it_was(original: Pixels) -> None:
    class Failing(EmbeddedHost):
        def redraw(self, batch: Any, watch: Any) -> Any:
            raise HostError("planted")

    texture = {"strength": 1.0, "passes": [{**REDRAW, "tile": 128}]}
    failed = finished(Failing(), original, **texture)
    assert report_of(failed).status == "failed"
    assert "planted" in failed.error
    assert np.array_equal(failed.pixels, original)
    control = Control()

    def press(event: Event) -> None:
        if isinstance(event, Progress):
            control.interrupt()

    stopped = Pipeline(EmbeddedHost(), FIND, texture_only(**texture), listener=press, control=control).run(
        [Work(original)]
    )[0]
    assert "interrupted" in stopped.error
    assert np.array_equal(stopped.pixels, original)


def test_a_users_mask_limits_all_of_it(original: Pixels) -> None:
    recipe = read_recipe({
        **{name: {"enabled": False} for name in NAMES if name != "texture"}, "base": {"mask": "restrict"},
        "texture": {"upscaler": SHARP, "strength": 1.0, "passes": [REDRAW]},
    })  # fmt: skip
    mask = np.zeros(original.shape[:2], dtype=np.float32)
    mask[60:160, 60:180] = 1
    done = Pipeline(Modelled(facts(SHARP)), FIND, recipe).run([Work(original, mask=mask)])[0]
    assert report_of(done).status == "ran"
    assert np.array_equal(done.pixels[mask == 0], original[mask == 0])
    assert float((done.pixels != original)[mask == 1].mean()) > 0.9


def test_the_same_again_comes_from_the_store_and_another_detector_does_not(
    host: EmbeddedHost, original: Pixels, tmp_path: Path
) -> None:
    store = ResultStore(tmp_path)
    texture = {"where": "skin", "passes": [REDRAW]}
    first = finished(host, original, store, **texture)
    again = finished(host, original, store, **texture)
    assert report_of(again).status == "reused"
    assert np.array_equal(first.pixels, again.pixels)
    version = ["1"]
    named = lambda: Pipeline(host, FIND, texture_only(**texture), store=store, identify=lambda *_: version[0])
    assert report_of(named().run([Work(original)])[0]).status == "ran"
    assert report_of(named().run([Work(original)])[0]).status == "reused"
    version[0] = "2"
    assert report_of(named().run([Work(original)])[0]).status == "ran"


def test_a_real_enlarging_model_serves_too(original: Pixels) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    host = EmbeddedHost(weights("RealESR_Gx4.pth").parent)
    notes: list[str] = []
    part = np.ascontiguousarray(original[60:156, 80:176])
    made = grained(part, "RealESR_Gx4", 1.0, None, Tools(host, FIND, Onward()), notes)
    assert (made.how, made.degraded) == ("RealESR_Gx4 (100%, 4x and back)", False)
    # It makes skin calmer than it is, which is told.
    assert len(notes) == 1 and notes[0].startswith("RealESR_Gx4 smooths here")
    drift = np.abs(low_frequencies(made.pixels) - low_frequencies(part)) * 255
    assert float(drift.max()) < 1.5
    assert not np.array_equal(made.pixels, part)
    assert np.array_equal(blend_detail(part, made.pixels, 0.0), part)


def test_what_was_made_without_its_detector_is_not_kept(host: EmbeddedHost, original: Pixels, tmp_path: Path) -> None:
    failures = [DetectorError("the package is missing")]

    def find(name: str, pixels: Pixels, confidence: float, search: Search) -> list[Detection]:
        if name == "person" and failures:
            raise failures.pop()
        return FIND("face_yunet", pixels, confidence, search) if name == "face_yunet" else []

    recipe = texture_only(where="skin", detector="person", strength=0.5)
    first, second, third = (
        report_of(Pipeline(host, find, recipe, store=ResultStore(tmp_path)).run([Work(original)])[0]) for _ in range(3)
    )
    assert any("the package is missing" in note for note in first.notes)
    assert (first.status, second.status, third.status) == ("ran", "ran", "reused")
    assert not any("the package is missing" in note for note in third.notes)


def test_a_checkpoint_that_is_not_there_ends_the_stage_with_its_cost(host: EmbeddedHost, original: Pixels) -> None:
    passes = [REDRAW, {**REDRAW, "checkpoint": "gone"}]
    report = report_of(finished(host, original, passes=passes, where="everywhere"))
    assert report.status == "failed" and "gone" in report.reason and report.cost.patches >= 1
