"""Large pictures: how many float canvases are held at once, and that parts come to what the whole would."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.inputs import Source
from lib_finisher.batch.saving import Saving
from lib_finisher.events import Control
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, UpscalerFacts, Watch
from lib_finisher.imaging.arrays import as_stored, from_uint8, from_uint16, to_uint8, to_uint16
from lib_finisher.imaging.colour import from_lab, low_frequencies, to_lab
from lib_finisher.imaging.texture import blend_detail, lift_detail
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.limit import within
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work
from lib_finisher.store.results import ResultStore

# Tall, so that a strip of rows is little of it.
WIDTH, HEIGHT = 256, 8192
FLOATS = 12
"""Bytes of a pixel of a float canvas; one of 8 bits has 3."""


class Sharpening(EmbeddedHost):
    """A 1x model, in the memory of one more canvas."""

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        return (UpscalerFacts("model", 1, "1"),)

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        made = pixels + np.float32(0.01)
        return np.minimum(made, 1.0, out=made)


def tall(folder: Path, portrait: np.ndarray, grey: bool = False) -> Path:
    side = np.rint(portrait[:256, 120:376] * 255).astype(np.uint8)
    if grey:
        side = np.repeat(side[..., 1:2], 3, axis=-1)
    Image.fromarray(np.concatenate([side, side[::-1]] * (HEIGHT // 512))).save(folder / "tall.png", compress_level=1)
    return folder / "tall.png"


def peak_of(source: Path, folder: Path, host: EmbeddedHost, data: dict[str, Any], **more: Any) -> float:
    """Bytes a pixel at the highest, from loading to saving."""
    recipe = read_recipe({"version": 2, **{name: {"enabled": name in data, **data.get(name, {})} for name in NAMES}})
    pipeline = Pipeline(host, lambda *_: [], recipe, more.get("store"))
    tracemalloc.start()
    try:
        files = finish_files([Source(source)], pipeline, host, recipe, Base(), Saving(folder), None, Control())
        (report,) = list(files)
        assert report.error == "" and {item.status for item in report.stages} == {"ran", "skipped"}
        return tracemalloc.get_traced_memory()[1] / (WIDTH * HEIGHT)
    finally:
        tracemalloc.stop()


TEXTURE, GRADE = {"strength": 0.6}, {"contrast": 0.2, "shadows": 0.2, "grain": 0.3, "sharpening": 0.3}
MODEL = {"strength": 0.6, "upscaler": "model", "model_blend": 0.5}


@pytest.mark.parametrize(("stored", "grey"), [(False, False), (True, False), (False, True)])
def test_no_stage_holds_two_canvases_beside_the_pictures_own(
    tmp_path: Path, portrait: np.ndarray, stored: bool, grey: bool
) -> None:
    """The picture and what a stage makes of it, and less than half a canvas for all else."""
    store = ResultStore(tmp_path / "store") if stored else None
    found = peak_of(
        tall(tmp_path, portrait, grey),
        tmp_path / "o",
        EmbeddedHost(),
        {"texture": TEXTURE, "grade": GRADE},
        store=store,
    )
    # To the store numpy writes 16 MiB at a time, whatever the picture's size.
    assert found < 2.8 * FLOATS + (16 * 2**20 / (WIDTH * HEIGHT) if stored else 0)


def test_nor_does_one_with_a_model_but_for_the_models_own(tmp_path: Path, portrait: np.ndarray) -> None:
    """A 1x model is given the picture and gives one back, and what it gave is put where it belongs."""
    host = Sharpening()
    assert peak_of(tall(tmp_path, portrait), tmp_path / "o", host, {"texture": MODEL, "grade": GRADE}) < 3.8 * FLOATS


def whole_lift(pixels: np.ndarray, strength: float, radius: float) -> np.ndarray:
    """As one would write it for a picture in one piece."""
    lab = to_lab(pixels)
    light = np.ascontiguousarray(lab[..., 0])
    blur = lambda plane: cv2.blur(plane, (2 * round(radius) + 1,) * 2, borderType=cv2.BORDER_REFLECT)
    mean = blur(light)
    spread = np.maximum(blur(light * light) - mean * mean, 0)
    gain = spread / (spread + np.float32(16))
    base = blur(gain) * light + blur(mean - gain * mean)
    detail = (light - base) * (np.float32(100) / (spread + np.float32(100)))
    ramp = np.clip(light.astype(np.float64) / 15, 0, 1)
    change = 6 * np.tanh(np.float32(strength) * detail / 6) * (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    lab[..., 0] = np.clip(light + change, 0, 100)
    return from_lab(lab)


@pytest.mark.parametrize("radius", [1.0, 2.0, 5.4])
@pytest.mark.parametrize("rows", [1, 7, 128, 10_000])
def test_the_lift_is_the_same_in_strips_of_any_height(portrait: np.ndarray, radius: float, rows: int) -> None:
    pixels = np.ascontiguousarray(portrait[30:297, 100:303])
    made = lift_detail(pixels, 0.8, radius, rows=rows)
    assert np.array_equal(as_stored(made), as_stored(lift_detail(pixels, 0.8, radius, rows=len(pixels))))
    assert made == pytest.approx(whole_lift(pixels, 0.8, radius), abs=2e-6)


def test_the_lift_within_a_mask(portrait: np.ndarray) -> None:
    pixels, mask = portrait[30:330, 100:300], np.zeros((300, 200), dtype=np.float32)
    mask[50:200], mask[200:250] = 1.0, 0.5
    plain, made = lift_detail(pixels, 0.8, 2.0), lift_detail(pixels, 0.8, 2.0, mask)
    assert np.array_equal(made[:50], pixels[:50]) and np.array_equal(made[250:], pixels[250:])
    assert np.array_equal(made[50:200], plain[50:200])
    assert made[200:250] == pytest.approx((plain[200:250] + pixels[200:250]) / 2, abs=1e-6)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_detail_is_blended_channel_by_channel_as_all_at_once(portrait: np.ndarray, masked: bool, own: bool) -> None:
    pixels = np.ascontiguousarray(portrait[30:331, 100:303])
    other = np.clip(cv2.GaussianBlur(pixels[::-1], (0, 0), 2.0), 0, 1)
    mask = np.linspace(-0.2, 1.1, pixels.shape[0] * pixels.shape[1], dtype=np.float32).reshape(pixels.shape[:2])
    mask = np.clip(mask, 0, 1)
    detail, weight = other - pixels, mask[..., None] if masked else np.float32(1)
    low = low_frequencies(detail * weight)
    low = low / np.maximum(low_frequencies(mask), 1e-3)[..., None] if masked else low
    detail = (detail - low) * np.float32(0.7) * weight
    expected = np.where(detail == 0, pixels, np.clip(pixels + detail, 0, 1))
    given = other.copy()
    made = blend_detail(pixels, given, 0.7, mask if masked else None, own=own)
    assert made == pytest.approx(expected, abs=1e-6)
    assert (made is given) == own and np.array_equal(given, other) != own
    if masked:
        assert np.array_equal(made[:40], pixels[:40])


VALUES = np.concatenate(
    [np.arange(256) / 255, (np.arange(255) + 0.4) / 255, np.linspace(-0.5, 1.5, 700), [0.0, 1.0]]
).astype(np.float32)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (1, -1), (-1, 3), (3, -1, 3)])
def test_rounding_to_whole_levels(shape: tuple[int, ...]) -> None:
    values = VALUES[: len(VALUES) // 9 * 9].reshape(shape)
    eight = np.array([min(max(float(value), 0.0), 1.0) * 255 for value in values.ravel()])
    sixteen = [min(max(float(value), 0.0), 1.0) * 65535 for value in values.ravel()]
    assert to_uint8(values).shape == values.shape and to_uint8(values).dtype == np.uint8
    assert np.abs(to_uint8(values).ravel() - eight).max() <= 0.5001
    assert np.abs(to_uint16(values).ravel().astype(float) - sixteen).max() <= 0.51
    levels = np.arange(256, dtype=np.uint8).reshape(-1, 2)
    assert from_uint8(levels).ravel().tolist() == [np.float32(level) / np.float32(255) for level in range(256)]


def test_a_large_array_is_rounded_to_its_last_row() -> None:
    picture = np.random.default_rng(0).random((701, 803, 3), dtype=np.float32)
    assert np.array_equal(to_uint8(picture), np.rint(picture * np.float32(255)).astype(np.uint8))
    assert np.array_equal(to_uint16(picture[:, ::2]), np.rint(picture[:, ::2] * np.float32(65535)).astype(np.uint16))


def test_what_is_stored_already_is_not_copied_and_nobody_elses_array_is_changed() -> None:
    picture = np.random.default_rng(0).random((701, 403, 3), dtype=np.float32) * np.float32(1.2) - np.float32(0.1)
    before, expected = picture.copy(), from_uint16(to_uint16(picture))
    made = as_stored(picture)
    assert np.array_equal(made, expected) and np.array_equal(picture, before) and made is not picture
    assert as_stored(made) is made
    late = expected.copy()
    late[-1, -1, -1] += np.float32(1e-4)
    assert np.array_equal(as_stored(late)[:-1], expected[:-1]) and as_stored(late) is not late
    assert as_stored(picture, own=True) is picture and np.array_equal(picture, expected)
    fixed = before.copy()
    fixed.flags.writeable = False
    assert np.array_equal(as_stored(fixed, own=True), expected)


@pytest.mark.parametrize("own", [False, True])
def test_within_a_limit_in_strips(own: bool) -> None:
    chance = np.random.default_rng(1)
    before, after = (chance.random((300, 40, 3), dtype=np.float32) for _ in range(2))
    limit = np.clip(chance.random((300, 40), dtype=np.float32) * 2 - 0.5, 0, 1).astype(np.float32)
    expected, given = before + limit[..., None] * (after - before), after.copy()
    made = within(before, given, limit, own=own)
    assert made == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(made[limit == 0], before[limit == 0])
    assert np.array_equal(made[limit == 1], after[limit == 1])
    assert (made is given) == own and np.array_equal(given, after) != own


def test_no_stage_writes_into_the_picture_that_it_is_given(portrait: np.ndarray) -> None:
    """Such a picture is whoever handed it in's, where it is what the store would give back."""
    pixels = np.ascontiguousarray(portrait[20:148, 160:288])
    pixels.flags.writeable = False
    data: dict[str, Any] = {name: {"enabled": True} for name in NAMES if name != "detail"}
    data |= {"refine": {"steps": 1}, "texture": MODEL, "grade": {**GRADE, "colour_match": 0.5}}
    data["upscale"] = {"passes": [{"factor": 2.0, "steps": 1, "tile": 128}]}
    recipe = read_recipe({"version": 2, "detail": {"enabled": False}, **data})
    mask = np.zeros((128, 128), dtype=np.float32)
    mask[40:90, 40:90] = 1
    (done,) = Pipeline(Sharpening(), lambda *_: [], recipe).run([Work(pixels, mask=mask)])
    assert done.error == ""
