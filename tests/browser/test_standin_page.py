"""Finisher on the stand-in web UI's page in a real browser, on both gradio generations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.smoke.client import Webui, off, recipe
from tests.standin.server import Standin

PROMPT = "a red circle on a green field"
QUICK = {"refine": {"steps": 6}, **off("detail", "upscale", "texture", "grade")}
SLOW = {"refine": {"steps": 150, "denoising_strength": 0.95}, **off("detail", "upscale", "texture", "grade")}
SHOWN = "(tab) => document.querySelector(`#html_info_${tab}`).innerText"

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow


def settle(page: Any, tab: str = "txt2img") -> None:
    """A small picture of a few steps."""
    values = {"prompt textarea": PROMPT, "seed input": "7"}
    values |= {
        f"{name} input[type=number]": value for name, value in (("width", "192"), ("height", "128"), ("steps", "4"))
    }
    for name, value in values.items():
        page.fill(f"#{tab}_{name}", value)
        page.press(f"#{tab}_{name}", "Tab")


def set_recipe(page: Any, data: dict[str, Any], tab: str = "txt2img") -> None:
    script = """([tab, text]) => {
      const field = document.querySelector(`#finisher_${tab}_recipe textarea`);
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }"""
    page.evaluate(script, [tab, json.dumps(data)])


def ended(page: Any, tab: str = "txt2img") -> str:
    """Wait for the end of a generation: its infotext."""
    page.wait_for_function(f"(tab) => ({SHOWN})(tab).includes('Steps:')", arg=tab)
    page.wait_for_selector(f"#{tab}_interrupt", state="hidden")
    return str(page.evaluate(SHOWN, tab))


def test_nothing_is_ticked_and_off_changes_nothing(page: Any, host: Standin) -> None:
    assert not page.is_checked("#finisher_txt2img-visible-checkbox")
    settle(page)
    page.click("#txt2img_generate")
    told = ended(page)
    assert "Finisher" not in told
    assert "Size: 192x128" in told


def test_ticked_it_finishes_and_the_result_is_in_the_gallery(page: Any) -> None:
    settle(page)
    page.click("#finisher_txt2img-visible-checkbox")
    set_recipe(page, {**QUICK, "upscale": {"passes": [{"factor": 1.5, "method": "upscaler only"}]}})
    page.click("#txt2img_generate")
    told = ended(page)
    assert "Finisher stages: refine, upscale" in told.replace('"', ""), told
    assert "Finisher size: 288 x 192" in told
    page.wait_for_function(
        "() => { const i = document.querySelector('#txt2img_gallery img'); return i && i.naturalWidth; }"
    )
    assert page.evaluate("() => document.querySelector('#txt2img_gallery img').naturalWidth") == 288


def test_progress_is_told_and_interrupt_keeps_the_draft(page: Any) -> None:
    settle(page)
    page.click("#finisher_txt2img-visible-checkbox")
    set_recipe(page, SLOW)
    page.click("#txt2img_generate")
    page.wait_for_function(
        "() => (document.querySelector('.progressDiv') || {}).textContent?.includes('Finisher: Refine')"
    )
    # Finishing has given the host more than one job; with no picture to follow, one press is enough all the same.
    page.click("#txt2img_interrupt")
    told = ended(page)
    assert "interrupted in refine" in told
    assert "Finisher stages: none" in told


def test_a_pasted_infotext_sets_the_accordion(page: Any, host: Standin) -> None:
    first = Webui(host.url).txt2img(recipe(**QUICK), width=192, height=128)
    page.fill("#txt2img_prompt textarea", first.infotexts[0])
    page.click("#txt2img_tools #paste")
    page.wait_for_function("() => document.querySelector('#finisher_txt2img-visible-checkbox').checked")
    page.wait_for_function("() => document.querySelector('#finisher-txt2img-refine-on')?.checked === true")
    page.wait_for_selector("#finisher-txt2img-upscale-on", state="attached")
    page.wait_for_function("(text) => document.querySelector('#txt2img_prompt textarea').value === text", arg=PROMPT)
    page.wait_for_function("() => document.querySelector('#txt2img_width input').value === '192'")
    assert not page.is_checked("#finisher-txt2img-upscale-on")
    page.click("#txt2img_generate")
    told, before = ended(page), first.infotexts[0]
    # The page gives a whole number where the API gave one with a point.
    assert told.replace("CFG scale: 6,", "CFG scale: 6.0,").splitlines()[:3] == before.splitlines()
    # An infotext without Finisher takes the tick away.
    page.fill("#txt2img_prompt textarea", Webui(host.url).txt2img(width=192, height=128).infotexts[0])
    page.click("#txt2img_tools #paste")
    page.wait_for_function("() => !document.querySelector('#finisher_txt2img-visible-checkbox').checked")


def test_img2img_has_it_too(page: Any, host: Standin) -> None:
    settle(page)
    page.click("#txt2img_generate")
    ended(page)
    page.click("#txt2img_send_to_img2img")
    page.wait_for_selector("#finisher_img2img-visible-checkbox", state="visible")
    page.wait_for_selector("#img2img_image img", state="visible")
    settle(page, "img2img")
    page.click("#finisher_img2img-visible-checkbox")
    set_recipe(page, QUICK, "img2img")
    page.click("#img2img_generate")
    told = ended(page, "img2img")
    assert "Finisher stages: refine" in told
    assert "Denoising strength: 0.75" in told


def test_the_page_works_again_after_reload_ui(page: Any) -> None:
    page.locator("#tabs > .tab-nav > button", has_text="Settings").first.click()
    page.evaluate("() => { window.isTheOldPage = true; }")
    page.click("#settings_restart_gradio")
    # The old page stays until the server is there again.
    new = "() => !window.isTheOldPage && document.querySelector('#finisher_txt2img-visible-checkbox')"
    page.wait_for_function(new, timeout=120_000)
    settle(page)
    page.click("#finisher_txt2img-visible-checkbox")
    set_recipe(page, QUICK)
    page.click("#txt2img_generate")
    assert "Finisher stages: refine" in ended(page)
