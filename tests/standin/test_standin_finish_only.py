"""Finish only inside the stand-in: what a picture's file says wrongly never gets the picture sampled."""

from __future__ import annotations

import base64
import io
import struct

import numpy as np
import pytest
from PIL import Image

from tests.conftest import PORTRAIT
from tests.smoke.client import Webui, off, recipe
from tests.standin.server import GRADIOS, Standin, standin

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Corrupt EXIF data")]
NOTHING = recipe(base={"finish_only": True}, **off("refine", "detail", "upscale", "texture", "grade"))
SEED = 99
# One block with one entry, the orientation; then where the next block lies.
ONE_BLOCK = b"Exif\0\0II*\0" + struct.pack("<LHHHLL", 8, 1, 0x0112, 3, 1, 1)
WHOLE = ONE_BLOCK + struct.pack("<L", 0)
DAMAGED = {"the next block lies outside": ONE_BLOCK + struct.pack("<L", 0xFFFFFFF0), "cut short": ONE_BLOCK}


@pytest.fixture(scope="module", params=GRADIOS)
def host(request: pytest.FixtureRequest) -> Standin:
    return standin(request.param)


def photograph(exif: bytes) -> tuple[str, np.ndarray]:
    """A JPEG with this EXIF, as the API takes it, and its pixels."""
    data = io.BytesIO()
    with Image.open(PORTRAIT) as portrait:
        portrait.convert("RGB").crop((0, 0, 201, 150)).save(data, "JPEG", exif=exif)
    return base64.b64encode(data.getvalue()).decode(), np.asarray(Image.open(data).convert("RGB"))


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_photograph_whose_exif_the_host_cannot_read_is_not_sampled(host: Standin, damage: str) -> None:
    webui = Webui(host.url)
    given, pixels = photograph(DAMAGED[damage])
    # The host's reader does fail here, where the same photograph with a whole block is read.
    with pytest.raises(OSError, match="500"):
        webui.post("/sdapi/v1/png-info", {"image": given})
    webui.post("/sdapi/v1/png-info", {"image": photograph(WHOLE)[0]})
    log = host.data / "log.txt"
    before = log.stat().st_size
    done = webui.img2img(pixels, NOTHING, init_images=[given], prompt="", negative_prompt="", seed=SEED)
    assert np.array_equal(done.picture, pixels)
    assert done.told["Finisher stages"] == "none"
    # Without an infotext what is set holds.
    assert f"Seed: {SEED}," in done.infotexts[0]
    assert "Size: 201x150" in done.infotexts[0]
    said = log.read_text(errors="replace")[before:]
    assert "What is written in a picture's file cannot be read" in said
    assert "Error running" not in said


def test_the_next_picture_is_sampled_as_ever(host: Standin) -> None:
    webui = Webui(host.url)
    given, pixels = photograph(DAMAGED["cut short"])
    common = {"init_images": [given], "prompt": "", "seed": SEED, "width": 128, "height": 96}
    plain = webui.img2img(pixels, **common)
    webui.img2img(pixels, NOTHING, **common)
    assert np.array_equal(webui.img2img(pixels, **common).picture, plain.picture)
