"""Finisher inside the stand-in web UI, on both gradio generations, through the API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np
import pytest

from lib_finisher.imaging.files import load_picture
from tests.conftest import PORTRAIT
from tests.smoke.client import Result, Webui, encoded, off, recipe
from tests.standin.server import GRADIOS, Standin, standin

pytestmark = pytest.mark.slow
SIZE = {"width": 192, "height": 128}
GENTLE = {"denoising_strength": 0.3, "steps": 6}
REFINE_ONLY = {**off("detail", "upscale", "texture", "grade"), "refine": GENTLE}
CHAIN = recipe(
    refine=GENTLE,
    detail={"enabled": False},
    upscale={"passes": [{"factor": 1.5, **GENTLE}]},
    grade={"contrast": 0.2, "grain": 0.0},
)
SLOW = {"passes": [{"factor": 2.0, "method": "tiled", "tile": 256, "steps": 40, "denoising_strength": 0.6}]}


@pytest.fixture(scope="module", params=GRADIOS)
def host(request: pytest.FixtureRequest) -> Standin:
    return standin(request.param)


@pytest.fixture(scope="module")
def webui(host: Standin) -> Webui:
    return Webui(host.url)


@pytest.fixture(scope="module")
def draft(webui: Webui) -> Result:
    return webui.txt2img(**SIZE)


def test_a_draft_shows_what_was_asked_for_and_follows_the_seed(webui: Webui, draft: Result) -> None:
    red, green, _ = draft.picture.reshape(-1, 3).astype(int).T
    assert 0.05 < np.mean(red > green + 40) < 0.6, "a red shape"
    assert np.mean(green > red + 20) > 0.3, "a green field"
    other = webui.txt2img(**SIZE, seed=8)
    assert not np.array_equal(other.picture, draft.picture)
    assert np.array_equal(webui.txt2img(**SIZE, seed=6, batch_size=2).pictures[-1], draft.picture)


def test_switched_off_changes_no_bit(webui: Webui, draft: Result) -> None:
    assert "Finisher" not in draft.infotexts[0]
    for arguments in ((), ({"enabled": False},), (False, "{}")):
        again = webui.txt2img(*arguments, **SIZE)
        assert np.array_equal(again.picture, draft.picture)
        assert again.infotexts == draft.infotexts


def test_txt2img_through_the_chain(webui: Webui, draft: Result) -> None:
    done = webui.txt2img(CHAIN, **SIZE)
    assert done.size == (288, 192)
    assert done.told["Finisher stages"] == "refine, upscale, texture, grade"
    assert "Finisher error" not in done.told
    assert "Size: 192x128" in done.infotexts[0]
    assert np.array_equal(webui.txt2img(CHAIN, **SIZE).picture, done.picture)
    # And the draft is made as before.
    assert np.array_equal(webui.txt2img(**SIZE).picture, draft.picture)


def test_img2img_through_the_chain(webui: Webui, draft: Result) -> None:
    done = webui.img2img(draft.picture, CHAIN, **SIZE, denoising_strength=0.5)
    assert done.size == (288, 192)
    assert done.told["Finisher stages"] == "refine, upscale, texture, grade"
    assert done.told["Denoising strength"] == 0.5


def test_finish_only_gives_back_the_picture_itself(webui: Webui) -> None:
    portrait = (load_picture(PORTRAIT).pixels[:150, :201] * 255 + 0.5).astype(np.uint8)
    data = recipe(base={"finish_only": True}, **off("refine", "detail", "upscale", "texture", "grade"))
    done = webui.img2img(portrait, data, steps=50)
    assert np.array_equal(done.picture, portrait)
    assert "Size: 201x150" in done.infotexts[0]


def test_an_inpainting_keeps_what_is_not_marked(webui: Webui, draft: Result) -> None:
    mask = np.zeros_like(draft.picture)
    mask[30:90, 60:130] = 255
    common = {**SIZE, "mask": encoded(mask), "inpainting_fill": 1, "mask_blur": 0, "denoising_strength": 0.9}
    common["prompt"] = "a black square on a yellow field"
    for whole in (False, True):
        done = webui.img2img(draft.picture, inpaint_full_res=whole, **common)
        changed = np.abs(done.picture.astype(int) - draft.picture).max(axis=2) > 2
        assert changed[mask[..., 0] > 0].mean() > 0.2
        assert not changed[mask[..., 0] == 0].any()


def test_a_batch_finishes_every_picture(webui: Webui) -> None:
    plain = webui.txt2img(**SIZE, batch_size=2, n_iter=2, seed=3)
    done = webui.txt2img(recipe(**REFINE_ONLY), **SIZE, batch_size=2, n_iter=2, seed=3)
    alone = webui.txt2img(recipe(**REFINE_ONLY), **SIZE, seed=6)
    assert len(done.pictures) == len(plain.pictures) == 4
    assert np.array_equal(alone.picture, done.pictures[3])
    assert not any(np.array_equal(before, after) for before, after in zip(plain.pictures, done.pictures))


def test_interrupted_in_a_stage_keeps_the_last_complete_one(webui: Webui, draft: Result) -> None:
    quick = {**off("detail", "texture", "grade"), "refine": GENTLE}
    complete = webui.txt2img(recipe(**quick, upscale={"enabled": False}), **SIZE)
    done = webui.while_running(
        "Finisher: Upscale",
        lambda: webui.post("/sdapi/v1/interrupt", {}),
        lambda: webui.txt2img(recipe(**quick, upscale=SLOW), **SIZE),
    )
    assert "interrupted in upscale" in done.told["Finisher error"]
    assert np.array_equal(done.picture, complete.picture)
    assert np.array_equal(webui.txt2img(**SIZE).picture, draft.picture)


@pytest.mark.parametrize("more", [{}, {"batch_size": 2}, {"enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Latent"}])
def test_one_press_stops_where_no_picture_follows(webui: Webui, more: dict[str, object]) -> None:
    """The jobs that finishing adds make the host take one picture for several, and a press for "after this image"."""
    data = recipe(**off("detail", "upscale", "texture", "grade"), refine={"steps": 150, "denoising_strength": 0.9})
    steps: list[int] = []

    def state() -> dict[str, object]:
        return dict(webui.get("/sdapi/v1/progress?skip_current_image=true")["state"])

    def press() -> None:
        webui.press("txt2img_interrupt")
        while (now := state())["job"] == "Finisher: Refine":
            steps.append(int(str(now["sampling_step"])))

    plain = webui.txt2img(**SIZE, denoising_strength=0.5, **more)
    done = webui.while_running(
        "Finisher: Refine", press, lambda: webui.txt2img(data, **SIZE, denoising_strength=0.5, **more)
    )
    assert "interrupted in refine" in done.told["Finisher error"]
    # Within a step, and one more while this is asked.
    assert not steps or max(steps) - steps[0] <= 2
    assert [item.tobytes() for item in done.pictures] == [item.tobytes() for item in plain.pictures]


def test_one_press_finishes_the_picture_in_hand_where_another_follows(webui: Webui) -> None:
    data = recipe(**off("detail", "upscale", "texture", "grade"), refine={"steps": 40, "denoising_strength": 0.5})
    whole = webui.txt2img(data, **SIZE)
    done = webui.while_running(
        "Finisher: Refine", lambda: webui.press("txt2img_interrupt"), lambda: webui.txt2img(data, **SIZE, n_iter=2)
    )
    assert len(done.pictures) == 1 and "Finisher error" not in done.told
    assert np.array_equal(done.picture, whole.picture)


def test_the_finishing_is_in_the_progress(webui: Webui) -> None:
    seen: list[dict] = []
    webui.while_running(
        "Finisher: Refine",
        lambda: seen.append(webui.get("/sdapi/v1/progress?skip_current_image=true")),
        lambda: webui.txt2img(recipe(**{**REFINE_ONLY, "refine": {"steps": 60, "denoising_strength": 0.9}}), **SIZE),
    )
    assert seen
    assert seen[0]["state"]["job_count"] == 2
    assert seen[0]["textinfo"].startswith("Finisher: Refine")
    assert 0 < seen[0]["progress"] < 1


def test_the_infotext_brings_the_finishing_back(webui: Webui) -> None:
    first = webui.txt2img(recipe(**REFINE_ONLY), **SIZE)
    answer = webui.post("/sdapi/v1/txt2img", {"infotext": first.infotexts[0]})
    assert json.loads(answer["info"])["infotexts"] == list(first.infotexts)


def test_a_wrong_value_in_a_pictures_infotext_is_left_out_alone(webui: Webui) -> None:
    right = webui.txt2img(recipe(**REFINE_ONLY), **SIZE)
    own = json.dumps(json.loads(right.told["Finisher"]))
    wrong = json.loads(own)
    wrong["refine"] |= {"cfg_scale": 3000, "glow": 1}
    assert "cfg_scale" not in json.loads(own)["refine"]
    # As the hosts quote it: the recipe is JSON within JSON.
    assert json.dumps(own) in right.infotexts[0]
    pasted = right.infotexts[0].replace(json.dumps(own), json.dumps(json.dumps(wrong)))
    told = json.loads(webui.post("/sdapi/v1/txt2img", {"infotext": pasted})["info"])["extra_generation_params"]
    assert "Finisher error" not in told and told["Finisher stages"] == "refine"
    assert "refine.cfg_scale: 3000" in told["Finisher notes"] and "refine.glow" in told["Finisher notes"]
    assert json.loads(told["Finisher"]) == json.loads(own)
    # What a program itself asks for is refused.
    refused = webui.txt2img(recipe(**{**REFINE_ONLY, "refine": {**GENTLE, "cfg_scale": 3000}}), **SIZE)
    assert "refine.cfg_scale: 3000" in refused.told["Finisher error"]


def test_a_key_twice_in_a_text_is_named(webui: Webui) -> None:
    right = webui.txt2img(recipe(**REFINE_ONLY), **SIZE)
    own = json.loads(right.told["Finisher"])
    twice = json.dumps(own).replace('"refine": {', '"refine": {"steps": 3, "steps": 4, ', 1)
    pasted = right.infotexts[0].replace(json.dumps(json.dumps(own)), json.dumps(twice))
    assert twice.replace('"', '\\"') in pasted
    note = "the key 'steps' is there twice; the last one counts"
    told = json.loads(webui.post("/sdapi/v1/txt2img", {"infotext": pasted})["info"])["extra_generation_params"]
    assert note in told["Finisher notes"] and "Finisher error" not in told
    assert note in webui.txt2img(True, twice, **SIZE).told["Finisher notes"]


def test_what_a_preset_cannot_have_here_reaches_infotext_and_answer(webui: Webui) -> None:
    data = {"finisher_preset": 2, "name": "Elsewhere", "recipe": {"refine": {"sampler": "Gone", "glow": 1}}}
    webui.post("/finisher/v1/presets", {"action": "put", "data": data})
    asked = {"version": 2, "preset": "Elsewhere", **REFINE_ONLY}
    draft = webui.txt2img({"enabled": True, "recipe": asked}, **SIZE)
    body = json.dumps({"images": [encoded(draft.picture)], "recipe": asked})
    answer = webui.post("/finisher/v1/finish", json.loads(body))
    for told in (draft.told["Finisher notes"], answer["infotexts"][0], "; ".join(answer["notes"][0])):
        assert "sampler 'Gone' is not here" in told and "refine.glow" in told
    webui.post("/finisher/v1/presets", {"action": "delete", "name": "Elsewhere"})


def test_a_key_twice_in_a_body_is_named(webui: Webui, draft: Result) -> None:
    recipe_text = '{"version": 2, "refine": {"steps": 4, "steps": 6}, "upscale": {"enabled": false}}'
    image = encoded(draft.picture)
    for path, body in (
        ("plan", f'{{"image": "{image}", "recipe": {recipe_text}}}'),
        ("finish", f'{{"images": ["{image}"], "recipe": {recipe_text}}}'),
    ):
        json_type = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{webui.url}/finisher/v1/{path}", body.encode(), json_type)
        with urllib.request.urlopen(request, timeout=60) as sent:
            answer = json.loads(sent.read())
        assert "the key 'steps' is there twice; the last one counts" in (answer.get("warnings") or answer["notes"][0])
    assert "the key 'steps' is there twice" in answer["infotexts"][0]


def test_another_checkpoint_for_a_stage_and_the_own_one_back(webui: Webui, draft: Result) -> None:
    other = {**REFINE_ONLY, "refine": {**GENTLE, "checkpoint": "standinB"}}
    done = webui.txt2img(recipe(**other), **SIZE)
    assert "Finisher error" not in done.told
    assert "Model: standinA" in done.infotexts[0]
    assert not np.array_equal(done.picture, webui.txt2img(recipe(**REFINE_ONLY), **SIZE).picture)
    assert np.array_equal(webui.txt2img(**SIZE).picture, draft.picture)


def test_a_title_with_a_hash_names_a_checkpoint_and_must_not_contradict(webui: Webui, draft: Result) -> None:
    def swapped(title: str) -> Result:
        return webui.txt2img(recipe(**{**REFINE_ONLY, "refine": {**GENTLE, "checkpoint": title}}), **SIZE)

    right = swapped("standinB")
    # The host has hashed what it has loaded.
    (model,) = (item for item in webui.get("/sdapi/v1/sd-models") if item["model_name"] == "standinB")
    assert np.array_equal(swapped(f"folder/standinB [{model['hash']}]").picture, right.picture)
    wrong = swapped("standinB.safetensors [0123456789]")
    assert "standinB.safetensors [0123456789]" in json.dumps(wrong.told)
    assert np.array_equal(wrong.picture, draft.picture)
