"""What an engine may do beyond the usual: differential masks, more or less noise, face restoration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lib_finisher.imaging.files import load_picture
from tests.conftest import PORTRAIT
from tests.smoke.client import Result, Webui, off, recipe

BASE = {"width": 384, "height": 384, "denoising_strength": 0.02, "steps": 8, "sampler_name": "Euler"}
# The tiny checkpoints know no faces, so the gate that asks the detector is off.
FACE = {"denoising_strength": 0.6, "width": 256, "height": 256, "gate": 1.0, "steps": 10, "mask_shape": "ellipse"}


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return (load_picture(PORTRAIT).pixels[:384, :384] * 255 + 0.5).astype(np.uint8)


def detailed(webui: Webui, portrait: np.ndarray, **changes: Any) -> Result:
    """The portrait with its face redrawn."""
    # The host's own VAE draws go on where the last txt2img left the generator.
    webui.txt2img()
    data = recipe(**off("refine", "upscale", "texture", "grade"), detail={"passes": [{**FACE, **changes}]})
    done = webui.img2img(portrait, data, **BASE)
    webui.txt2img()
    assert "Finisher error" not in done.told
    return done


def unchanged(webui: Webui, portrait: np.ndarray) -> np.ndarray:
    """What stands there before anything is redrawn."""
    webui.txt2img()
    plain = webui.img2img(portrait, **BASE).picture.astype(int)
    webui.txt2img()
    return plain


def zones(change: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(inside, feather, outside) of the ellipse within which anything has changed."""
    rows, columns = np.nonzero(change)
    y, x = np.mgrid[: change.shape[0], : change.shape[1]]
    radius = np.hypot(
        (y - (rows.min() + rows.max()) / 2) / (np.ptp(rows) / 2),
        (x - (columns.min() + columns.max()) / 2) / (np.ptp(columns) / 2),
    )
    return radius < 0.4, (radius > 0.7) & (radius < 0.95), radius > 1.1


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M", "DPM++ SDE"])
def test_a_differential_mask_draws_its_edge_anew(webui: Webui, portrait: np.ndarray, sampler: str) -> None:
    plain = unchanged(webui, portrait)
    soft, first, again = (
        detailed(webui, portrait, sampler=sampler, differential=way).picture.astype(int) for way in (False, True, True)
    )
    assert np.array_equal(first, again)
    inside, feather, outside = zones(np.abs(soft - plain).max(axis=2))
    between = np.abs(soft - first).max(axis=2)
    assert between[outside].max() == 0
    assert between[feather].mean() > 2
    change = [np.abs(picture - plain).max(axis=2) for picture in (soft, first)]
    assert change[1][feather].mean() > 1.1 * change[0][feather].mean()
    assert change[1][inside].mean() == pytest.approx(change[0][inside].mean(), rel=0.15)


@pytest.mark.parametrize("sampler", ["DDIM", "UniPC"])
def test_samplers_over_timesteps_keep_the_soft_mask(webui: Webui, portrait: np.ndarray, sampler: str) -> None:
    soft, asked = (detailed(webui, portrait, sampler=sampler, differential=way) for way in (False, True))
    assert np.array_equal(soft.picture, asked.picture)


@pytest.mark.parametrize("sampler", ["DPM fast", "DPM adaptive", "Restart", "Heun", "LCM", "DPM++ 3M SDE"])
def test_a_differential_mask_with_samplers_that_step_otherwise(
    webui: Webui, portrait: np.ndarray, sampler: str
) -> None:
    if sampler not in {item["name"] for item in webui.get("/sdapi/v1/samplers")}:
        pytest.skip(f"the host has no sampler {sampler}")
    plain = unchanged(webui, portrait)
    soft, hard = (
        detailed(webui, portrait, sampler=sampler, differential=way).picture.astype(int) for way in (False, True)
    )
    _, feather, outside = zones(np.abs(soft - plain).max(axis=2))
    between = np.abs(soft - hard).max(axis=2)
    assert between[outside].max() == 0
    assert between[feather].mean() > 1


def test_the_noise_multiplier_is_the_stages_own(webui: Webui, draft: Result, settings_for_a_test: Any) -> None:
    """It changes the redraw; the host's setting of that name does not."""

    def refined(**changes: float) -> Result:
        stages = off("detail", "upscale", "texture", "grade")
        return webui.txt2img(recipe(**stages, refine={"denoising_strength": 0.5, **changes}))

    usual, more, less = refined(), refined(noise_multiplier=1.2), refined(noise_multiplier=0.8)
    assert np.array_equal(usual.picture, refined(noise_multiplier=1.0).picture)
    assert not np.array_equal(usual.picture, more.picture)
    assert not np.array_equal(usual.picture, less.picture)
    assert "Noise multiplier" not in more.told
    settings_for_a_test({"initial_noise_multiplier": 1.4})
    assert np.array_equal(usual.picture, refined().picture)


def test_a_face_restoration_that_cannot_be_loaded_is_told(webui: Webui, portrait: np.ndarray) -> None:
    """Without their weights and without a way to fetch them; with them, what they restore is used."""
    offered = [item["name"] for item in webui.get("/sdapi/v1/face-restorers")]
    if not offered:
        pytest.skip("the host has no face restoration")
    plain = detailed(webui, portrait)
    for name in offered:
        done = detailed(webui, portrait, restore=name, restore_blend=1.0)
        if np.array_equal(done.picture, plain.picture):
            assert f"The face restoration {name}" in done.told["Finisher notes"]
        else:
            again = detailed(webui, portrait, restore=name, restore_blend=1.0)
            assert np.array_equal(done.picture, again.picture)
