"""Fine detail that a redraw or an upscaler smooths: when it comes back, where, and what the report says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lib_finisher.batch.report import stage_json
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, ModelFacts, UpscalerFacts, Watch
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Work
from lib_finisher.stages.texture import Texture
from lib_finisher.store.results import ResultStore

LEVEL = 1 / 255


class Smoothing(EmbeddedHost):
    """The real engine, whose redraws come out as plastic skin, and an upscaler that makes it."""

    def __init__(self, most: int = 8) -> None:
        super().__init__()
        self._capabilities = replace(super().capabilities, most_elements=most)

    @property
    def capabilities(self):  # type: ignore[no-untyped-def]
        return self._capabilities

    def model(self, checkpoint: str = "") -> ModelFacts:
        own = super().model()
        return replace(own, name=checkpoint) if checkpoint else own

    def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
        return [cv2.GaussianBlur(result, (0, 0), 1.2) for result in super().redraw(batch, watch)]

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        return (UpscalerFacts("2x-plastic", 2, "plastic"),)

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        smooth = cv2.GaussianBlur(pixels, (0, 0), 1.0)
        return np.clip(resize(smooth, size_of(smooth).scaled(2)), 0, 1)


def find(name: str, pixels: Pixels, confidence: float, search: object = None) -> list[Any]:
    return []


def run(picture: Pixels, recipe: dict[str, Any], host: EmbeddedHost | None = None, **more: Any) -> Finished:
    data = {name: {"enabled": name in recipe} for name in NAMES}
    for name, own in recipe.items():
        data[name] = {**data.get(name, {}), **own}
    if "texture" in recipe and set(recipe["texture"]) <= {"keep_detail", "where"}:
        data["texture"]["enabled"] = False
    made = read_recipe(data, family="embedded")
    return Pipeline(host or Smoothing(), more.pop("find", find), made, **more).run([Work(picture)])[0]


def report(done: Finished, stage: str) -> Any:
    return next(item for item in done.reports if item.stage == stage)


def off(one: Pixels, other: Pixels) -> float:
    return float(np.sqrt(np.square(one - other).mean())) / LEVEL


@pytest.fixture(scope="module")
def face(portrait: Pixels) -> Pixels:
    return np.ascontiguousarray(portrait[0:256, 120:376])


def test_what_a_redraw_smooths_comes_back_by_the_strength_and_is_reported(face: Pixels) -> None:
    done = [run(face, {"refine": {}, "texture": {"keep_detail": strength}}) for strength in (0.0, 0.5, 1.0)]
    errors = [off(face, one.pixels) for one in done]
    assert errors[2] < 0.7 * errors[0] and errors[1] < errors[0]
    qualities = [report(one, "refine").quality for one in done]
    assert qualities[0].brought_back == 0.0
    assert 0.0 < qualities[1].brought_back < qualities[2].brought_back
    gained = qualities[2].detail_kept - qualities[0].detail_kept
    assert gained > 0.1
    assert stage_json(report(done[2], "refine"))["quality"]["brought_back"] == pytest.approx(
        qualities[2].brought_back, abs=1e-4
    )
    assert "brought back" in qualities[2].told and "brought back" not in qualities[0].told


def test_tiles_and_batches_of_any_size_bring_back_the_same_bits(face: Pixels) -> None:
    passes = [{"factor": 1.5, "method": "tiled", "tile": 128, "denoising_strength": 0.15}]
    recipe = {"upscale": {"passes": passes}, "texture": {"keep_detail": 1.0}}
    pictures = [run(face, recipe, Smoothing(most)).pixels for most in (1, 8)]
    assert np.array_equal(*pictures)


def test_what_an_upscaler_model_smooths_comes_back(face: Pixels) -> None:
    small = cv2.resize(face, (128, 128), interpolation=cv2.INTER_AREA)
    only = {"passes": [{"factor": 2, "method": "upscaler only", "upscaler_blend": 1.0}]}
    done = [run(small, {"upscale": only, "texture": {"keep_detail": value}}) for value in (0.0, 1.0)]
    assert off(face, done[1].pixels) < 0.97 * off(face, done[0].pixels)
    qualities = [report(one, "upscale").quality for one in done]
    assert qualities[1].detail_kept > qualities[0].detail_kept + 0.1
    assert qualities[1].brought_back > 0.1
    lanczos = {"passes": [{"factor": 2, "method": "upscaler only", "upscaler": "Lanczos"}]}
    plain = [run(small, {"upscale": lanczos, "texture": {"keep_detail": value}}).pixels for value in (0.0, 1.0)]
    assert np.array_equal(*plain)


@pytest.mark.parametrize(
    ("stage", "own", "comes_back"),
    [
        ("refine", {"denoising_strength": 0.3}, True),
        ("refine", {"denoising_strength": 0.31}, False),
        ("refine", {"checkpoint": "another"}, False),
        ("refine", {"prompt": "in oil"}, True),
        ("repair", {"denoising_strength": 0.3, "content": "original"}, True),
        ("repair", {"denoising_strength": 0.3, "content": "fill"}, False),
        ("extend", {"right": 32}, False),
        ("texture", {"strength": 0, "passes": [{"active": True}]}, True),
    ],
)
def test_where_a_change_was_asked_for_nothing_comes_back(
    face: Pixels, stage: str, own: dict[str, Any], comes_back: bool
) -> None:
    mask = np.zeros(face.shape[:2], np.float32)
    mask[60:180, 60:180] = 1.0
    pictures = []
    for strength in (0.0, 1.0):
        recipe: dict[str, Any] = {stage: own}
        recipe["texture"] = {**recipe.get("texture", {}), "keep_detail": strength}
        data = {name: {"enabled": name == stage} for name in NAMES}
        for name, settings in recipe.items():
            data[name] = {**data[name], **settings}
        pipeline = Pipeline(Smoothing(), find, read_recipe(data, family="embedded"))
        done = pipeline.run([Work(face, mask=mask if stage == "repair" else None)])[0]
        assert not done.error
        pictures.append(done.pixels)
    assert np.array_equal(*pictures) is not comes_back


def test_only_skin_gets_its_detail_back_where_that_is_asked_for(portrait: Pixels) -> None:
    from lib_finisher.detect.catalogue import Detectors

    finders = Detectors().detect
    picture = np.ascontiguousarray(portrait[0:320, 60:380])
    done = {
        where: run(picture, {"refine": {}, "texture": {"keep_detail": 1.0, "where": where}}, find=finders).pixels
        for where in ("everywhere", "skin")
    }
    without = run(picture, {"refine": {}, "texture": {"keep_detail": 0.0}}).pixels
    changed = {where: np.abs(pixels - without).max(axis=2) > 0 for where, pixels in done.items()}
    assert 0.02 < changed["skin"].mean() < 0.5 < changed["everywhere"].mean()
    # The middle of the face is skin, the backdrop in the corner is none.
    assert not changed["skin"][:40, -40:].any()


def test_a_stored_result_knows_how_much_was_kept_and_what_that_was(face: Pixels, tmp_path: Path) -> None:
    store = ResultStore(tmp_path, 1 << 30)

    def statuses(**texture: Any) -> list[tuple[str, Any]]:
        done = run(face, {"refine": {}, "grade": {"grain": 0}, "texture": texture}, store=store)
        return [(report(done, name).status, report(done, name).quality) for name in ("refine", "grade")]

    first = statuses(keep_detail=1.0)
    assert [status for status, _ in first] == ["ran", "ran"]
    again = statuses(keep_detail=1.0)
    assert [status for status, _ in again] == ["reused", "reused"]
    assert again[0][1] == first[0][1] and first[0][1] is not None
    assert statuses(keep_detail=0.5)[0][0] == "ran"
    assert statuses(keep_detail=1.0, where="skin")[0][0] == "ran"
    # Off is off, wherever.
    assert statuses(keep_detail=0.0)[0][0] == "ran"
    assert statuses(keep_detail=0.0, where="skin")[0][0] == "reused"


@pytest.mark.parametrize(
    ("value", "reason"), [(np.nan, "not numbers"), (0.0, "a black picture"), (0.5, "a flat picture")]
)
def test_a_stage_that_makes_no_picture_is_taken_back(
    face: Pixels, value: float, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(self: Texture, settings: Any, places: Any, output: Any, *_: Any) -> None:
        output.pixels = np.full_like(output.pixels, value)

    monkeypatch.setattr(Texture, "_mapped", spoil)
    done = run(face, {"texture": {"strength": 0.4}})
    told = report(done, "texture")
    assert told.status == "failed" and reason in told.reason and told.quality is None
    assert np.array_equal(done.pixels, run(face, {}).pixels)
