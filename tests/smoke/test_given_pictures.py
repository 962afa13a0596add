"""Pictures that are given, not generated: finish only, masks, and what the base's texts carry."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lib_finisher.stages.sections import NAMES
from tests.smoke.client import Result, Webui, encoded, off, recipe

REFINE = {"denoising_strength": 0.5, "steps": 6}
NOTHING = {**off(*NAMES), "base": {"finish_only": True}}
ALONE = {**off(*(name for name in NAMES if name != "refine")), "refine": REFINE}


@pytest.fixture
def levels() -> np.ndarray:
    """Every 8-bit level in every channel, at a size that no model would choose."""
    height, width = 217, 301
    ramp = np.arange(height * width, dtype=np.int64).reshape(height, width)
    return np.stack([ramp % 256, (ramp // 7) % 256, (ramp * 3 + 11) % 256], axis=-1).astype(np.uint8)


@pytest.fixture
def marked(draft: Result) -> tuple[str, np.ndarray]:
    """A mask for the draft: its lower right quarter; as the API takes it, and as booleans."""
    mask = np.zeros((256, 256), np.uint8)
    mask[128:, 128:] = 255
    return encoded(np.repeat(mask[..., None], 3, axis=2)), mask > 0


def test_a_picture_arrives_bit_for_bit_at_its_own_size(webui: Webui, levels: np.ndarray) -> None:
    done = webui.img2img(levels, recipe(**NOTHING), width=512, height=512, steps=20)
    webui.txt2img()
    assert np.array_equal(done.picture, levels)
    assert "Size: 301x217" in done.infotexts[0]
    assert done.told["Finisher stages"] == "none"
    assert "Finisher error" not in done.told
    # No step of the twenty was sampled.
    assert done.seconds < 3


def test_transparency_that_only_hides_something_changes_nothing(webui: Webui, levels: np.ndarray) -> None:
    """Forge keeps the infotext in the last bit of the transparency, where it was told to."""
    alpha = np.random.default_rng(1).integers(254, 256, levels.shape[:2], dtype=np.uint8)
    done = webui.img2img(np.dstack([levels, alpha]), recipe(**NOTHING))
    webui.txt2img()
    assert np.array_equal(done.picture, levels)


@pytest.mark.parametrize("stages", [{"upscale": {"passes": [{"factor": 2, "method": "upscaler only"}]}}, {}])
def test_transparency_stays_and_what_it_hides_is_not_seen(webui: Webui, stages: dict[str, Any]) -> None:
    """Also where no stage runs: the host's picture is no less transparent than the one that was given."""
    y, x = np.mgrid[:96, :96]
    alpha = np.rint(255 * np.clip(30.5 - np.hypot(x - 47.5, y - 47.5), 0, 1)).astype(np.uint8)
    made = []
    for hidden in (0, 255):
        sprite = np.full((96, 96, 4), hidden, np.uint8)
        sprite[alpha > 0, :3] = (250, 200, 90)
        sprite[..., 3] = alpha
        arguments = [recipe(**{**NOTHING, **stages})]
        body = {
            "init_images": [encoded(sprite)], "prompt": "a sprite", "steps": 2, "seed": 1, "width": 96, "height": 96,
            "alwayson_scripts": {"Finisher": {"args": arguments}},
        }  # fmt: skip
        text = webui.post("/sdapi/v1/img2img", body)["images"][0]
        made.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))).astype(int))
    webui.txt2img()
    side = 192 if stages else 96
    for picture in made:
        assert picture.shape == (side, side, 4)
        seen = picture[..., 3] > 24
        assert 0.2 < seen.mean() < 0.4
        assert np.abs(picture[seen][:, :3] - (250, 200, 90)).max() <= 3
    assert np.array_equal(made[0][..., 3], made[1][..., 3])


def test_a_wrong_recipe_leaves_the_given_picture(webui: Webui, levels: np.ndarray) -> None:
    for wrong in ({"refine": {"steps": 10**6}}, {"base": {"finish_only": True, "mask": "no"}}):
        done = webui.img2img(levels, recipe(**{"base": {"finish_only": True}, **wrong}))
        assert np.array_equal(done.picture, levels)
        assert done.told["Finisher error"]
    webui.txt2img()


def test_finish_only_runs_the_chain(webui: Webui, draft: Result) -> None:
    data = {**ALONE, "base": {"finish_only": True}, "upscale": {"passes": [{"factor": 1.5, "method": "upscaler only"}]}}
    done = webui.img2img(draft.picture, recipe(**data), width=512, height=640)
    again = webui.img2img(draft.picture, recipe(**data), width=64, height=64)
    webui.txt2img()
    assert done.size == (384, 384)
    assert done.told["Finisher stages"] == "refine, upscale"
    assert json.loads(done.told["Finisher"])["base"] == {"finish_only": True}
    assert np.array_equal(done.picture, again.picture)


def test_finish_only_makes_every_picture_of_a_batch(webui: Webui, draft: Result) -> None:
    done = webui.img2img(draft.picture, recipe(**ALONE, base={"finish_only": True}), batch_size=2, n_iter=2, seed=11)
    single = webui.img2img(draft.picture, recipe(**ALONE, base={"finish_only": True}), seed=14)
    webui.txt2img()
    pictures = [item for item in done.pictures if item.shape == (256, 256, 3)]
    assert len(pictures) == 4
    assert len({item.tobytes() for item in pictures}) == 4
    assert np.abs(pictures[3].astype(int) - single.picture.astype(int)).max() <= 2


def test_given_pictures_of_different_sizes(webui: Webui, levels: np.ndarray) -> None:
    other = levels[:100, :150].copy()
    done = webui.img2img(levels, recipe(**NOTHING), init_images=[encoded(levels), encoded(other)], batch_size=2)
    webui.txt2img()
    found = {item.shape: item for item in done.pictures}
    assert np.array_equal(found[levels.shape], levels)
    assert np.array_equal(found[other.shape], other)


def test_a_picture_without_a_typed_prompt_brings_its_own(webui: Webui, draft: Result) -> None:
    told = PngInfo()
    told.add_text("parameters", draft.infotexts[0])
    data = io.BytesIO()
    Image.fromarray(draft.picture).save(data, "PNG", pnginfo=told)
    given = base64.b64encode(data.getvalue()).decode()
    common = {"init_images": [given], "prompt": "", "negative_prompt": "", "seed": 99}
    own = webui.img2img(draft.picture, recipe(**ALONE, base={"finish_only": True}), **common)
    assert own.infotexts[0].startswith("a red circle on a green field\nNegative prompt: blue")
    assert "Seed: 7," in own.infotexts[0]
    typed = webui.img2img(draft.picture, recipe(**ALONE, base={"finish_only": True}), **{**common, "prompt": "a house"})
    assert typed.infotexts[0].startswith("a house")
    assert "Seed: 99," in typed.infotexts[0]
    negative = {**common, "negative_prompt": "grey"}
    both = webui.img2img(draft.picture, recipe(**ALONE, base={"finish_only": True}), **negative)
    assert both.infotexts[0].startswith("a red circle on a green field\nNegative prompt: grey")
    left = {"finish_only": True, "own_infotext": False}
    none = webui.img2img(draft.picture, recipe(**ALONE, base=left), **common)
    assert "Seed: 99," in none.infotexts[0]
    webui.txt2img()


def test_a_mask_restricts_the_stages(webui: Webui, draft: Result, marked: tuple[str, np.ndarray]) -> None:
    mask, inside = marked
    data = {**ALONE, "base": {"finish_only": True, "mask": "restrict"}, "grade": {"contrast": 0.5, "grain": 0.0}}
    done = webui.img2img(draft.picture, recipe(**data), mask=mask, mask_blur=0)
    webui.txt2img()
    assert done.told["Finisher stages"] == "refine, grade"
    assert np.array_equal(done.picture[~inside], draft.picture[~inside])
    assert (done.picture[inside] != draft.picture[inside]).mean() > 0.5


def test_a_mask_goes_to_repair(webui: Webui, draft: Result, marked: tuple[str, np.ndarray]) -> None:
    mask, _ = marked
    others = off(*(name for name in NAMES if name != "repair"))
    data = {**others, "base": {"finish_only": True}, "repair": {"enabled": True, "mask_blur": 4, "steps": 6}}
    done = webui.img2img(draft.picture, recipe(**data), mask=mask)
    inverted = webui.img2img(draft.picture, recipe(**data), mask=mask, inpainting_mask_invert=1)
    ignored = webui.img2img(
        draft.picture, recipe(**{**data, "base": {"finish_only": True, "mask": "ignore"}}), mask=mask
    )
    webui.txt2img()
    assert done.told["Finisher stages"] == "repair"
    changed = (done.picture != draft.picture).any(axis=2)
    assert changed[160:, 160:].mean() > 0.5
    assert not changed[:100, :100].any()
    assert (inverted.picture != draft.picture).any(axis=2)[:100, :100].mean() > 0.5
    assert np.array_equal(ignored.picture, draft.picture)


@pytest.mark.parametrize("only_masked", [False, True])
def test_after_an_inpainting_the_mask_goes_to_repair_too(
    webui: Webui, draft: Result, marked: tuple[str, np.ndarray], only_masked: bool
) -> None:
    mask, _ = marked
    others = off(*(name for name in NAMES if name not in ("repair", "upscale")))
    data = {
        **others,
        "repair": {"enabled": True, "steps": 6},
        "upscale": {"passes": [{"factor": 1.5, "method": "upscaler only"}]},
    }
    common = {"mask": mask, "inpaint_full_res": only_masked, "inpainting_fill": 1, "denoising_strength": 0.5}
    plain = webui.img2img(draft.picture, **common)
    done = webui.img2img(draft.picture, recipe(**data), **common)
    webui.txt2img()
    assert "Finisher error" not in done.told
    assert done.told["Finisher stages"] == "repair, upscale"
    assert plain.size == (256, 256)
    assert done.size == (384, 384)
    # Beside the mask it is the plain picture, enlarged.
    small = np.asarray(Image.fromarray(done.picture).resize((256, 256), Image.Resampling.BOX)).astype(int)
    assert np.abs(small - plain.picture.astype(int))[:100, :100].mean() < 6


def test_the_size_stays_where_the_host_composes_the_mask(
    webui: Webui, draft: Result, marked: tuple[str, np.ndarray]
) -> None:
    mask, _ = marked
    data = {**ALONE, "upscale": {"passes": [{"factor": 1.5, "method": "upscaler only"}]}}
    webui.post("/sdapi/v1/options", {"return_mask_composite": True})
    try:
        done = webui.img2img(draft.picture, recipe(**data), mask=mask)
    finally:
        webui.post("/sdapi/v1/options", {"return_mask_composite": False})
    webui.txt2img()
    assert done.told["Finisher stages"] == "refine"
    assert done.size == (256, 256)
    assert "Finisher error" not in done.told


def test_special_settings_of_a_stage_take_effect(webui: Webui, draft: Result) -> None:
    base = {"finish_only": True}
    for sampler, extra in (("Euler", {"clip_skip": 3}), ("Euler a", {"eta": 0.0}), ("DPM++ SDE", {"s_noise": 0.9})):
        settings = {**REFINE, "sampler": sampler}
        plain = webui.img2img(draft.picture, recipe(**{**ALONE, "refine": settings, "base": base}))
        done = webui.img2img(draft.picture, recipe(**{**ALONE, "refine": {**settings, **extra}, "base": base}))
        assert "Finisher error" not in done.told
        assert not np.array_equal(done.picture, plain.picture), extra
    webui.txt2img()


def test_what_a_host_lacks_is_left_out_and_told(webui: Webui, draft: Result) -> None:
    data = {**ALONE, "refine": {**REFINE, "distilled_cfg_scale": 2.0}, "base": {"finish_only": True}}
    done = webui.img2img(draft.picture, recipe(**data))
    webui.txt2img()
    assert "Finisher error" not in done.told
    if (
        webui.get("/openapi.json")["components"]["schemas"]
        .get("StableDiffusionProcessingImg2Img", {})
        .get("properties", {})
        .get("distilled_cfg_scale")
    ):
        assert "Finisher notes" not in done.told
    else:
        assert "no distilled cfg scale" in done.told["Finisher notes"]


def test_a_lora_of_the_base_holds_in_the_stages(webui: Webui, draft: Result) -> None:
    """An own prompt without a tag carries the base's; with the carrying off, or another tag, it does not."""
    loras = [item["name"] for item in webui.get("/sdapi/v1/loras")]
    if not loras:
        pytest.skip("the host has no LoRA")
    tag = f"<lora:{loras[0]}:1>"

    def made(typed: str, **stage: object) -> np.ndarray:
        data = {**ALONE, "refine": {**REFINE, **stage}, "base": {"finish_only": True}}
        done = webui.img2img(draft.picture, recipe(**data), prompt=typed)
        assert "Finisher error" not in done.told
        return done.picture

    plain, with_lora = made("a house"), made(f"a house {tag}")
    carried = made(f"a field {tag}", prompt="a house")
    dropped = made(f"a field {tag}", prompt="a house", carry=False)
    own = made("a field", prompt=f"a house {tag}")
    # And what follows is as if nothing had been loaded.
    after = made("a house")
    webui.txt2img()
    assert not np.array_equal(plain, with_lora)
    assert np.array_equal(carried, with_lora)
    assert np.array_equal(own, with_lora)
    assert np.array_equal(dropped, plain)
    assert np.array_equal(after, plain)


def test_a_lora_holds_for_the_later_pictures_of_a_run(webui: Webui, draft: Result) -> None:
    loras = [item["name"] for item in webui.get("/sdapi/v1/loras")]
    if not loras:
        pytest.skip("the host has no LoRA")
    prompt = f"a house <lora:{loras[0]}:1>"
    stages = {**ALONE, "refine": {**REFINE, "prompt": "a field", "carry": False}}
    both = webui.txt2img(recipe(**stages), prompt=prompt, n_iter=2, seed=3)
    alone = webui.txt2img(recipe(**stages), prompt=prompt, seed=4)
    webui.txt2img()
    assert np.array_equal(both.pictures[-1], alone.picture)
