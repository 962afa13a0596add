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


def with_infotext(text: str) -> tuple[str, np.ndarray]:
    """A PNG with that infotext, as the API takes it, and its pixels."""
    info, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("parameters", text)
    with Image.open(PORTRAIT) as portrait:
        picture = portrait.convert("RGB").crop((0, 0, 201, 150))
    picture.save(buffer, "PNG", pnginfo=info)
    return base64.b64encode(buffer.getvalue()).decode(), np.asarray(picture)


# The stand-in's parser has the hosts' expression: over the first of these it would take hours.
LONG = {"words": "word " * 200_000, "brackets": "(a" * 500_000, "tags": "<a:" * 300_000, "a value": f"a fox\n{LINE}, Odd: {'b ' * 500_000}"}  # noqa: E501  # fmt: skip


@pytest.mark.parametrize("what", LONG)
def test_an_infotext_of_a_mebibyte_holds_nobody_up(host: Standin, what: str) -> None:
    webui, (given, pixels) = Webui(host.url), with_infotext(LONG[what])
    done = webui.img2img(pixels, NOTHING, init_images=[given], prompt="", negative_prompt="", seed=SEED)
    assert np.array_equal(done.picture, pixels)
    assert (f"Seed: {2**63 + 5}," if what == "a value" else f"Seed: {SEED},") in done.infotexts[0]
    answer = webui.post(
        "/finisher/v1/finish", {"images": [given], "recipe": {"version": 2, **off("detail", "upscale")}}
    )
    notes = "; ".join(answer["notes"][0])
    assert ("the Prompt of the picture's infotext was left out" in notes) is (what != "a value")


def test_an_infotexts_numbers_go_through_the_limits_of_a_request(host: Standin) -> None:
    webui = Webui(host.url)
    line = f"Steps: 1000000000, Sampler: Nowhere, CFG scale: 1e14, Seed: {SEED + 1}, Size: 201x150"
    given, pixels = with_infotext(f"a fox\n{line}")
    done = webui.img2img(pixels, NOTHING, init_images=[given], prompt="", negative_prompt="", seed=SEED, steps=7)
    assert np.array_equal(done.picture, pixels)
    assert f"Seed: {SEED + 1}," in done.infotexts[0]
    assert "Steps: 7," in done.infotexts[0]
    assert "1e+14" not in done.infotexts[0]
    body = {"images": [given], "recipe": {"version": 2, **off("detail", "upscale")}}
    notes = "; ".join(webui.post("/finisher/v1/finish", body)["notes"][0])
    for word in ("Steps", "CFG scale", "Sampler"):
        assert f"the {word} of the picture's infotext was left out" in notes
    assert "Seed" not in notes
    own = {"steps": 5, "cfg_scale": 4, "sampler": "Euler"}
    notes = "; ".join(webui.post("/finisher/v1/finish", {**body, "base": own})["notes"][0])
    assert "was left out" not in notes, "what the request says itself is not taken from the picture"


def test_deep_json_is_refused_in_words_wherever_it_comes_in(host: Standin) -> None:
    webui = Webui(host.url)
    given, pixels = with_infotext("a fox")
    deep: object = 1
    for _ in range(400):
        deep = [deep]
    bodies = {"plan": {"image": given, "recipe": deep}, "detect": {"image": given, "x": deep},
              "finish": {"images": [given], "recipe": deep}, "presets": {"action": "show", "recipe": deep}}  # fmt: skip
    for path, body in bodies.items():
        with pytest.raises(OSError, match="422") as refused:
            webui.post(f"/finisher/v1/{path}", body)
        assert "nested deeper than 64 levels" in str(refused.value) + refused.value.read().decode()  # type: ignore[attr-defined]
    for data in ({"upscale": {"passes": deep}}, json.dumps({"upscale": {"passes": deep}})):
        done = webui.img2img(pixels, {"enabled": True, "recipe": data}, init_images=[given], prompt="a", steps=1)
        assert "nested deeper than 64 levels" in done.told["Finisher error"]
