"""Tiles that are left to the upscaler because there is nothing in them: which they are, and that nothing shows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lib_finisher.detect.catalogue import Detectors
from lib_finisher.hosts.embedded.engine import CAPABILITIES, EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, Sampling, Watch
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Patch, Request
from lib_finisher.stages.flat import is_flat, told_of_flat, without_flat
from lib_finisher.stages.frame import Look, tiles
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work
from tests.conftest import Onward

TINT = 4.0 / 255.0


class Tinting(EmbeddedHost):
    """The embedded engine, whose every redraw comes out darker, or lighter, as real models' do on even surfaces."""

    def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
        return [
            np.clip(one + np.float32(TINT if element.noise.left // 8 % 2 else -TINT), 0, 1)  # type: ignore[attr-defined]
            for one, element in zip(super().redraw(batch, watch), batch.elements)
        ]


@pytest.fixture(scope="module")
def with_sky(portrait: np.ndarray) -> np.ndarray:
    """The portrait enlarged, under as much sky: a slow gradient with the grain that 8 bits and a camera leave."""
    down = np.linspace(0, 1, 640)[:, None, None]
    sky = np.array([0.35, 0.55, 0.85]) + down * np.array([0.3, 0.2, 0.05]) + np.zeros((1, 768, 1))
    sky += np.random.default_rng(0).normal(0, 0.7 / 255, sky.shape)
    ground = resize(np.ascontiguousarray(portrait[100:484]), Size(768, 576))
    picture = np.concatenate([sky, ground]).clip(0, 1)
    return (np.round(picture * 255) / 255).astype(np.float32)


def layout(picture: np.ndarray, side: int = 256) -> list[Patch]:
    return tiles(size_of(picture), side, 48, Look(0.35), CAPABILITIES)


def redrawn(host: EmbeddedHost, picture: np.ndarray, patches: list[Patch], lock: ColourLock) -> np.ndarray:
    request = Request(picture, tuple(patches), Sampling(0.35, 12), NoiseField(1, "flat"), lock, together=True)
    outcome = redraw([request], host, AreaBudget(CAPABILITIES), Onward())[0]
    assert outcome.accepted == len(patches)
    return outcome.picture


def test_sky_is_flat_and_a_bird_in_it_is_not(with_sky: np.ndarray) -> None:
    kept, left_out = without_flat(layout(with_sky), with_sky)
    assert left_out
    assert all(patch.box.bottom <= 640 for patch in left_out)
    assert {patch.label for patch in kept + left_out} == {patch.label for patch in layout(with_sky)}
    assert len(kept) + len(left_out) == len(layout(with_sky))
    bird = with_sky.copy()
    y, x = (left_out[0].box.top + 90, left_out[0].box.left + 120)
    bird[y : y + 6, x : x + 10] = 0.2
    assert len(without_flat(layout(bird), bird)[1]) == len(left_out) - 1


def test_a_wholly_even_picture_is_redrawn_as_asked(with_sky: np.ndarray) -> None:
    sky = np.ascontiguousarray(with_sky[:512, :512])
    patches = layout(sky)
    assert len(patches) > 1
    assert without_flat(patches, sky) == (patches, [])


def test_what_counts_as_flat() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (256, 256, 3)).astype(np.float32)
    even = np.full((256, 256, 3), 0.5, np.float32)
    assert is_flat(even)
    assert is_flat(even + noise / 255)
    assert not is_flat(even + 4 * noise / 255)
    assert not is_flat(np.where(np.arange(256)[None, :, None] < 128, even, even + np.float32(0.1)))
    assert is_flat(np.full((5, 3, 3), 0.5, np.float32))


def test_the_saving_is_told(with_sky: np.ndarray) -> None:
    kept, left_out = without_flat(layout(with_sky), with_sky)
    share = round(100 * len(left_out) / (len(kept) + len(left_out)))
    assert (
        told_of_flat(kept, left_out)
        == f", {len(left_out)} flat tiles left to the upscaler, which saves {share}% of the sampling"
    )
    assert told_of_flat(kept, []) == ""


@pytest.mark.parametrize("host", [EmbeddedHost(), Tinting()], ids=["plain", "tinting"])
def test_no_border_shows_where_a_tile_was_left_out(with_sky: np.ndarray, host: EmbeddedHost) -> None:
    kept, left_out = without_flat(layout(with_sky), with_sky)
    result = redrawn(host, with_sky, kept, ColourLock("tile"))
    change = result - with_sky
    alone = np.ones(with_sky.shape[:2], bool)
    for patch in kept:
        alone[max(0, patch.box.top) : patch.box.bottom, max(0, patch.box.left) : patch.box.right] = False
    assert alone.any()
    assert not change[alone].any(), "a tile that is left out keeps the upscaler's pixels bit for bit"
    assert step_at_borders(change, kept, left_out) * 255 < 0.25
    assert seam_ratio(with_sky, result, kept, left_out) == pytest.approx(1.0, abs=0.02)
    assert level_inside(change, kept, left_out) * 255 < 0.25


def test_without_the_lock_a_tint_would_show_there(with_sky: np.ndarray) -> None:
    kept, left_out = without_flat(layout(with_sky), with_sky)
    change = redrawn(Tinting(), with_sky, kept, ColourLock()) - with_sky
    assert level_inside(change, kept, left_out) * 255 > 2


def test_the_same_check_sees_a_border_without_lock_and_fade(with_sky: np.ndarray) -> None:
    kept, left_out = without_flat(layout(with_sky), with_sky)
    hard = with_sky.copy()
    for patch in kept:
        hard[patch.box.top : patch.box.bottom, patch.box.left : patch.box.right] = (
            with_sky[patch.box.top : patch.box.bottom, patch.box.left : patch.box.right] + TINT
        )
    assert step_at_borders(hard - with_sky, kept, left_out) * 255 > 2
    assert seam_ratio(with_sky, hard, kept, left_out) > 1.05


def borders(kept: list[Patch], left_out: list[Patch]) -> list[int]:
    """Rows at which a tile that was redrawn ends towards one that was left out above it."""
    lowest = max(patch.box.bottom for patch in left_out)
    return sorted({patch.box.top for patch in kept if 0 < patch.box.top <= lowest})


def step_at_borders(change: np.ndarray, kept: list[Patch], left_out: list[Patch]) -> float:
    """The largest mean step over four rows at such a border, beyond that of the same rows elsewhere in the fade."""
    rows = change.mean(axis=(1, 2))
    return max(abs(float(rows[top : top + 4].mean() - rows[top - 4 : top].mean())) for top in borders(kept, left_out))


def level_inside(change: np.ndarray, kept: list[Patch], left_out: list[Patch]) -> float:
    """By how much the middle of a redrawn tile's sky, past the fade, is lighter or darker than what was left out."""
    levels = []
    for top in borders(kept, left_out):
        for patch in kept:
            if patch.box.top == top:
                middle = round(patch.box.centre[0])
                levels.append(abs(float(change[top + 56 : top + 88, middle - 32 : middle + 32].mean())))
    return max(levels)


def seam_ratio(before: np.ndarray, after: np.ndarray, kept: list[Patch], left_out: list[Patch]) -> float:
    """Mean gradient on the border lines over that 12 to 24 rows beside them, divided by the same before the redraw."""

    def ratio(picture: np.ndarray) -> float:
        steps = np.abs(np.diff(picture, axis=0)).mean(axis=(1, 2))
        on = [steps[top - 1] for top in borders(kept, left_out)]
        beside = [
            steps[top + side - 1] for top in borders(kept, left_out) for side in (*range(-24, -11), *range(12, 25))
        ]
        return float(np.mean(on) / np.mean(beside))

    return ratio(after) / ratio(before)


def test_the_stage_leaves_them_out_and_says_so(with_sky: np.ndarray) -> None:
    draft = np.clip(resize(with_sky, Size(384, 608)), 0, 1)
    data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    reports = {}
    for skip in (True, False):
        one = {"upscaler": "Lanczos", "tile": 256, "steps": 2, "denoising_strength": 0.3, "skip_flat": skip}
        data["upscale"] = {"enabled": True, "passes": [one]}
        done = Pipeline(EmbeddedHost(), Detectors().detect, read_recipe(data)).run([Work(draft, Base(seed=5))])[0]
        reports[skip] = next(item for item in done.reports if item.stage == "upscale")
    assert "flat tiles left to the upscaler, which saves" in reports[True].reason
    assert "flat" not in reports[False].reason
    assert reports[True].cost.patches < 0.8 * reports[False].cost.patches
