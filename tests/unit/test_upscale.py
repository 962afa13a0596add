"""The upscale stage on the real engine: what it costs, how it chooses, and that tiles do not show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from bench import upscale as bench
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, Capabilities, Sampling, Watch
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.colour import to_lab
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.imaging.masks import smoothstep
from lib_finisher.imaging.resize import resize
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Patch, Request, everywhere
from lib_finisher.redraw.seams import mended
from lib_finisher.stages.frame import Look, tile_overlap, tiles
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.stages.upscale import Upscale
from tests.conftest import Onward
from tests.gradients import Gradients

FINDS = Detectors().detect
# At denoising strength 0.35; a little more noise than the engine takes away, so that it draws texture of its own.
DRAWN = {"denoising_strength": 0.35, "steps": 8, "noise_multiplier": 1.2, "upscaler": "Lanczos", "skip_flat": False}


def finished(host: EmbeddedHost, picture: Pixels, **one: Any) -> Finished:
    data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    data["upscale"] = {"enabled": True, "passes": [one]}
    done = Pipeline(host, FINDS, read_recipe(data)).run([Work(picture, Base(seed=5))])[0]
    assert done.error == ""
    return done


def test_a_checkpoint_that_is_not_there_leaves_what_the_passes_before_have_made(
    host: EmbeddedHost, portrait: np.ndarray
) -> None:
    first = {"factor": 1.5, "upscaler": "Lanczos", "method": "hires", "steps": 4}
    data: dict[str, Any] = {name: {"enabled": name == "upscale"} for name in NAMES}
    data["upscale"] = {"passes": [first, {**first, "checkpoint": "gone"}]}
    picture = np.ascontiguousarray(portrait[:128, :128])
    (done,) = Pipeline(host, FINDS, read_recipe(data)).run([Work(picture, Base(seed=5))])
    assert "pass 2: " in done.error and "gone" in done.error
    assert np.array_equal(done.pixels, finished(host, picture, **first).pixels)


def reason(done: Finished) -> str:
    return next(item.reason for item in done.reports if item.stage == "upscale")


# Cost


@pytest.mark.parametrize("case", bench.CASES, ids=lambda case: case.name)
def test_an_upscale_samples_less_than_ultimate_sd_upscale(case: bench.Case) -> None:
    ours = bench.compared(case, bench.planned(case))
    portrait = case.draft == Size(832, 1216)
    assert ours["of_usdu"][bench.NO_FIX] <= (0.70 if portrait else 1.06)
    assert ours["of_usdu"][bench.INTERSECTIONS] <= (0.35 if portrait else 0.50)
    assert ours["host_calls"] <= ours["usdu"][bench.NO_FIX]["host_calls"]


def test_the_other_side_is_reckoned_as_it_was_measured() -> None:
    """Ultimate SD Upscale on 2048×2048 at tile 512: 16 calls, 5.31 MP; bands 6 and 1.18 more; then 24 and 33 tiles."""
    other = bench.usdu(Size(2048, 2048), 512)
    calls = [item["host_calls"] for item in other.values()]
    assert calls == [16, 22, 40, 49]
    assert [round(item["sampled_megapixels"], 2) for item in other.values()] == [5.31, 6.49, 11.6, 13.96]
    assert bench.usdu(Size(2560, 1440), 1024)["none"]["sampled_megapixels"] == 7.102


def test_what_was_planned_is_what_runs_with_one_pass_over_the_canvas() -> None:
    case = bench.CASES[4]
    ran, plan = bench.counted(case), bench.planned(case)
    assert {name: ran[name] for name in plan} == plan
    # The copy of the picture that tiles are blended into; none for any tile.
    assert ran["full_canvas_passes"] == 1


def test_the_watch_over_passes_sees_them() -> None:
    watched = bench.Watched.over(np.zeros((40, 30, 3), dtype=np.float32))
    part = watched[:20]
    part += 1
    part.copy()
    assert watched.passes == []
    watched.copy()
    np.clip(watched * 2, 0, 1)
    watched.astype(np.float64).mean(axis=2)
    assert watched.passes == ["copy", "multiply", "clip", "astype", "add", "divide"]


# The choice of the method


class Roomy(EmbeddedHost):
    """An engine with another limit on what it takes at once."""

    def __init__(self, batch_pixels: int) -> None:
        super().__init__()
        self.room = batch_pixels

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, batch_pixels=self.room)


@pytest.mark.parametrize(
    ("host", "side", "one", "told"),
    [
        (EmbeddedHost(), 384, {}, "whole frame"),
        (EmbeddedHost(), 400, {}, "4 tiles of 432×432 (0.6 MP is over the 0.6 MP that this model draws in one piece)"),
        (Roomy(300_000), 300, {}, "(0.4 MP is over the 0.3 MP that this device is given at once)"),
        (Roomy(100_000), 250, {}, "whole frame"),
        (EmbeddedHost(), 128, {"tile": 128}, "6 tiles of 160×128"),
        (EmbeddedHost(), 128, {"columns": 3, "rows": 2}, "6 tiles of 128×160"),
        (EmbeddedHost(), 128, {"method": "tiled"}, "whole frame"),
        (EmbeddedHost(), 400, {"method": "hires"}, "whole frame"),
    ],
)
def test_auto_says_how_it_chose(host: EmbeddedHost, side: int, one: dict[str, Any], told: str, gradient: Any) -> None:
    done = finished(host, gradient(side, side), **one, steps=1, upscaler="Lanczos", skip_flat=False)
    assert told in reason(done)
    assert done.pixels.shape == (2 * side, 2 * side, 3)


def test_the_estimate_is_what_it_takes(host: EmbeddedHost, gradient: Any) -> None:
    one = {"target": "width and height", "width": 300, "height": 200, "aspect": "crop", "tile": 128, "steps": 2}
    work = Work(gradient(150, 150), Base(seed=5))
    data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    data["upscale"] = {"enabled": True, "passes": [one, {**one, "width": 260, "aspect": "pad"}]}
    recipe = read_recipe(data)
    expected = Upscale().estimate(work, work.size, recipe["upscale"], Tools(host, FINDS, Onward()))
    done = Pipeline(host, FINDS, recipe).run([work])[0]
    cost = next(item.cost for item in done.reports if item.stage == "upscale")
    assert size_of(done.pixels) == expected.size == Size(260, 200)
    assert cost.patches == expected.patches
    assert cost.megapixel_steps == pytest.approx(expected.megapixel_steps)


# Seams


def laid_out(picture: Pixels, overlap: int) -> list[Patch]:
    return tiles(size_of(picture), 256, overlap, Look(0.35), EmbeddedHost().capabilities)


def without_any_care(host: EmbeddedHost, picture: Pixels) -> tuple[Pixels, list[Box]]:
    """The control: tiles side by side, each drawn from noise of its own."""
    result, boxes = picture.copy(), []
    sampling = Sampling(0.35, DRAWN["steps"], noise_multiplier=DRAWN["noise_multiplier"])
    for number, patch in enumerate(laid_out(picture, 0)):
        alone = Request(picture, (patch,), sampling, NoiseField(number, "own"), ColourLock("tile"), together=True)
        drawn = redraw([alone], host, AreaBudget(host.capabilities), Onward())[0].picture
        part = slice(patch.box.top, patch.box.bottom), slice(patch.box.left, patch.box.right)
        result[part] = drawn[part]
        boxes.append(patch.box)
    return result, boxes


@pytest.mark.slow
@pytest.mark.parametrize("factor", [2, 4])
def test_no_seam_shows(host: EmbeddedHost, portrait: np.ndarray, factor: int) -> None:
    """Tiles against the same redraw in one piece, on the whole enlarged portrait: boundaries are as any other place."""
    tiled = finished(host, portrait, factor=float(factor), method="tiled", **DRAWN)
    whole = finished(host, portrait, factor=float(factor), method="hires", **DRAWN)
    assert "seams mended" not in reason(tiled)
    plain = np.clip(resize(portrait, Size(512 * factor, 512 * factor)), 0.0, 1.0)
    boxes = [patch.box for patch in tiles(size_of(plain), 512, tile_overlap(512, 0.35), Look(0.35), host.capabilities)]
    shown, unseen = Gradients(), Gradients()
    shown.add(tiled.pixels, boxes)
    unseen.add(whole.pixels, boxes)
    assert float(np.abs(tiled.pixels - plain).mean()) * 255 >= 4.0
    assert np.abs(shown.ratios() / unseen.ratios() - 1.0).max() <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "begin"), [(2, 230), (4, 760)])
def test_boundaries_are_like_what_lies_beside_them(
    host: EmbeddedHost, portrait: np.ndarray, factor: int, begin: int
) -> None:
    """The same against the plain enlarged picture. Its content, and the lattice of its interpolation, differ between
    any line and 12 pixels beside it; so the tiles are laid over it anew, 11 pixels on, until they have gone round."""
    enlarged = np.clip(resize(portrait, Size(512 * factor, 512 * factor)), 0.0, 1.0)
    plain, drawn, plain_control, control, change = Gradients(), Gradients(), Gradients(), Gradients(), []
    for number in range(22):
        at = begin + 11 * number
        picture = np.ascontiguousarray(enlarged[at : at + 512, at : at + 512])
        boxes = [patch.box for patch in laid_out(picture, tile_overlap(256, 0.35))]
        result = finished(host, picture, **DRAWN, tile=256, factor=1.0).pixels
        plain.add(picture, boxes)
        drawn.add(result, boxes)
        change.append(np.abs(result - picture).mean() * 255)
        if number % 4 == 0:
            bare, boxes = without_any_care(host, picture)
            plain_control.add(picture, boxes)
            control.add(bare, boxes)
    assert float(np.mean(change)) >= 4.0
    at_edges = drawn.ratios()[0] / plain.ratios()[0]
    assert at_edges == pytest.approx(1.0, abs=0.02)
    assert control.ratios()[0] / plain_control.ratios()[0] > 1.06, "the measure sees a seam where there is one"


class Tinting(EmbeddedHost):
    """Adds another tint to every tile, as a VAE or a checkpoint might."""

    def __init__(self) -> None:
        super().__init__()
        self.tints = np.random.default_rng(8)

    def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
        results = super().redraw(batch, watch)
        return [np.clip(one + self.tints.uniform(-0.08, 0.08, 3).astype(np.float32), 0, 1) for one in results]


@pytest.fixture(scope="module")
def calm(portrait: np.ndarray) -> np.ndarray:
    """Away from black and white, where a tint cannot show."""
    return portrait[40:296, 100:356] * np.float32(0.6) + np.float32(0.2)


def drift(picture: Pixels, reference: Pixels) -> np.ndarray:
    """The colour difference (ΔE 1976) without detail: after a blur of 32 pixels."""
    now, was = (to_lab(np.asarray(cv2.GaussianBlur(item, (0, 0), 32))) for item in (picture, reference))
    return np.linalg.norm(now - was, axis=-1)


def test_a_tint_of_every_tile_does_not_show(calm: np.ndarray) -> None:
    plain = np.clip(resize(calm, Size(1024, 1024)), 0.0, 1.0)
    one = {"factor": 4.0, "tile": 256, "denoising_strength": 0.35, "steps": 2, "upscaler": "Lanczos"}
    locked = drift(finished(Tinting(), calm, **one).pixels, plain)
    assert locked.mean() < 0.5
    assert locked.max() < 2.0
    # The control: without the lock the tints are there to be seen.
    free = drift(finished(Tinting(), calm, **one, colour_lock=0.0).pixels, plain)
    assert free.mean() > 1.0
    assert free.max() > 4.0


# The look at the borders afterwards


def steepest(change: Pixels) -> float:
    """The steepest step across columns of what was changed, without its noise, in levels of 255 a pixel."""
    smooth = cv2.GaussianBlur(change, (0, 0), 3, sigmaY=16)
    return float(np.abs(np.diff(smooth.mean(axis=-1), axis=1)).max()) * 255


def two_tiles(picture: Pixels, overlap: int, step: float) -> tuple[Pixels, list[Patch]]:
    """The picture with fine noise on it, its right tile brighter by `step`; and the two tiles."""
    height, width = picture.shape[:2]
    middle = width // 2
    boxes = [Box(0, 0, middle + overlap // 2, height), Box(middle - overlap // 2, 0, width, height)]
    across = smoothstep((np.arange(width) + 0.5 - boxes[1].left) / overlap).astype(np.float32)
    noise = np.random.default_rng(2).normal(0, 4 / 255, picture.shape).astype(np.float32)
    patches = [Patch(box, box.size, everywhere(box.size), 0.3) for box in boxes]
    return picture + noise + np.float32(step) * across[:, None], patches


def test_a_step_between_tiles_is_spread(calm: np.ndarray) -> None:
    after, patches = two_tiles(calm, 8, 10 / 255)
    before = steepest(after - calm)
    untouched = after.copy()
    after[100:140] = calm[100:140]
    untouched[100:140] = calm[100:140]
    assert mended(calm, after, patches) == (1, 1)
    assert steepest((after - calm)[:80]) < 0.5 * before
    assert np.array_equal(after[:, :88], untouched[:, :88]) and np.array_equal(after[:, 168:], untouched[:, 168:])
    assert np.array_equal(after[100:140], calm[100:140]), "what no tile has changed stays"


@pytest.mark.parametrize(("overlap", "step"), [(8, 0.0), (48, 0.0), (48, 3 / 255)])
def test_no_step_is_seen_where_there_is_none(calm: np.ndarray, overlap: int, step: float) -> None:
    after, patches = two_tiles(calm, overlap, step)
    as_it_was = after.copy()
    assert mended(calm, after, patches) == (0, 1)
    assert np.array_equal(after, as_it_was)


def test_the_stage_mends_seams_only_where_it_finds_them(calm: np.ndarray) -> None:
    one = {"factor": 2.0, "tile": 256, "overlap": 8, "denoising_strength": 0.35, "steps": 2, "upscaler": "Lanczos"}
    assert "seams" not in reason(finished(Tinting(), calm, **one))
    assert "seams" not in reason(finished(EmbeddedHost(), calm, **one, colour_lock=0.0))
    assert "seams mended at 2 of 2 borders" in reason(finished(Tinting(), calm, **one, colour_lock=0.0))
