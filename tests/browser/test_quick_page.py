"""The common wish in two clicks on the stand-in web UI, what a preset misses here, and the way back to the base."""

from __future__ import annotations

import io
import json
import urllib.request
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.test_standin_page import ended, set_recipe, settle
from tests.smoke.client import Webui, off
from tests.smoke.client import recipe as asked
from tests.standin.server import Standin

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow

QUICK = "#finisher-txt2img-preset-quick"
STAGES = ("refine", "extend", "repair", "detail", "upscale", "texture", "grade")
PICTURES = "() => [...new Set([...document.querySelectorAll('#txt2img_gallery img')].map((image) => image.src))]"


def opened(page: Any) -> None:
    page.click("#finisher_txt2img .label-wrap")
    page.wait_for_selector(f"{QUICK} button")


def on(page: Any) -> set[str]:
    return {stage for stage in STAGES if page.is_checked(f"#finisher-txt2img-{stage}-on")}


def recipe(page: Any) -> dict[str, Any]:
    """Without its version."""
    data = json.loads(page.input_value("#finisher_txt2img_recipe textarea") or "{}")
    return {key: value for key, value in data.items() if key != "version"}


def choose(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()
    page.wait_for_function(
        "(name) => document.querySelector('#finisher-txt2img-preset-force').textContent.startsWith(name)", arg=name
    )


def test_faces_and_twice_the_size_are_two_clicks(page: Any) -> None:
    opened(page)
    assert page.is_checked("#finisher_txt2img-visible-checkbox"), "opening switches it on"
    choose(page, "Faces + 2×")
    assert on(page) == {"detail", "upscale"}
    assert recipe(page) == {"preset": "Faces + 2×"}
    # One mark, at the choice: none at the switches, and a chosen preset of another kind goes on marking them.
    assert not page.locator("[id^='finisher-txt2img-'][id$='-on-mark']").count()
    assert page.locator(f"{QUICK} [aria-pressed=true]").all_inner_texts() == ["Faces + 2×"]
    # By the keyboard too; pressed again it is let go.
    page.locator(f"{QUICK} button", has_text="Everything").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#finisher-txt2img-texture-on').checked")
    assert on(page) == {"refine", "detail", "upscale", "texture", "grade"}
    assert page.evaluate("() => document.activeElement.textContent") == "Everything"
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('.finisher-quick [aria-pressed=true]')")
    assert recipe(page) == {}


def test_what_was_set_otherwise_gives_way_and_can_be_had_back(page: Any) -> None:
    opened(page)
    page.check("#finisher-txt2img-grade-on")
    page.check("#finisher-txt2img-upscale-on")
    page.fill("#finisher-txt2img-grade-row-contrast", "0.4")
    page.fill("#finisher-txt2img-upscale-row-factor", "3")
    page.uncheck("#finisher-txt2img-detail-on")
    choose(page, "Faces + 2×")
    told = "() => document.querySelector('#finisher-txt2img-preset-status').textContent"
    page.wait_for_function(f"() => ({told})().includes('gave way')")
    assert on(page) == {"detail", "upscale"}
    assert page.input_value("#finisher-txt2img-upscale-row-factor") == "2"
    assert recipe(page) == {"preset": "Faces + 2×", "grade": {"contrast": 0.4}}, "what the choice does not say stays"
    page.click("#finisher-txt2img-preset-undo")
    assert recipe(page)["upscale"]["passes"] == [{"factor": 3}]


def test_a_preset_whose_models_are_not_here_says_what_is_used_and_offers_to_fetch(page: Any) -> None:
    opened(page)
    page.select_option("#finisher-txt2img-preset-choice", label="Portrait")
    missing = page.locator("#finisher-txt2img-preset-missing")
    page.wait_for_function("() => document.querySelector('#finisher-txt2img-preset-missing button')")
    text = missing.inner_text()
    assert "face_yolov9c.pt" in text and "'face_yunet' is used" in text
    assert "4x-UltraSharp" in text and "models/ESRGAN" in text
    assert missing.get_by_role("button", name="Fetch face_yolov9c.pt").count() == 1
    assert page.input_value("#finisher-txt2img-detail-row-detector") == "face_yunet"
    page.select_option("#finisher-txt2img-preset-choice", label="Automatic")
    page.wait_for_selector("#finisher-txt2img-preset-missing", state="hidden")


def pixels_of(url: str) -> np.ndarray:
    with urllib.request.urlopen(url) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))


def test_the_untouched_base_is_one_click_away(page: Any, host: Standin) -> None:
    settle(page)
    page.click("#finisher_txt2img-visible-checkbox")
    grade = {**off("refine", "detail", "upscale", "texture"), "grade": {"enabled": True, "exposure": 1}}
    set_recipe(page, grade)
    page.click("#txt2img_generate")
    assert "Finisher stages: grade" in ended(page)
    page.wait_for_function(f"() => ({PICTURES})().length === 2")
    finished, base = (pixels_of(url) for url in page.evaluate(PICTURES))
    # Without Finisher there is that picture, and no other.
    page.click("#finisher_txt2img-visible-checkbox")
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_interrupt", state="visible")
    assert "Finisher" not in ended(page)
    page.wait_for_function(f"() => ({PICTURES})().length === 1")
    (plain,) = (pixels_of(url) for url in page.evaluate(PICTURES))
    assert np.array_equal(base, plain)
    assert finished.mean() > plain.mean() + 5
    # Programs get what they asked for.
    assert len(Webui(host.url).txt2img(asked(**grade), width=192, height=128).pictures) == 1
