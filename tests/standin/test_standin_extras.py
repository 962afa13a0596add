"""Differential masks, more or less noise and face restoration inside the stand-in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lib_finisher.imaging.files import load_picture
from tests.conftest import PORTRAIT
from tests.smoke.client import Result, Webui, off, recipe
from tests.standin.server import GRADIOS, standin

pytestmark = pytest.mark.slow
BASE = {"width": 256, "height": 256, "denoising_strength": 0.02, "steps": 6, "sampler_name": "Euler"}
FACE = {"denoising_strength": 0.6, "width": 256, "height": 256, "gate": 1.0, "steps": 8, "mask_shape": "ellipse"}


@pytest.fixture(scope="module")
def webui() -> Webui:
    """One gradio is enough: nothing of this is on the page."""
    return Webui(standin(GRADIOS[0]).url)


def detailed(webui: Webui, **changes: Any) -> Result:
    """A portrait with its face redrawn."""
    portrait = (load_picture(PORTRAIT).pixels[:256, 96:352] * 255 + 0.5).astype(np.uint8)
    # The host's own VAE draws go on where the last txt2img left the generator.
    webui.txt2img(width=64, height=64)
    data = recipe(**off("refine", "upscale", "texture", "grade"), detail={"passes": [{**FACE, **changes}]})
    done = webui.img2img(portrait, data, **BASE)
    assert "Finisher error" not in done.told
    return done


@pytest.mark.parametrize(("sampler", "differs"), [("Euler a", True), ("Heun", True), ("DDIM", False)])
def test_a_differential_mask(webui: Webui, sampler: str, differs: bool) -> None:
    """Samplers over timesteps keep the soft one."""
    soft, hard = (detailed(webui, sampler=sampler, differential=way).picture.astype(int) for way in (False, True))
    between = np.abs(soft - hard).max(axis=2)
    assert bool(between.max() > 8) is differs
    assert between[:16].max() == between[-16:].max() == 0
    again = detailed(webui, sampler=sampler, differential=True).picture
    assert np.array_equal(hard, again)


def test_the_noise_multiplier(webui: Webui) -> None:
    """More noise at the start is more texture at the end."""
    pictures = [detailed(webui, noise_multiplier=value).picture.astype(int) for value in (0.7, 1.0, 1.3)]
    usual = detailed(webui).picture
    assert np.array_equal(pictures[1], usual)
    assert all(np.abs(picture - usual).max() > 4 for picture in (pictures[0], pictures[2]))


def test_face_restoration(webui: Webui) -> None:
    """One model that is there, and one whose weights are missing: the host gives its input back."""
    plain = detailed(webui)
    missing = detailed(webui, restore="CodeFormer")
    assert np.array_equal(missing.picture, plain.picture)
    assert "The face restoration CodeFormer could not be loaded" in missing.told["Finisher notes"]
    first, again = (detailed(webui, restore="GFPGAN", restore_blend=1.0) for _ in range(2))
    assert np.array_equal(first.picture, again.picture)
    assert np.abs(first.picture.astype(int) - plain.picture).max() > 8
    assert "Finisher notes" not in first.told or "GFPGAN" not in first.told["Finisher notes"]
    unknown = detailed(webui, restore="Nobody")
    assert np.array_equal(unknown.picture, plain.picture)
    assert "Nobody" in unknown.told["Finisher notes"]
