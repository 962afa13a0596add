"""Finish only inside the stand-in: what a picture's file says wrongly never gets the picture sampled."""

from __future__ import annotations

import base64
import io
import json
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

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


SWARM = json.dumps({"sui_image_params": {"prompt": "a fox", "negativeprompt": "blur", "seed": 2**63 + 5, "steps": 12}})
LINE = f"Steps: 12, Sampler: Euler a, CFG scale: 5, Seed: {2**63 + 5}, Size: 201x150"
GRAPH = json.dumps({
    "3": {"inputs": {"seed": 2**63 + 5, "steps": 12, "cfg": 5, "positive": ["6", 0], "latent_image": ["5", 0]}},
    "6": {"inputs": {"text": "a fox"}},
})  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        {"parameters": SWARM},
        {"parameters": f"a fox\n{LINE}\nTemplate: a {{fox|cat}}"},
        {"prompt": GRAPH, "workflow": "{}"},
    ],
    ids=["SwarmUI", "lines behind", "ComfyUI"],
)
def test_what_any_program_wrote_counts_and_stays(host: Standin, told: dict[str, str]) -> None:
    info = PngImagePlugin.PngInfo()
    for key, text in told.items():
        info.add_text(key, text)
    buffer = io.BytesIO()
    with Image.open(PORTRAIT) as portrait:
        picture = portrait.convert("RGB").crop((0, 0, 201, 150))
    picture.save(buffer, "PNG", pnginfo=info)
    given = base64.b64encode(buffer.getvalue()).decode()
    before = set(host.data.rglob("*.png"))
    done = Webui(host.url).img2img(
        np.asarray(picture), NOTHING, init_images=[given], prompt="", negative_prompt="", seed=1, save_images=True
    )
    assert np.array_equal(done.picture, np.asarray(picture))
    assert done.infotexts[0].startswith("a fox\n")
    assert f"Seed: {2**63 + 5}," in done.infotexts[0]
    assert "Steps: 12," in done.infotexts[0]
    (file,) = set(host.data.rglob("*.png")) - before
    with Image.open(file) as saved:
        assert saved.info["parameters"] == done.infotexts[0]
        kept = {key: text for key, text in told.items() if key != "parameters"}
        kept |= {"source parameters": SWARM} if told.get("parameters") == SWARM else {}
        assert {key: saved.info.get(key) for key in kept} == kept
