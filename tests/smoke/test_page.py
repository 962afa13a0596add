"""The page of a running host in a real browser: the batch tab, "Send to Finisher", the hires button, what it costs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.smoke.client import Result, Webui

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 240_000
RECIPE = """(text) => {
  const field = document.querySelector("#finisher_img2img_recipe textarea");
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}"""
OFF = '"refine":{"enabled":false},"detail":{"enabled":false},"upscale":{"enabled":false},"texture":{"enabled":false}'

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if BROWSER is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, webui: Webui) -> Iterator[Any]:
    page = chromium.new_page(viewport={"width": 1500, "height": 1300})
    page.set_default_timeout(PATIENCE)
    page.goto(webui.url)
    page.wait_for_selector("#txt2img_send_to_finisher", state="attached")
    yield page
    page.close()
    # The last generation told params.txt of itself; the others expect the draft there.
    webui.txt2img()


def fill(page: Any, selector: str, value: object) -> None:
    page.fill(selector, str(value))
    page.press(selector, "Tab")


def open_tab(page: Any, group: str, name: str) -> None:
    page.locator(f"{group} > .tab-nav > button", has_text=re.compile(f"^\\s*{name}\\s*$", re.IGNORECASE)).first.click()


def draft_settings(page: Any, tab: str = "txt2img") -> None:
    fill(page, f"#{tab}_prompt textarea", "a red circle on a green field")
    for name, value in (("width", 256), ("height", 256), ("steps", 4)):
        fill(page, f"#{tab}_{name} input[type=number]", value)
    fill(page, f"#{tab}_seed input", 7)


def generate(page: Any, tab: str) -> str:
    """Press Generate, wait for the end, and give the infotext that is shown."""
    page.evaluate("(tab) => { document.querySelector(`#html_info_${tab}`).dataset.before = '1'; }", tab)
    page.click(f"#{tab}_generate")
    page.wait_for_selector(f"#{tab}_interrupt", state="visible")
    page.wait_for_selector(f"#{tab}_interrupt", state="hidden")
    page.wait_for_selector(f"#{tab}_gallery img")
    page.wait_for_function("(tab) => document.querySelector(`#html_info_${tab}`).innerText.includes('Steps:')", arg=tab)
    return str(page.inner_text(f"#html_info_{tab}"))


def test_send_to_finisher_finishes_the_chosen_picture(page: Any) -> None:
    draft_settings(page)
    told = generate(page, "txt2img")
    assert "Finisher" not in told
    page.click("#txt2img_send_to_finisher")
    page.wait_for_function(
        "() => document.querySelector('#finisher_img2img_recipe textarea').value.includes('finish_only')"
    )
    page.wait_for_selector("#finisher-img2img-base-row-finish_only", state="visible")
    assert page.is_checked("#finisher-img2img-base-row-finish_only")
    assert page.input_value("#img2img_prompt textarea") == "a red circle on a green field"
    assert page.input_value("#img2img_seed input") == "7"
    page.uncheck("#finisher-img2img-upscale-on")
    told = generate(page, "img2img")
    assert "Finisher stages" in told
    assert "Finisher error" not in told
    assert "Size: 256x256" in told
    assert "finish_only" in told


def test_the_batch_tab_finishes_every_file(
    webui: Webui, page: Any, draft: Result, tmp_path: Path, settings_for_a_test: Callable[[dict[str, Any]], None]
) -> None:
    # The batch tab overrides the first two, and the host only restores what its configuration names already.
    now = webui.get("/sdapi/v1/options")
    plain = {"samples_filename_pattern": "", "save_to_dirs": True}
    settings_for_a_test({name: now.get(name, value) for name, value in plain.items()})
    settings_for_a_test({"img2img_batch_use_original_name": True})
    given, made = tmp_path / "given", tmp_path / "made"
    given.mkdir()
    made.mkdir()
    rng = np.random.default_rng(5)
    pictures = {}
    for number, (height, width) in enumerate(((120, 200), (256, 256), (333, 181)), 1):
        pictures[f"p{number}"] = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        told = PngInfo()
        told.add_text(
            "parameters", f"picture {number}\nSteps: {3 + number}, Sampler: Euler, CFG scale: 5, Seed: {number}"
        )
        Image.fromarray(pictures[f"p{number}"]).save(given / f"p{number}.png", pnginfo=told)
    open_tab(page, "#tabs", "img2img")
    draft_settings(page, "img2img")
    fill(page, "#img2img_prompt textarea", "")
    open_tab(page, "#mode_img2img", "Batch")
    open_tab(page, "#img2img_batch_source", "From directory")
    fill(page, "#img2img_batch_input_dir textarea", given)
    fill(page, "#img2img_batch_output_dir textarea", made)
    page.click("#finisher_img2img .label-wrap")
    # Only grade runs, with nothing to do: what comes out is what went in.
    page.evaluate(RECIPE, f'{{"base":{{"finish_only":true}},{OFF},"grade":{{"enabled":false}}}}')
    page.wait_for_timeout(500)
    generate(page, "img2img")
    for number, (name, picture) in enumerate(pictures.items(), 1):
        # The host puts a number before the name.
        with Image.open(next(made.glob(f"*{name}.png"))) as file:
            told = file.info["parameters"]
            assert np.array_equal(np.asarray(file.convert("RGB")), picture), name
        # Nothing of one file is found in the next.
        assert told.startswith(f"picture {number}\n")
        assert f"Steps: {3 + number}, " in told
        assert f"Seed: {number}," in told
        assert f"Size: {picture.shape[1]}x{picture.shape[0]}" in told


def test_the_hires_button_finishes_its_result(page: Any, settings_for_a_test: Callable[[dict[str, Any]], None]) -> None:
    # Forge's own button fails on the transparency that it hides its infotext in.
    settings_for_a_test({"stealth_pnginfo_option": "None"})
    if not page.query_selector("#txt2img_upscale"):
        pytest.skip("this host has no such button")
    draft_settings(page)
    generate(page, "txt2img")
    page.click("#finisher_txt2img .label-wrap")
    for stage in ("detail", "upscale", "texture", "grade"):
        page.uncheck(f"#finisher-txt2img-{stage}-on")
    page.click("#txt2img_upscale")
    page.wait_for_selector("#txt2img_interrupt", state="visible")
    page.wait_for_selector("#txt2img_interrupt", state="hidden")
    page.wait_for_function("() => document.querySelector('#html_info_txt2img').innerText.includes('Finisher stages')")
    told = page.inner_text("#html_info_txt2img")
    assert "Finisher stages: refine" in told
    assert "Finisher size: 512 x 512" in told


def test_the_settings_section_is_there(page: Any) -> None:
    open_tab(page, "#tabs", "Settings")
    open_tab(page, "#settings", "Finisher")
    page.wait_for_selector("#setting_finisher_save_base", state="visible")


def test_the_page_gets_little_heavier(page: Any) -> None:
    """Closed and untouched: at most 2,500 elements over both tabs."""
    count = page.evaluate(
        "() => ['#finisher_txt2img', '#finisher_img2img'].reduce("
        "(sum, id) => sum + document.querySelectorAll(`${id}, ${id} *`).length, 0)"
    )
    assert 50 < count <= 2500
