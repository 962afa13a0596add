"""Seamless textures and panoramas stay so in every stage; without that setting nothing changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.inputs import Source
from lib_finisher.batch.saving import Saving
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection
from lib_finisher.events import Control
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, Sampling
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.imaging.grain import Grain
from lib_finisher.imaging.wrap import Around, margins_for
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.noise import FieldCrop, NoiseField
from lib_finisher.stages.regions import Region, moved
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work

STEPS = {"steps": 3, "denoising_strength": 0.4}
UPSCALE = {**STEPS, "upscaler": "Lanczos", "factor": 1.5}
STAGES: dict[str, dict[str, Any]] = {
    "refine": STEPS,
    "repair": {**STEPS, "area": "whole picture"},
    "upscale": {"passes": [UPSCALE]},
    "texture": {"strength": 1.5},
    "grade": {"sharpening": 1.5, "sharpening_radius": 2.0, "local_contrast": 0.6, "grain": 0.4, "grain_size": 3.0},
}
TILES = {"upscale": {"passes": [{**UPSCALE, "tile": 128, "method": "tiled"}]}}


def seamless(height: int = 144, width: int = 160, seed: int = 1) -> Pixels:
    """Noise whose spectrum falls: it repeats in both directions, since it is made of whole waves."""
    rng = np.random.default_rng(seed)
    waves = np.fft.fft2(rng.normal(0, 1, (height, width, 3)), axes=(0, 1))
    down, across = np.fft.fftfreq(height)[:, None, None], np.fft.fftfreq(width)[None, :, None]
    made = np.real(np.fft.ifft2(waves / (1 + (np.hypot(across, down) * 40) ** 1.5), axes=(0, 1)))
    return np.clip(0.5 + 0.14 * made / made.std(), 0, 1).astype(np.float32)


def steps(pixels: Pixels) -> tuple[float, float]:
    """The mean step over the border (left to right, top to bottom) over that between neighbours within 12 pixels."""
    across = np.abs(pixels[:, 0] - pixels[:, -1]).mean() / _near(pixels)
    down = np.abs(pixels[0] - pixels[-1]).mean() / _near(pixels.swapaxes(0, 1))
    return float(across), float(down)


def _near(pixels: Pixels) -> float:
    return float(np.abs(np.diff(np.concatenate([pixels[:, -12:], pixels[:, :12]], axis=1), axis=1)).mean())


def finished(pixels: Pixels, wrap: str, tiling: bool = False, mask: Mask | None = None, **stages: Any) -> Pixels:
    data = {name: {"enabled": False} for name in NAMES} | {
        name: {"enabled": True, **one} for name, one in stages.items()
    }
    recipe = read_recipe({"version": 2, "base": {"wrap": wrap}, **data})
    mask = np.ones(pixels.shape[:2], np.float32) if mask is None and "repair" in stages else mask
    work = Work(pixels, Base(seed=3, tiling=tiling), mask)
    (done,) = Pipeline(EmbeddedHost(), lambda *_: [], recipe).run([work])
    assert [item.status for item in done.reports if item.stage in stages] == ["ran"] * len(stages)
    return done.pixels


def test_a_picture_is_carried_on_as_tiles_laid_side_by_side() -> None:
    picture = seamless(40, 56)
    around = Around(Size(56, 40), 70, 9)
    tiled = np.tile(picture, (3, 5, 1))
    assert np.array_equal(around.carried_on(picture), tiled[40 - 9 : 80 + 9, 112 - 70 : 168 + 70])
    assert np.array_equal(around.inner(around.carried_on(picture)), picture)
    assert np.array_equal(around.folded(around.carried_on(picture)), picture)
    changed = around.carried_on(picture)
    # Beyond the right and the upper border: the other sides are meant.
    changed[3, 70 + 56 + 5] = 1.0
    expected = picture.copy()
    expected[3 - 9, 5] = 1.0
    assert np.allclose(around.changed(picture, changed), expected)


def test_what_was_made_twice_is_faded_into_one() -> None:
    """A slope all over the margins, made differently at both sides: the border is as smooth as anything else."""
    around = Around(Size(96, 80), 64, 64)
    down, across = np.mgrid[: 80 + 128, : 96 + 128].astype(np.float32)
    made = around.folded(np.repeat((down + 2 * across)[..., None], 3, axis=-1))
    assert made.shape == (80, 96, 3)
    assert np.abs(made[:, 0] - made[:, -1]).max() < 4
    assert np.abs(made[0] - made[-1]).max() < 4
    assert np.array_equal(made[40:, 40:], np.repeat((down + 2 * across)[..., None], 3, axis=-1)[104:144, 104:160])
    once = Around(Size(96, 80), 64, 0).folded(np.repeat((2 * across[:80])[..., None], 3, axis=-1))
    assert np.abs(once[:, 0] - once[:, -1]).max() < 4


@pytest.mark.parametrize("sides", [(512, 768), (512, 1000), (1919, 2500), (640, 1363), (97, 101), (64, 64)])
def test_margins_are_whole_pixels_before_and_after(sides: tuple[int, int]) -> None:
    before, after = sides
    small, large = margins_for(Size(before, before), Size(after, after), 32, 64)
    assert small.right >= 32
    assert large.right >= 63
    assert abs(small.right * after / before - large.right) <= 0.02


def test_noise_and_grain_repeat_as_the_picture_does() -> None:
    around = Around(Size(96, 80), 64, 64)
    field = FieldCrop(NoiseField(7, "x", around))
    drawn = field.draw(1, 3, 80 + 128, 96 + 128, 1)
    plain = NoiseField(7, "x").crop(1, 3, 0, 0, 80, 96)
    assert np.array_equal(drawn, np.tile(plain, (1, 3, 3))[:, 16 : 16 + 208, 32 : 32 + 224])
    latent = FieldCrop(NoiseField(7, "x", around), 64, 0).draw(1, 4, 10, 28, 8)
    assert np.array_equal(latent, np.tile(NoiseField(7, "x").crop(1, 4, 0, 0, 10, 12), (1, 1, 4))[..., 4:32])
    grey = np.full((80, 96, 3), 0.5, np.float32)
    rough = Grain(0.5, 3.0, seed=2, around=around).apply(around.carried_on(grey))
    assert np.array_equal(rough, around.carried_on(around.inner(rough)))
    assert rough.std() > 0.01


@pytest.mark.parametrize("stage", [*STAGES, "tiles"])
def test_both_directions_go_on_without_a_seam(stage: str) -> None:
    stages = TILES if stage == "tiles" else {stage: STAGES[stage]}
    plain, made = finished(seamless(), "off", **stages), finished(seamless(), "both", **stages)
    assert size_of(made) == size_of(plain)
    assert max(steps(made)) <= 1.15
    if stage in ("refine", "upscale", "tiles"):
        assert max(steps(plain)) > max(steps(made)) + 0.01
    assert np.abs(made - plain)[24:-24, 24:-24].mean() < 0.02


@pytest.mark.parametrize("stage", ["texture", "grade", "upscale"])
@pytest.mark.parametrize(("wrap", "axis"), [("horizontal", 1), ("vertical", 0), ("both", 1)])
def test_where_the_picture_begins_makes_no_difference(stage: str, wrap: str, axis: int) -> None:
    """Of what draws nothing at random: a picture pushed round is finished to the same, pushed round."""
    stages = {
        "texture": STAGES["texture"], "grade": {"sharpening": 1.5, "sharpening_radius": 2.0, "grain": 0},
        "upscale": {"passes": [{"factor": 2, "upscaler": "Lanczos", "method": "upscaler only"}]},
    }  # fmt: skip
    scale = 2 if stage == "upscale" else 1
    whole = finished(seamless(), wrap, **{stage: stages[stage]})
    pushed = finished(np.roll(seamless(), 50, axis), wrap, **{stage: stages[stage]})
    apart = np.abs(np.roll(whole, scale * 50, axis) - pushed).max() * 255
    assert apart < 0.2
    plain = finished(np.roll(seamless(), 50, axis), "off", **{stage: stages[stage]})
    assert (
        np.abs(np.roll(finished(seamless(), "off", **{stage: stages[stage]}), scale * 50, axis) - plain).max() * 255 > 1
    )


def test_auto_follows_the_tiling_of_the_base_and_off_changes_no_bit() -> None:
    stages = {"refine": STEPS, "grade": STAGES["grade"]}
    made = {key: finished(seamless(), key[0], key[1], **stages) for key in
            (("off", True), ("auto", False), ("auto", True), ("both", False), ("horizontal", True))}  # fmt: skip
    assert np.array_equal(made["off", True], made["auto", False])
    assert np.array_equal(made["auto", True], made["both", False])
    assert not np.array_equal(made["auto", True], made["auto", False])
    assert steps(made["horizontal", True])[0] <= 1.15


def test_one_direction_leaves_the_other_alone() -> None:
    flat = np.tile(np.linspace(0.2, 0.8, 144, dtype=np.float32)[:, None, None], (1, 160, 3))
    made = finished(flat, "horizontal", upscale={"passes": [UPSCALE]})
    assert made[:4].mean() < 0.25
    assert made[-4:].mean() > 0.75


def test_what_a_mask_forbids_stays_over_the_border_too() -> None:
    picture, mask = seamless(), np.zeros((144, 160), np.float32)
    mask[40:100, :30] = mask[40:100, -30:] = 1.0
    recipe = {
        "version": 2,
        "base": {"wrap": "both", "mask": "restrict"},
        **{name: {"enabled": False} for name in NAMES},
    }
    recipe |= {"refine": {"enabled": True, **STEPS}}
    (done,) = Pipeline(EmbeddedHost(), lambda *_: [], read_recipe(recipe)).run([Work(picture, Base(seed=3), mask)])
    changed = np.abs(done.pixels - picture).max(axis=-1) > 1e-4
    assert changed[45:95, :25].mean() > 0.9
    assert not changed[mask == 0].any()


def test_a_crop_ends_it_and_further_stages_know() -> None:
    passes = [
        {
            "target": "width and height",
            "width": 160,
            "height": 100,
            "aspect": "crop",
            "upscaler": "Lanczos",
            "method": "upscaler only",
        }
    ]
    both = finished(seamless(), "both", upscale={"passes": passes}, refine=STEPS, grade=STAGES["grade"])
    assert both.shape == (100, 160, 3)


def test_a_face_on_the_border_of_a_panorama_is_one_face(portrait: Pixels) -> None:
    """The portrait pushed round until its border goes through the face."""
    pushed = np.ascontiguousarray(np.roll(portrait, -225, axis=1))
    found = {}
    for wrap in ("off", "horizontal"):
        data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
        data["detail"] = {"enabled": True, "passes": [{"detector": "face_yunet", "confidence": 0.6, "steps": 2}]}
        recipe = read_recipe({"version": 2, "base": {"wrap": wrap}, **data})
        (done,) = Pipeline(EmbeddedHost(), Detectors().detect, recipe).run([Work(pushed, Base(seed=3))])
        found[wrap] = done.pixels, next(item for item in done.reports if item.stage == "detail")
    pixels, report = found["horizontal"]
    assert "found 1 × face" in report.reason or "found 1 face" in report.reason
    assert "1 redrawn" in report.reason
    changed = np.abs(pixels - pushed).max(axis=-1) > 1e-3
    assert changed[:, :20].any()
    assert changed[:, -20:].any()
    assert found["off"][1].status == "skipped" or "found 1 face" not in found["off"][1].reason


@pytest.mark.parametrize(
    ("text", "wraps"), [("Tiling: True", True), ("Tiling: False", False), ("Model: Tiling", False)]
)
def test_the_infotext_of_a_file_says_it(tmp_path: Path, text: str, wraps: bool) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", f"moss, Tiling: True\nSteps: 20, Sampler: Euler a, Seed: 5, {text}, Size: 160x144")
    Image.fromarray(np.rint(seamless() * 255).astype(np.uint8)).save(tmp_path / "a.png", pnginfo=info)
    data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    data["upscale"] = {"enabled": True, "passes": [{"factor": 2, "upscaler": "Lanczos", "method": "upscaler only"}]}
    host, recipe = EmbeddedHost(), read_recipe({"version": 2, **data})
    pipeline = Pipeline(host, lambda *_: [], recipe)
    files = finish_files(
        [Source(tmp_path / "a.png")], pipeline, host, recipe, Base(), Saving(tmp_path / "out"), None, Control()
    )
    (report,) = files
    assert report.output is not None
    made = np.asarray(Image.open(report.output), dtype=np.float32) / 255
    expected = finished(np.rint(seamless() * 255).astype(np.float32) / 255, "both" if wraps else "off", **{
        "upscale": data["upscale"]})  # fmt: skip
    assert np.abs(made - expected).max() * 255 <= 0.51


def test_what_both_sides_have_changed_counts_once() -> None:
    """A redraw of all of a picture with its margins: each pixel has one change, however often it was drawn."""
    picture, around = seamless(80, 96), Around(Size(96, 80), 64, 64)
    whole = np.clip(around.carried_on(picture) + np.float32(0.05), 0, 1)
    assert np.abs(around.changed(picture, whole) - np.clip(picture + 0.05, 0, 1)).max() < 1e-5
    # Drawn differently beyond the right border: the one goes over into the other, and the border shows no step.
    level = np.full((80, 96, 3), 0.5, np.float32)
    slope = 0.5 + 0.001 * np.arange(96 + 128, dtype=np.float32)[None, :, None] + np.zeros((208, 1, 3), np.float32)
    made = around.changed(level, slope)
    assert np.abs(np.diff(np.concatenate([made, made[:, :1]], axis=1), axis=1)).max() < 0.004


def test_what_a_pass_redraws_beside_its_findings_is_no_stronger_at_the_borders() -> None:
    picture = seamless(256, 320)

    def find(_: str, pixels: Pixels, *__: Any) -> list[Detection]:
        middle = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        return [Detection(Box(middle[0] - 20, middle[1] - 20, middle[0] + 20, middle[1] + 20), 0.9, "face")]

    change = {}
    for wrap in ("off", "both"):
        data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
        data["detail"] = {"enabled": True, "passes": [{**STEPS, "merge": "merge and invert", "gate": 1.0}]}
        recipe = read_recipe({"version": 2, "base": {"wrap": wrap}, **data})
        (done,) = Pipeline(EmbeddedHost(), find, recipe).run([Work(picture, Base(seed=3))])
        change[wrap] = np.abs(done.pixels - picture)[:60].mean()
    assert change["both"] == pytest.approx(change["off"], rel=0.15)


@pytest.mark.parametrize("left", [10, -20, -150])
def test_a_marked_region_is_one_wherever_the_border_is(left: int) -> None:
    """The last is longer than the margins: of its two ends both are drawn, and nothing of it is left alone."""
    picture, mask = seamless(256, 320), np.zeros((256, 320), np.float32)
    mask[60:180, : 40 if left > -100 else 300] = 1.0
    mask = np.roll(mask, left, axis=1)
    data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    data["repair"] = {"enabled": True, **STEPS, "denoising_strength": 0.8}
    recipe = read_recipe({"version": 2, "base": {"wrap": "both"}, **data})
    (done,) = Pipeline(EmbeddedHost(), lambda *_: [], recipe).run([Work(picture, Base(seed=3), mask)])
    report = next(item for item in done.reports if item.stage == "repair")
    if left > -100:
        assert "1 of 1 regions redrawn" in report.reason
    changed = np.abs(done.pixels - picture).max(axis=-1) > 1e-4
    assert changed[mask > 0].mean() > 0.95
    assert max(steps(done.pixels)) <= 1.15


class Negative(EmbeddedHost):
    """An engine that draws the negative of what it is given, without any noise."""

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        return [1 - element.pixels for element in batch.elements]


@pytest.mark.parametrize("masked", [False, True])
def test_a_touch_up_over_the_border_is_the_one_in_the_middle(masked: bool) -> None:
    """A region that lies over the border, and the picture pushed round until it lies in the middle."""
    picture = seamless(96, 128)
    region = Region(Box(-16, 36, 16, 60), "face", "", "", 5, Sampling(0.3, 3), 0.5, 0.0, 0.1, 0.3)
    data: dict[str, Any] = {name: {"enabled": name == "upscale"} for name in NAMES}
    data["upscale"]["passes"] = [{"factor": 2, "upscaler": "Lanczos", "method": "upscaler only"}]
    recipe = read_recipe({"version": 2, "base": {"wrap": "horizontal", "mask": "restrict"}, **data})
    mask = np.zeros((96, 128), np.float32)
    mask[:48] = 1
    made = []
    for push in (0, 64):
        work = Work(np.ascontiguousarray(np.roll(picture, push, axis=1)), Base(seed=3), mask if masked else None)
        work = replace(work, regions=(moved(region, push, 0),))
        (done,) = Pipeline(Negative(), lambda *_: [], recipe, keep_stages=True).run([work])
        assert not done.error
        assert "1 touched up" in done.reports[-3].reason
        assert done.previews["upscale"].shape == done.pixels.shape == (192, 256, 3)
        made.append(done.pixels)
    border, middle = np.roll(made[0], 128, axis=1), made[1]
    assert np.abs(border - middle).max() < 2e-3
    plain = Pipeline(Negative(), lambda *_: [], recipe).run([Work(np.roll(picture, 64, axis=1), Base(seed=3))])[0]
    changed = np.abs(middle - plain.pixels).max(axis=-1) > 0.01
    assert changed[80:90, 118:138].mean() > 0.9
    assert bool(changed[100:110, 118:138].mean() > 0.9) is not masked
    assert bool(changed[102:].any()) is not masked
