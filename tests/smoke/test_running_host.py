"""Finisher inside a running web UI, through its API."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import numpy as np
import pytest

from lib_finisher import __version__
from lib_finisher.imaging.files import load_picture
from lib_finisher.recipe import read_recipe
from tests.conftest import PORTRAIT
from tests.smoke.client import Result, Webui, encoded, off, recipe

GENTLE = {"denoising_strength": 0.3}
CHAIN = recipe(
    refine=GENTLE,
    detail={"passes": [{}]},
    upscale={"passes": [{"factor": 1.5, **GENTLE}]},
    texture={"enabled": False},
    grade={"contrast": 0.2, "grain": 0.0},
)
REFINE_ONLY = off("detail", "upscale", "texture", "grade")


def test_switched_off_changes_no_bit(webui: Webui, draft: Result) -> None:
    for arguments in ((), ({"enabled": False},), (False, "{}"), ('{"enabled": false}',)):
        again = webui.txt2img(*arguments)
        assert np.array_equal(again.picture, draft.picture)
        assert again.infotexts == draft.infotexts


def test_txt2img_through_the_whole_chain(webui: Webui, draft: Result) -> None:
    done = webui.txt2img(CHAIN)
    assert done.size == (384, 384)
    assert done.told["Finisher size"] == "384 x 384"
    assert done.told["Finisher version"] == __version__
    assert done.told["Finisher stages"] == "refine, upscale, grade"
    assert "Finisher error" not in done.told
    assert "Size: 256x256" in done.infotexts[0]
    assert done.seconds > draft.seconds
    # It is the same picture, enlarged.
    small = done.picture.reshape(128, 3, 128, 3, 3).mean((1, 3))
    assert np.abs(small - draft.picture.reshape(128, 2, 128, 2, 3).mean((1, 3))).mean() < 25
    again = webui.txt2img(CHAIN)
    assert np.array_equal(again.picture, done.picture)


def test_the_recorded_recipe_gives_the_same_picture(webui: Webui) -> None:
    first = webui.txt2img(CHAIN)
    recorded = json.loads(first.told["Finisher"])
    read_recipe(recorded)
    assert np.array_equal(webui.txt2img({"enabled": True, "recipe": recorded}).picture, first.picture)
    assert np.array_equal(webui.txt2img(True, json.dumps(recorded)).picture, first.picture)


def test_img2img_through_the_whole_chain(webui: Webui, draft: Result) -> None:
    plain = webui.img2img(draft.picture, denoising_strength=0.5)
    done = webui.img2img(draft.picture, CHAIN, denoising_strength=0.5)
    assert plain.size == (256, 256)
    assert done.size == (384, 384)
    assert done.told["Finisher stages"] == "refine, upscale, grade"
    assert done.told["Denoising strength"] == 0.5


def test_token_merging_holds_for_the_later_pictures(webui: Webui) -> None:
    """The host turns it off at the end of every call, nested ones too."""
    webui.post("/sdapi/v1/options", {"token_merging_ratio": 0.5})
    try:
        both = webui.txt2img(recipe(**REFINE_ONLY), n_iter=2, seed=3)
        alone = webui.txt2img(recipe(**REFINE_ONLY), seed=4)
    finally:
        webui.post("/sdapi/v1/options", {"token_merging_ratio": 0.0})
    plain = webui.txt2img(recipe(**REFINE_ONLY), seed=4)
    assert np.array_equal(both.pictures[-1], alone.picture)
    assert not np.array_equal(plain.picture, alone.picture)


def test_a_batch_finishes_every_picture(webui: Webui) -> None:
    plain = webui.txt2img(batch_size=2, n_iter=2, seed=3)
    done = webui.txt2img(recipe(**REFINE_ONLY), batch_size=2, n_iter=2, seed=3)
    pictures = [item for item in done.pictures if item.shape[:2] == (256, 256)]
    drafts = [item for item in plain.pictures if item.shape[:2] == (256, 256)]
    assert len(pictures) == len(drafts) == 4
    # The drafts of the later pictures were not disturbed: finished alone, one comes out the same.
    alone = webui.txt2img(recipe(**REFINE_ONLY), seed=6)
    assert np.abs(alone.picture.astype(int) - pictures[3].astype(int)).max() <= 2
    for before, after in zip(drafts, pictures):
        assert not np.array_equal(before, after)


def test_the_pictures_of_a_batch_are_finished_together(webui: Webui) -> None:
    """Nothing else in this host works on pictures; otherwise they would be finished one by one."""
    seen: list[str] = []
    done = webui.while_running(
        "Finisher: Refine",
        lambda: seen.append(_until_sampling(webui)),
        lambda: webui.txt2img(recipe(**REFINE_ONLY, refine={"steps": 30, "denoising_strength": 0.8}), batch_size=2),
    )
    webui.txt2img()
    assert len([item for item in done.pictures if item.shape[:2] == (256, 256)]) == 2
    assert seen == ["Finisher: Refine, whole frame and 1 more"]


@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "LCM", "DDIM", "UniPC", "PLMS"])
def test_a_face_is_redrawn_and_nothing_else(webui: Webui, sampler: str) -> None:
    """Detail: a soft mask in a batch of crops, with every kind of sampler."""
    portrait = (load_picture(PORTRAIT).pixels[:384, :384] * 255 + 0.5).astype(np.uint8)
    common = {"width": 384, "height": 384, "denoising_strength": 0.02, "steps": 8, "sampler_name": "Euler"}
    plain = webui.img2img(portrait, **common)
    # The tiny checkpoints know no faces, so the gate that asks the detector is off.
    one = {"denoising_strength": 0.6, "width": 256, "height": 256, "gate": 1.0, "sampler": sampler}
    only = {**off("refine", "upscale", "texture", "grade"), "detail": {"passes": [one]}}
    done = webui.img2img(portrait, recipe(**only), **common)
    webui.txt2img()
    assert "Finisher error" not in done.told
    assert done.told["Finisher stages"] == "detail"
    # The host's img2img repeats itself within one or two levels only: its VAE draws from an unseeded generator.
    changed = np.abs(done.picture.astype(int) - plain.picture.astype(int)).max(axis=2) > 2
    rows, columns = np.nonzero(changed)
    assert 0.005 < changed.mean() < 0.6, done.told
    assert (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1) < 0.7 * changed.size


def test_an_unknown_key_is_told_and_leaves_the_picture(webui: Webui, draft: Result) -> None:
    wrong = (
        recipe(refine={"denoising_strength": 7}),
        {"enabled": True, "recipes": {}},
        {"enabled": "yes"},
        '{"enabled": true, "recipe": 3}',
        "{",
    )
    for argument in wrong:
        done = webui.txt2img(argument)
        assert np.array_equal(done.picture, draft.picture)
        assert done.told["Finisher error"]
        assert "Finisher error" in done.infotexts[0]


def test_an_unknown_stage_or_control_is_left_out_with_a_note(webui: Webui, draft: Result) -> None:
    done = webui.txt2img(recipe(upscal={}, refine={"enabled": False, "denoise": 0.3}, **REFINE_ONLY))
    assert np.array_equal(done.picture, draft.picture)
    assert "Did you mean 'upscale'?" in done.told["Finisher notes"]
    assert "Did you mean 'denoising_strength'?" in done.told["Finisher notes"]


def test_a_checkpoint_for_one_stage(webui: Webui, draft: Result) -> None:
    names = [item["model_name"] for item in webui.get("/sdapi/v1/sd-models")]
    current = re.search(r"Model: ([^,]+)", draft.infotexts[0])
    assert current is not None
    others = [name for name in names if name != current[1]]
    if not others:
        pytest.skip("the host has one checkpoint only")
    data = dict(REFINE_ONLY)
    plain = webui.txt2img(recipe(**data, refine={"denoising_strength": 0.5}))
    swapped = webui.txt2img(recipe(**data, refine={"denoising_strength": 0.5, "checkpoint": others[0]}))
    assert "Finisher error" not in swapped.told
    assert not np.array_equal(swapped.picture, plain.picture)
    assert f"Model: {current[1]}" in swapped.infotexts[0]
    # And the user's own checkpoint makes the next picture.
    assert np.array_equal(webui.txt2img().picture, draft.picture)


def test_an_unknown_checkpoint_or_sampler_fails_its_stage_only(webui: Webui, draft: Result) -> None:
    for name in ("checkpoint", "sampler", "scheduler", "vae"):
        done = webui.txt2img(recipe(**REFINE_ONLY, refine={**GENTLE, name: "no such thing"}))
        assert "'no such thing'" in done.told["Finisher error"], name
        assert np.array_equal(done.picture, draft.picture)


def test_interrupted_in_a_stage_keeps_the_last_complete_one(webui: Webui, draft: Result) -> None:
    quick = {**off("texture", "grade"), "detail": {"enabled": False}, "refine": GENTLE}
    slow = {"passes": [{"factor": 2.0, "method": "tiled", "tile": 256, "steps": 30, "denoising_strength": 0.6}]}
    complete = webui.txt2img(recipe(**{**quick, "upscale": {"enabled": False}}))
    done = webui.while_running(
        "Finisher: Upscale",
        lambda: webui.post("/sdapi/v1/interrupt", {}),
        lambda: webui.txt2img(recipe(**quick, upscale=slow)),
    )
    assert "interrupted in upscale" in done.told["Finisher error"]
    assert done.told["Finisher stages"] == "refine"
    assert np.array_equal(done.picture, complete.picture)
    # The host is as usable as before.
    assert np.array_equal(webui.txt2img().picture, draft.picture)


def test_a_skipped_stage_is_left_out_and_the_rest_runs(webui: Webui, draft: Result) -> None:
    data = {**off("detail", "texture"), "refine": GENTLE, "grade": {"grain": 0.0, "contrast": 0.2}}
    slow = {"passes": [{"factor": 2.0, "method": "tiled", "tile": 256, "steps": 30, "denoising_strength": 0.6}]}
    done = webui.while_running(
        "Finisher: Upscale",
        lambda: webui.post("/sdapi/v1/skip", {}),
        lambda: webui.txt2img(recipe(**data, upscale=slow)),
    )
    assert done.told["Finisher stages"] == "refine, grade"
    assert done.size == (256, 256)
    assert np.array_equal(webui.txt2img().picture, draft.picture)


def test_interrupted_before_it_begins_leaves_the_picture(webui: Webui, draft: Result) -> None:
    def interrupt_the_sampling() -> None:
        # Heard before the first step, the host itself makes no picture.
        while (now := webui.get("/sdapi/v1/progress?skip_current_image=true")["state"])["job"]:
            if now["sampling_step"] > 1:
                break
            time.sleep(0.02)
        webui.post("/sdapi/v1/interrupt", {})

    done = webui.while_running(
        "scripts_txt2img", interrupt_the_sampling, lambda: webui.txt2img(CHAIN, steps=60, width=512, height=512)
    )
    webui.txt2img()
    assert done.size == (512, 512)
    assert "interrupted before it could be finished" in done.told["Finisher error"]


def test_stop_after_current_finishes_the_picture_in_hand(webui: Webui, draft: Result) -> None:
    """With more than one job the page's Interrupt first means: after this picture."""
    data = {**off("detail", "texture", "grade"), "refine": GENTLE, "upscale": {"passes": [{"factor": 1.5, **GENTLE}]}}
    whole = webui.txt2img(recipe(**data))
    done = webui.while_running(
        "Finisher: Refine",
        lambda: webui.press("txt2img_interrupt"),
        lambda: webui.txt2img(recipe(**data), n_iter=3),
    )
    assert len(done.pictures) == 1
    assert done.told["Finisher stages"] == "refine, upscale"
    assert np.array_equal(done.picture, whole.picture)
    assert np.array_equal(webui.txt2img().picture, draft.picture)


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ SDE", "DDIM"])
def test_a_crop_does_not_depend_on_its_batch(webui: Webui, sampler: str) -> None:
    face = (load_picture(PORTRAIT).pixels[:256, 96:352] * 255 + 0.5).astype(np.uint8)
    smaller = np.full_like(face, 128)
    smaller[64:192, 64:192] = face[::2, ::2]
    picture = np.hstack([face, smaller])
    common = {"width": 512, "height": 256, "denoising_strength": 0.02, "steps": 8, "sampler_name": "Euler"}
    results = []
    for most in (1, 0):
        one = {"denoising_strength": 0.6, "width": 256, "height": 256, "gate": 1.0, "sampler": sampler, "most": most}
        # The host's own VAE draws go on where the last txt2img left the generator.
        webui.txt2img()
        data = recipe(**off("refine", "upscale", "texture", "grade"), detail={"passes": [one]})
        results.append(webui.img2img(picture, data, **common).picture.astype(int))
    webui.txt2img()
    change = np.abs(results[0] - results[1])
    # The last bits depend on how the device adds up a batch; nothing else may.
    assert change[:, :240].max() <= 2
    assert change[:, 256:].max() > 20


def test_the_hosts_mask_composite_is_not_spoilt(webui: Webui, draft: Result) -> None:
    mask = np.zeros_like(draft.picture)
    mask[60:160, 60:160] = 255
    common = {"mask": encoded(mask), "inpaint_full_res": True, "inpainting_fill": 1, "denoising_strength": 0.5}
    data = recipe(refine=GENTLE, detail={"enabled": False}, upscale={"passes": [{"factor": 1.5}]})
    assert webui.img2img(draft.picture, data, **common).size == (384, 384)
    # Not by override_settings: the host keeps those for ever whose names its configuration file lacks.
    webui.post("/sdapi/v1/options", {"return_mask_composite": True})
    try:
        composed = webui.img2img(draft.picture, data, **common)
    finally:
        webui.post("/sdapi/v1/options", {"return_mask_composite": False})
    assert [item.shape for item in composed.pictures] == [(256, 256, 3)] * 2


def test_a_second_press_of_the_pages_button_interrupts(webui: Webui, draft: Result) -> None:
    """The first one means: after this picture. The second may come in a later nested call."""
    slow = {"passes": [{"factor": 2.0, "method": "tiled", "tile": 160, "steps": 20, "denoising_strength": 0.6}]}

    def state() -> dict[str, Any]:
        return dict(webui.get("/sdapi/v1/progress?skip_current_image=true")["state"])

    def press_twice() -> None:
        webui.press("txt2img_interrupt")
        first = state()["job_no"]
        # Into the sampling of the next call.
        while (now := state())["job"] and (now["job_no"] == first or now["sampling_step"] < 2):
            time.sleep(0.05)
        webui.press("txt2img_interrupt")

    done = webui.while_running(
        "Finisher: Upscale",
        press_twice,
        lambda: webui.txt2img(recipe(**off("refine", "detail"), upscale=slow), n_iter=2),
    )
    assert "interrupted in upscale" in done.told["Finisher error"]
    assert np.array_equal(done.picture, draft.picture)
    assert np.array_equal(webui.txt2img().picture, draft.picture)


def test_the_hosts_hires_fix_is_part_of_the_base(webui: Webui) -> None:
    data = recipe(
        **off("refine", "detail", "texture", "grade"), upscale={"passes": [{"factor": 1.5, "method": "upscaler only"}]}
    )
    # Forge raises without the modules' choice; the others do not know it.
    hires = {"enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Latent", "hr_additional_modules": ["Use same choices"]}
    done = webui.txt2img(data, **hires, denoising_strength=0.5)
    webui.txt2img()
    assert done.size == (576, 576)
    told = "hires fix is part of the base: 256 x 256 became 384 x 384 by it, and the stages made that 576 x 576"
    assert told in done.told["Finisher notes"]


def test_a_request_with_its_own_checkpoint(webui: Webui, draft: Result) -> None:
    """The request's checkpoint is the base's; a stage may name the user's own; afterwards that one is back."""
    names = [item["model_name"] for item in webui.get("/sdapi/v1/sd-models")]
    other = next((name for name in names if f"Model: {name}," not in draft.infotexts[0]), None)
    if other is None:
        pytest.skip("the host has one checkpoint only")
    settings = {"sd_model_checkpoint": other}
    done = webui.txt2img(recipe(**REFINE_ONLY, refine=GENTLE), override_settings=settings)
    named = webui.txt2img(recipe(**REFINE_ONLY, refine={**GENTLE, "checkpoint": other}), override_settings=settings)
    assert f"Model: {other}" in done.infotexts[0]
    assert np.array_equal(done.picture, named.picture)
    assert np.array_equal(webui.txt2img().picture, draft.picture)


def test_the_infotext_brings_the_finishing_back(webui: Webui) -> None:
    first = webui.txt2img(CHAIN)
    assert np.array_equal(webui.txt2img(infotext=first.infotexts[0]).picture, first.picture)
    # An infotext without Finisher switches it off.
    plain = webui.txt2img()
    assert np.array_equal(webui.txt2img(infotext=plain.infotexts[0]).picture, plain.picture)


def test_an_error_inside_the_host_leaves_the_picture(webui: Webui, draft: Result) -> None:
    """This sampler fails on a single step: an exception out of the nested call's own sampling."""
    broken = {"sampler": "DPM fast", "steps": 8, "denoising_strength": 0.02}
    done = webui.txt2img(recipe(**REFINE_ONLY, refine=broken))
    assert "refine failed" in done.told["Finisher error"]
    assert np.array_equal(done.picture, draft.picture)
    assert np.array_equal(webui.txt2img().picture, draft.picture)


def test_the_finishing_is_in_the_progress(webui: Webui) -> None:
    seen = []
    webui.while_running(
        "Finisher: Refine",
        lambda: seen.append(webui.get("/sdapi/v1/progress?skip_current_image=true")),
        lambda: webui.txt2img(recipe(**REFINE_ONLY, refine={"steps": 40, "denoising_strength": 0.9})),
    )
    assert seen
    assert seen[0]["state"]["job_count"] == 2
    assert seen[0]["textinfo"] in ("Finisher: Refine", "Finisher: Refine, whole frame")
    assert seen[0]["progress"] < 1


def test_the_page_has_the_accordion_in_both_tabs(webui: Webui) -> None:
    components = webui.get("/config")["components"]
    ids = {item["props"].get("elem_id") for item in components}
    for tab in ("txt2img", "img2img"):
        assert f"finisher_{tab}_recipe" in ids
    boxes = [item for item in components if item["props"].get("elem_id") == "finisher_txt2img-checkbox"]
    assert boxes[0]["props"]["value"] is False


def _until_sampling(webui: Webui) -> str:
    for _ in range(100):
        text = webui.get("/sdapi/v1/progress?skip_current_image=true")["textinfo"] or ""
        if "," in text:
            return str(text)
    return ""
