"""Finisher's own routes in a running web UI."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher import __version__
from lib_finisher.imaging.files import load_picture
from lib_finisher.recipe import SECTIONS, default_recipe, read_recipe
from lib_finisher.stages.sections import NAMES
from tests.conftest import PORTRAIT
from tests.smoke.client import DRAFT, TIMEOUT, Result, Webui, decoded, encoded, off

BASE = {"prompt": "a face", "seed": 3, "steps": 6, "cfg_scale": 5.0, "sampler": "Euler a"}
GENTLE = {
    **off("detail", "upscale", "texture"),
    "refine": {"denoising_strength": 0.2},
    "grade": {"contrast": 0.2, "grain": 0.0},
}
SLOW = {**off("detail", "upscale", "texture", "grade"), "refine": {"denoising_strength": 0.9, "steps": 60}}


@pytest.fixture(scope="module", autouse=True)
def _has_the_routes(webui: Webui) -> None:
    try:
        webui.get("/finisher/v1/progress")
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        pytest.skip("the running web UI has no routes of Finisher: it runs without --api, or an older Finisher")


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return (load_picture(PORTRAIT).pixels[:256, 96:352] * 255 + 0.5).astype(np.uint8)


def refused(webui: Webui, route: str, data: Any, status: int = 422) -> dict[str, str]:
    with pytest.raises(urllib.error.HTTPError) as error:
        webui.post(f"/finisher/v1/{route}", data)
    body = json.loads(error.value.read())
    assert error.value.code == status, body
    return {item["field"]: item["problem"] for item in body["detail"]}


def finish(webui: Webui, pictures: list[str], recipe: Any, **more: Any) -> dict[str, Any]:
    return webui.post("/finisher/v1/finish", {"images": pictures, "recipe": recipe, **more})


def test_the_schema_names_what_this_host_offers(webui: Webui) -> None:
    told = webui.get("/finisher/v1/schema")
    assert told["version"] == __version__
    assert [item["name"] for item in told["stages"]] == list(SECTIONS)
    assert set(told["choices"]["sampler"]) <= {item["name"] for item in webui.get("/sdapi/v1/samplers")}
    names = {item["title"].rsplit(" [")[0] for item in webui.get("/sdapi/v1/sd-models")}
    assert set(told["choices"]["checkpoint"]) == names
    assert {"auto", "Lanczos"} <= set(told["choices"]["upscaler"])
    assert "face_yunet" in told["choices"]["detector"]
    for family in ("", "sdxl", "flux"):
        shown = webui.get(f"/finisher/v1/schema?family={family}")
        data = {item["name"]: {row["name"]: row["default"] for row in item["controls"]} for item in shown["stages"]}
        assert read_recipe({**shown["recipe"], **data}, family) == default_recipe(family)
    with pytest.raises(urllib.error.HTTPError) as error:
        webui.get("/finisher/v1/schema?family=nope")
    assert error.value.code == 422


def test_the_plan_samples_nothing_and_tells_the_cost(webui: Webui, portrait: np.ndarray) -> None:
    recipe = {**GENTLE, "upscale": {"passes": [{"factor": 1.5, "denoising_strength": 0.2}]}}
    told = webui.post("/finisher/v1/plan", {"image": encoded(portrait), "recipe": recipe, "base": BASE})
    assert (told["before"], told["size"]) == ([256, 256], [384, 384])
    assert [item["stage"] for item in told["steps"]] == list(NAMES)
    runs = [item["stage"] for item in told["steps"] if item["runs"]]
    assert runs == ["refine", "upscale", "grade"]
    assert told["total"]["host_calls"] == 2
    # Two steps at a strength of 0.2, as the host counts them.
    assert told["steps"][0]["megapixel_steps"] == pytest.approx(2 * 0.065536, abs=1e-3)


def test_a_face_is_detected(webui: Webui) -> None:
    data = {"image": "data:image/png;base64," + base64.b64encode(PORTRAIT.read_bytes()).decode(), "confidence": 0.6}
    told = webui.post("/finisher/v1/detect", data)
    assert told["size"] == [512, 512]
    (face,) = told["detections"]
    left, top, right, bottom = face["box"]
    assert face["label"] == "face"
    assert 150 < left < right < 320
    assert 50 < top < bottom < 200


def test_two_pictures_are_finished(webui: Webui, portrait: np.ndarray) -> None:
    other = np.ascontiguousarray(portrait[:192, ::-1])
    told = finish(webui, [encoded(portrait), encoded(other)], GENTLE, base=BASE)
    assert told["errors"] == [None, None]
    pictures = [decoded(text) for text in told["images"]]
    assert [item.shape for item in pictures] == [(256, 256, 3), (192, 256, 3)]
    for before, after in zip((portrait, other), pictures):
        assert 0 < np.abs(before.astype(int) - after.astype(int)).mean() < 40
    for report in told["reports"]:
        assert [item["stage"] for item in report] == list(NAMES)
        assert {item["stage"] for item in report if item["status"] == "ran"} == {"refine", "grade"}
        assert report[0]["patches"] == 1
        assert report[0]["megapixel_steps"] > 0
    for text, image in zip(told["infotexts"], told["images"]):
        assert text.startswith("a face\nSteps: 6, Sampler: Euler a, ")
        assert "Seed: 3" in text
        assert 'Finisher stages: "refine, grade"' in text
        assert Image.open(io.BytesIO(base64.b64decode(image))).info["parameters"] == text
    # Stage by stage over both gives what each alone gives.
    alone = decoded(finish(webui, [encoded(other)], GENTLE, base=BASE)["images"][0])
    assert np.abs(alone.astype(int) - pictures[1].astype(int)).max() <= 2
    webui.txt2img()


def test_a_pictures_own_infotext_is_its_base(webui: Webui, draft: Result) -> None:
    with_text = webui.post("/sdapi/v1/txt2img", DRAFT)["images"][0]
    told = finish(webui, [with_text], GENTLE)
    named = {
        "prompt": DRAFT["prompt"], "negative_prompt": DRAFT["negative_prompt"], "seed": DRAFT["seed"],
        "steps": DRAFT["steps"], "cfg_scale": DRAFT["cfg_scale"], "sampler": DRAFT["sampler_name"],
        "scheduler": DRAFT["scheduler"],
    }  # fmt: skip
    again = finish(webui, [encoded(draft.picture)], GENTLE, base=named)
    assert np.array_equal(decoded(told["images"][0]), decoded(again["images"][0]))
    assert told["infotexts"][0].startswith(f"{DRAFT['prompt']}\nNegative prompt: blue\nSteps: 4, ")
    assert "Model: " in told["infotexts"][0]
    # And it is what the script makes of the same draft.
    script = webui.txt2img({"enabled": True, "recipe": GENTLE})
    assert np.array_equal(decoded(told["images"][0]), script.picture)
    assert np.array_equal(webui.txt2img().picture, draft.picture)


def test_a_stage_that_fails_is_told_for_its_picture(webui: Webui, portrait: np.ndarray) -> None:
    broken = {**GENTLE, "refine": {"sampler": "DDIM", "steps": 4, "denoising_strength": 0.2}}
    told = finish(webui, [encoded(portrait)], broken, base=BASE)
    assert "refine failed" in told["errors"][0]
    assert "leave DDIM nothing to do" in told["errors"][0]
    assert "Finisher error" in told["infotexts"][0]
    assert told["reports"][0][-1]["status"] == "ran"
    webui.txt2img()


def test_a_checkpoint_for_one_stage_does_not_stay(webui: Webui, draft: Result, portrait: np.ndarray) -> None:
    names = webui.get("/finisher/v1/schema")["choices"]["checkpoint"]
    others = [name for name in names if f"Model: {name.rsplit('.', 1)[0]}," not in draft.infotexts[0]]
    if not others:
        pytest.skip("the host has one checkpoint only")
    plain = finish(webui, [encoded(portrait)], GENTLE, base=BASE)
    swapped = {**GENTLE, "refine": {"denoising_strength": 0.2, "checkpoint": others[0]}}
    told = finish(webui, [encoded(portrait)], swapped, base=BASE)
    assert told["errors"] == [None]
    assert told["images"] != plain["images"]
    assert np.array_equal(webui.txt2img().picture, draft.picture)


def test_wrong_requests_name_their_fields(webui: Webui, portrait: np.ndarray) -> None:
    good = encoded(portrait)
    unknown = {"detail": {"passes": [{"detector": "no such"}]}}
    cases: tuple[tuple[str, Any, str], ...] = (
        (
            "finish",
            {"images": [good], "recipe": {"refine": {"denoising_strength": 3}}},
            "recipe.refine.denoising_strength",
        ),
        ("finish", {"images": [good], "recipe": {"refine": {"steps": "x"}}}, "recipe.refine.steps"),
        ("finish", {"images": [good], "recipe": {"refine": {"sampler": "no such"}}}, "recipe.refine.sampler"),
        ("finish", {"images": [good], "recipe": {"refine": {"checkpoint": "no such"}}}, "recipe.refine.checkpoint"),
        ("finish", {"images": [good], "base": {"sampler": "no such"}}, "base.sampler"),
        ("finish", {"images": [good] * 17}, "images"),
        ("finish", {"images": ["/tmp/a.png"]}, "images.1"),
        ("finish", {"images": ["%"]}, "images.1"),
        ("finish", {"images": [good], "mask": encoded(portrait[:10])}, "mask"),
        ("finish", [], "body"),
        ("finish", "text", "body"),
        ("plan", None, "body"),
        ("plan", {}, "image"),
        ("plan", {"image": "https://example.com/a.png"}, "image"),
        ("plan", {"image": good, "recipe": unknown}, "recipe.detail.passes.1.detector"),
        ("detect", {"image": good, "detector": "no such"}, "detector"),
        ("detect", {"image": base64.b64encode(b"words").decode()}, "image"),
    )
    for route, data, field in cases:
        assert list(refused(webui, route, data)) == [field]
    request = urllib.request.Request(webui.url + "/finisher/v1/plan", b"{", {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=TIMEOUT)
    assert error.value.code == 422
    assert json.loads(error.value.read())["detail"][0]["field"] == "body"


def test_too_large_results_are_refused_before_anything_is_sampled(webui: Webui, portrait: np.ndarray) -> None:
    recipe = {**GENTLE, "upscale": {"passes": [{"factor": 16, "method": "upscaler only"}]}}
    large = encoded(np.tile(portrait, (4, 4, 1)))
    assert list(refused(webui, "finish", {"images": [large] * 2, "recipe": recipe})) == ["recipe"]


def test_progress_and_interrupt(webui: Webui, draft: Result, portrait: np.ndarray) -> None:
    idle = webui.get("/finisher/v1/progress")
    assert (idle["active"], idle["job"], idle["megapixel_steps"]) == (False, "", None)
    answers: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: answers.append(finish(webui, [encoded(portrait)], SLOW, base=BASE)))
    thread.start()
    seen = []
    while thread.is_alive():
        now = webui.get("/finisher/v1/progress")
        if now["megapixel_steps"] is not None:
            seen.append(now)
        if len(seen) == 3:
            webui.post("/sdapi/v1/interrupt", {})
        time.sleep(0.05)
    thread.join(TIMEOUT)
    assert seen[0]["active"]
    assert seen[0]["job"] == "Finisher: Refine"
    steps = [item["megapixel_steps"] for item in seen]
    assert all(0 < item["done"] <= item["total"] for item in steps)
    assert [item["progress"] for item in seen] == sorted(item["progress"] for item in seen)
    assert "interrupted in refine" in answers[0]["errors"][0]
    assert np.array_equal(decoded(answers[0]["images"][0]), portrait)
    # The host is as usable as before.
    assert np.array_equal(webui.txt2img().picture, draft.picture)


def test_requests_wait_for_each_other(webui: Webui, draft: Result, portrait: np.ndarray) -> None:
    """A generation and a finish at once: both are right, and the cheap routes answer meanwhile."""
    expected = finish(webui, [encoded(portrait)], GENTLE, base=BASE)["images"]
    results: dict[str, Any] = {}
    image = {"image": encoded(portrait)}
    threads = [
        threading.Thread(target=lambda: results.update(made=webui.txt2img(steps=4))),
        threading.Thread(target=lambda: results.update(done=finish(webui, [encoded(portrait)], GENTLE, base=BASE))),
        threading.Thread(target=lambda: results.update(found=webui.post("/finisher/v1/detect", image))),
    ]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    webui.get("/finisher/v1/progress")
    assert time.monotonic() - began < 5
    for thread in threads:
        thread.join(TIMEOUT)
    assert np.array_equal(results["made"].picture, draft.picture)
    assert results["done"]["images"] == expected
    assert results["found"]["detections"]
    webui.txt2img()
