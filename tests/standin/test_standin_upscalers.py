"""Upscalers of the host that hand back a black picture, or one that is black in part."""

from __future__ import annotations

import numpy as np
import pytest

from lib_finisher.imaging.files import load_picture
from tests.conftest import PORTRAIT, ROOT
from tests.smoke.client import Result, Webui, off, recipe
from tests.standin.server import GRADIOS, standin

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def webui() -> Webui:
    """One gradio is enough: nothing of this is on the page."""
    extension = ROOT / "tests" / "standin" / "broken_upscalers"
    return Webui(standin(GRADIOS[0], "--extension", str(extension)).url)


def enlarged(webui: Webui, upscaler: str) -> Result:
    portrait = (load_picture(PORTRAIT).pixels[:192, 96:288] * 255 + 0.5).astype(np.uint8)
    one = {"factor": 2, "upscaler": upscaler, "method": "upscaler only"}
    data = recipe(**off("refine", "detail", "texture", "grade"), base={"finish_only": True}, upscale={"passes": [one]})
    return webui.img2img(portrait, data)


@pytest.mark.parametrize(
    ("name", "told"), [("2x-nan", "not numbers"), ("2x-hole", "not numbers"), ("2x-tile", "black or burnt out areas")]
)
def test_a_picture_that_the_host_lost_is_not_used(webui: Webui, name: str, told: str) -> None:
    plain, done = enlarged(webui, "Lanczos"), enlarged(webui, name)
    np.testing.assert_array_equal(done.picture, plain.picture)
    note = str(done.told)
    assert f"the upscaler {name} could not be used, Lanczos took its place" in note, note
    assert told in note


def test_one_that_works_is_used(webui: Webui) -> None:
    plain, done = enlarged(webui, "Lanczos"), enlarged(webui, "2x-standin")
    assert "could not be used" not in str(done.told)
    assert not np.array_equal(done.picture, plain.picture)
