"""What "Cost" takes for the picture's size, against the picture that the stand-in then makes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.test_standin_page import set_recipe, settle
from tests.smoke.client import off

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow

NOTHING = off("refine", "detail", "upscale", "texture", "grade")
TOLD = "(tab) => document.querySelector(`#finisher-${tab}-cost`).innerText"
MADE = """([tab, before]) => {
  const image = document.querySelector(`#${tab}_gallery img`);
  return image && image.naturalWidth && image.src !== before ? [image.naturalWidth, image.naturalHeight] : null;
}"""
SHOWN = "(tab) => (document.querySelector(`#${tab}_gallery img`) || {}).src || ''"


def picture_file(width: int, height: int) -> dict[str, Any]:
    data = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(data, "PNG")
    return {"name": "given.png", "mimeType": "image/png", "buffer": data.getvalue()}


def fill(page: Any, tab: str, **values: Any) -> None:
    for name, value in values.items():
        page.fill(f"#{tab}_{name} input[type=number]", str(value))
        page.press(f"#{tab}_{name} input[type=number]", "Tab")


def cost(page: Any, tab: str, recipe: dict[str, Any]) -> None:
    page.click(f"#finisher_{tab} .label-wrap")
    set_recipe(page, recipe, tab)
    page.evaluate("(tab) => window.finisher.refresh(tab)", tab)
    page.click(f"#finisher-{tab}-cost summary")


def counts(page: Any, tab: str, size: tuple[int, int]) -> None:
    wanted = f"{size[0]} × {size[1]} →"
    try:
        page.wait_for_function(f"([tab, wanted]) => ({TOLD})(tab).includes(wanted)", arg=[tab, wanted], timeout=8000)
    except sync_api.TimeoutError:
        raise AssertionError(f"{wanted} is not told, but {page.evaluate(TOLD, tab)!r}") from None


def made(page: Any, tab: str) -> tuple[int, int]:
    """The size of the picture that is generated now."""
    before = page.evaluate(SHOWN, tab)
    page.click(f"#{tab}_generate")
    width, height = page.wait_for_function(MADE, arg=[tab, before]).json_value()
    page.wait_for_selector(f"#{tab}_interrupt", state="hidden")
    return width, height


def test_txt2img_counts_the_hires_fix(page: Any) -> None:
    settle(page)
    cost(page, "txt2img", NOTHING)
    counts(page, "txt2img", (192, 128))
    # Sides that are no whole number of latent cells are cut.
    fill(page, "txt2img", width=207)
    counts(page, "txt2img", (200, 128))
    page.click("#txt2img_hr .label-wrap")
    for fields, size in (
        ({"hr_scale": 1.55}, (320, 192)),
        ({"hr_resize_x": 312}, (312, 192)),
        ({"hr_resize_x": 0, "hr_resize_y": 200}, (320, 200)),
        ({"hr_resize_x": 256, "hr_resize_y": 256}, (256, 256)),
        ({"hr_resize_x": 320, "hr_resize_y": 136}, (320, 136)),
    ):
        # What is open follows the fields by itself.
        fill(page, "txt2img", **fields)
        counts(page, "txt2img", size)
        assert made(page, "txt2img") == size
    page.click("#txt2img_hr-visible-checkbox")
    counts(page, "txt2img", (200, 128))
    assert made(page, "txt2img") == (200, 128)


def test_the_hires_fix_of_old_takes_the_sliders_for_the_end(page: Any) -> None:
    settle(page)
    page.evaluate("() => { opts.use_old_hires_fix_width_height = true; }")
    page.click("#txt2img_hr .label-wrap")
    cost(page, "txt2img", NOTHING)
    counts(page, "txt2img", (192, 128))


def test_img2img_counts_resize_by(page: Any) -> None:
    page.locator("#tabs > .tab-nav > button", has_text="img2img").first.click()
    settle(page, "img2img")
    cost(page, "img2img", NOTHING)
    counts(page, "img2img", (192, 128))
    page.locator("#img2img_tabs_resize button", has_text="Resize by").click()
    fill(page, "img2img", scale=1.5)
    page.wait_for_function(f"(tab) => ({TOLD})(tab).includes('Not counted')", arg="img2img")
    page.set_input_files("#img2img_image input[type=file]", picture_file(201, 150))
    counts(page, "img2img", (296, 224))
    assert made(page, "img2img") == (296, 224)
    # Finish only takes the picture as it is.
    set_recipe(page, {**NOTHING, "base": {"finish_only": True}}, "img2img")
    page.evaluate("() => window.finisher.refresh('img2img')")
    counts(page, "img2img", (201, 150))
    assert made(page, "img2img") == (201, 150)
    set_recipe(page, NOTHING, "img2img")
    page.evaluate("() => window.finisher.refresh('img2img')")
    page.locator("#img2img_tabs_resize button", has_text="Resize to").click()
    counts(page, "img2img", (192, 128))
