"""Grey stays grey and one hue stays one hue, through every stage; colour pictures are left alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, UpscalerFacts, Watch
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.one_hue import OneHue, one_hue_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.run import taking_over
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work
from tests.conftest import PORTRAIT

STEPS = {"steps": 2, "denoising_strength": 0.3}
STAGES: dict[str, dict[str, Any]] = {
    "refine": STEPS,
    "extend": {**STEPS, "left": 32},
    "repair": {**STEPS, "area": "whole picture"},
    "upscale": {"passes": [{**STEPS, "factor": 1.5, "upscaler": "Lanczos", "colour_lock": 0.0}]},
    "texture": {"strength": 0.5},
    "grade": {"saturation": 0.1, "contrast": 0.2, "grain": 0.3},
}


class Tinting(EmbeddedHost):
    """An engine that, as real checkpoints do, gives what it draws colours of its own: here and there red or blue."""

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        made = super().redraw(batch, watch)
        for picture in made:
            wave = 0.08 * np.sin(np.arange(picture.shape[1], dtype=np.float32) / 9)
            picture[..., 0] += wave
            picture[..., 2] -= wave
        return [np.clip(picture, 0, 1) for picture in made]


def grey() -> Pixels:
    y, x = np.mgrid[:96, :112]
    levels = 127 + 70 * np.sin(x / 9) + 40 * np.cos(y / 13) + np.random.default_rng(1).normal(0, 6, (96, 112))
    return np.repeat((np.rint(np.clip(levels, 0, 255)) / 255).astype(np.float32)[..., None], 3, axis=-1)


def rounded(pixels: np.ndarray) -> Pixels:
    return (np.rint(np.clip(pixels, 0, 1) * 255) / 255).astype(np.float32)


def sepia() -> Pixels:
    return rounded(grey() * (1.0, 0.84, 0.62))


def duotone() -> Pixels:
    """From dark blue to cream, as cyanotypes and gradient maps are."""
    return rounded(np.array([0.02, 0.1, 0.3]) + grey() * (np.array([0.98, 0.97, 0.9]) - [0.02, 0.1, 0.3]))


def bent() -> Pixels:
    """A toning whose hue bends on the way: blue shadows, warm lights."""
    level = grey()[..., :1]
    return rounded(level + 0.1 * np.sin(np.pi * level) * np.cos(np.pi * level) * np.array([-1.0, 0.1, 1.0]))


def finished(pixels: Pixels, host: EmbeddedHost, one_hue: bool = True, **stages: dict[str, Any]) -> Pixels:
    data = {name: {"enabled": False} for name in NAMES} | {
        name: {"enabled": True, **one} for name, one in stages.items()
    }
    recipe = read_recipe({"base": {"one_hue": one_hue}, **data})
    mask = np.ones(pixels.shape[:2], np.float32) if "repair" in stages else None
    (done,) = Pipeline(host, lambda *_: [], recipe).run([Work(pixels, Base(seed=3), mask)])
    assert not done.error
    assert [item.status for item in done.reports if item.stage in stages] == ["ran"] * len(stages)
    return done.pixels


def spread(pixels: np.ndarray) -> float:
    return float((pixels.max(axis=-1) - pixels.min(axis=-1)).max()) * 255


@pytest.mark.parametrize("stage", STAGES)
def test_grey_stays_grey_in_every_stage(stage: str) -> None:
    assert spread(finished(grey(), Tinting(), **{stage: STAGES[stage]})) <= 1e-3
    # The engine tints what it draws; texture and grade draw nothing here.
    if stage not in ("texture", "grade"):
        assert spread(finished(grey(), Tinting(), one_hue=False, **{stage: STAGES[stage]})) > 8


def off_the_line(pixels: np.ndarray, first: np.ndarray, last: np.ndarray) -> float:
    """How far colours lie off the plane of grey and one hue, which `last - first` spans with grey, in levels."""
    normal = np.cross(np.ones(3), last - first)
    return float(np.abs((pixels - first) @ (normal / np.linalg.norm(normal))).max()) * 255


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("picture", "first", "last"),
    [(sepia, (0, 0, 0), (1.0, 0.84, 0.62)), (duotone, (0.02, 0.1, 0.3), (0.98, 0.97, 0.9))],
)
def test_one_hue_stays_one_hue(stage: str, picture: Any, first: tuple[float, ...], last: tuple[float, ...]) -> None:
    made = finished(picture(), Tinting(), **{stage: STAGES[stage]})
    # Where nothing is clipped at black or white.
    inside = made[((made > 0.01) & (made < 0.99)).all(axis=-1)]
    assert off_the_line(inside, np.array(first), np.array(last)) <= 2.5


def test_a_bent_toning_keeps_its_bend() -> None:
    was, made = bent(), finished(bent(), Tinting(), refine=STEPS)
    for low in (0.2, 0.5, 0.7):
        before, after = (
            item[np.abs(item @ np.array([0.2126, 0.7152, 0.0722], np.float32) - low) < 0.02].mean(axis=0)
            for item in (was, made)
        )
        assert np.abs((before - before[1]) - (after - after[1])).max() * 255 < 1.5
    without = finished(bent(), Tinting(), one_hue=False, refine=STEPS)
    assert np.abs(without - made).max() * 255 > 8


def test_a_toned_picture_from_a_jpeg_is_known() -> None:
    """Chroma at half the resolution, and rounded by the format, is still one hue."""
    photograph = Image.open(PORTRAIT).convert("RGB").resize((256, 256))
    toned = np.asarray(photograph.convert("L"), dtype=np.float32)[..., None] * (1.0, 0.84, 0.62)
    for picture, known in ((Image.fromarray(np.rint(toned).astype(np.uint8)), True), (photograph, False)):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=75)
        hue = one_hue_of(np.asarray(Image.open(buffer), dtype=np.float32) / np.float32(255))
        assert (hue is not None and not hue.grey) is known


@pytest.mark.parametrize(
    "values", [{"white_balance": 1.0}, {"curves": "r: 0,0; 128,150; 255,255"}, {"grain_colour": 1.0, "grain": 0.5}]
)
def test_a_tint_that_is_asked_for_comes(values: dict[str, Any]) -> None:
    picture = sepia() if "white_balance" in values else grey()
    kept, made = (finished(picture, EmbeddedHost(), grade={**STAGES["grade"], **more}) for more in ({}, values))
    assert np.abs(kept - made).max() * 255 > 4
    if "curves" in values:
        assert spread(made) > 8


def test_colour_pictures_are_left_alone(portrait: Pixels) -> None:
    assert one_hue_of(portrait) is None
    # One small thing in a grey picture has a colour.
    picture = grey()
    picture[40:44, 50:54] = (0.8, 0.2, 0.2)
    hue = one_hue_of(picture)
    assert hue is None or not hue.grey
    made = finished(picture, EmbeddedHost(), refine={"steps": 2, "denoising_strength": 0.05})
    assert float(made[41:43, 51:53, 0].mean() - made[41:43, 51:53, 1].mean()) > 0.4
    assert one_hue_of(grey()) is not None


class Second(Tinting):
    """Knows no checkpoint but its own."""

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        return (UpscalerFacts("red", 2, "red"),)

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        made = np.repeat(np.repeat(pixels, 2, axis=0), 2, axis=1)
        made[..., 0] = np.clip(made[..., 0] + 0.05, 0, 1)
        return made


def test_what_a_failed_stage_hands_back_is_grey_too() -> None:
    """The first pass of an upscale is kept where the second one names a checkpoint that is not there."""
    data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    first = {"factor": 2, "upscaler": "red", "method": "upscaler only", "fidelity": 0}
    data["upscale"] = {"enabled": True, "passes": [first, {**STEPS, "factor": 1, "checkpoint": "none"}]}
    (done,) = Pipeline(Second(), lambda *_: [], read_recipe({"version": 2, **data})).run([Work(grey(), Base(seed=3))])
    assert done.error
    assert done.pixels.shape == (192, 224, 3)
    assert spread(done.pixels) < 0.5


@pytest.mark.parametrize(("make", "looks"), [(grey, 1), (sepia, 2)])
def test_a_grey_picture_is_looked_at_once_and_a_toned_one_before_each_stage(
    make: Callable[[], Pixels], looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Pixels] = []

    def counted(pixels: Pixels, saturation: bool = False) -> OneHue | None:
        seen.append(pixels)
        return one_hue_of(pixels, saturation)

    monkeypatch.setattr(taking_over, "one_hue_of", counted)
    made = finished(make(), EmbeddedHost(), texture=STAGES["texture"], grade=STAGES["grade"])
    assert len(seen) == looks
    assert one_hue_of(made) is not None


@pytest.mark.parametrize("make", [grey, sepia, duotone, bent])
def test_a_line_is_only_left_out_where_it_is_not_used(make: Callable[[], Pixels]) -> None:
    picture = make()
    short, whole = one_hue_of(picture), one_hue_of(picture, saturation=True)
    assert short is not None
    assert whole is not None
    changed = np.clip(picture * (1.1, 0.9, 1.0) + 0.05, 0, 1).astype(np.float32)
    assert np.array_equal(short.kept(changed), whole.kept(changed))
