"""The regions panel on the stand-in web UI's page in a real browser, on both gradio generations."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import PORTRAIT, ROOT
from tests.standin.server import GRADIOS, Standin, standin

PATIENCE = 90_000
PANEL = "finisher-img2img-detail-more-regions"
PASS = {"denoising_strength": 0.5, "steps": 8, "gate": 1.0}
SLOW = {"denoising_strength": 0.95, "steps": 150, "gate": 1.0}
SIDE = 512

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two faces side by side, far apart."""
    with Image.open(PORTRAIT) as portrait:
        one = portrait.convert("RGB").resize((SIDE, SIDE))
    both = Image.new("RGB", (2 * SIDE, SIDE))
    both.paste(one, (0, 0))
    both.paste(one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (SIDE, 0))
    file = tmp_path_factory.mktemp("pictures") / "faces.png"
    both.save(file)
    return file


@pytest.fixture(scope="module", params=GRADIOS)
def host(request: pytest.FixtureRequest) -> Standin:
    """Without its API, which the panel does not need."""
    return standin(request.param, "--no-api")


@pytest.fixture()
def page(browser: Any, host: Standin) -> Iterator[Any]:
    opened = opened_page(browser, host)
    yield opened
    opened.close()
    assert opened.faults == []


def opened_page(browser: Any, host: Standin, theme: str = "light", width: int = 1400) -> Any:
    opened = browser.new_page(viewport={"width": width, "height": 1200})
    opened.set_default_timeout(PATIENCE)
    opened.faults = []
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.goto(f"{host.url}/?__theme={theme}")
    opened.wait_for_selector("#finisher_txt2img-visible-checkbox")
    return opened


def to_img2img(page: Any, picture: Path, one: dict[str, Any]) -> None:
    """img2img with a picture, the recipe, and the panel open."""
    page.locator("#tabs > .tab-nav > button", has_text="img2img").first.click()
    page.wait_for_selector("#img2img_image input[type=file]", state="attached")
    page.set_input_files("#img2img_image input[type=file]", str(picture))
    page.wait_for_function("() => document.querySelector('#img2img_image img')?.naturalWidth > 16")
    page.fill("#img2img_seed input", "7")
    page.press("#img2img_seed input", "Tab")
    page.click("#finisher_img2img .label-wrap")
    set_recipe(page, {"detail": {"passes": [one]}})
    page.click("#finisher-img2img-detail-pen")
    page.wait_for_selector(f"#{PANEL}-detect")


def set_recipe(page: Any, data: dict[str, Any], tab: str = "img2img") -> None:
    script = """([tab, text]) => {
      const field = document.querySelector(`#finisher_${tab}_recipe textarea`);
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      window.finisher.refresh(tab);
    }"""
    page.evaluate(script, [tab, json.dumps(data)])


def recipe_of(page: Any) -> dict[str, Any]:
    return json.loads(page.input_value("#finisher_img2img_recipe textarea"))["detail"]["passes"][0]  # type: ignore[no-any-return]


def settled(page: Any) -> str:
    """Wait until the panel has nothing to do: what it says."""
    page.wait_for_function("(id) => !document.getElementById(id).classList.contains('finisher-busy')", arg=PANEL)
    return str(page.inner_text(f"#{PANEL}-status"))


def press(page: Any, name: str) -> str:
    page.click(f"#{PANEL}-{name}")
    return settled(page)


def shown(page: Any) -> np.ndarray:
    """The pixels of the picture that the panel shows."""
    script = """async (id) => {
      const image = document.querySelector(`#${id} .finisher-regions-stage > img`);
      const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    }"""
    data = base64.b64decode(page.evaluate(script, PANEL))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def halves(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return pixels[:, :SIDE], pixels[:, SIDE:]


def test_regions_are_shown_chosen_redrawn_undone_and_tried_again(page: Any, host: Standin, faces: Path) -> None:
    source = np.asarray(Image.open(faces))
    to_img2img(page, faces, PASS)
    assert press(page, "detect") == "2 found, 2 to be redrawn."
    assert page.locator(f"#{PANEL} li").count() == 2
    assert page.locator(f"#{PANEL} .finisher-regions-mask").count() == 2
    assert page.locator(f"#{PANEL} .finisher-regions-box > span").all_inner_texts() == ["1", "2"]

    page.uncheck(f"#{PANEL}-tick-1")
    assert settled(page) == "2 found, 1 to be redrawn."
    assert recipe_of(page)["exclude"] == "1"
    assert page.locator(f"#{PANEL} .finisher-regions-mask").count() == 1
    assert "1 sampled" in press(page, "redraw")
    first = shown(page)
    left, right = halves(first)
    assert np.array_equal(left, halves(source)[0]), "what is not ticked is the source bit for bit"
    assert not np.array_equal(right, halves(source)[1])

    assert "1 sampled" in press(page, "keep-1")
    both = shown(page)
    assert np.array_equal(halves(both)[1], right), "the other region is not sampled again"
    assert not np.array_equal(halves(both)[0], halves(source)[0])

    assert "nothing had to be sampled" in press(page, "undo-2")
    assert recipe_of(page)["exclude"] == "2"
    assert np.array_equal(halves(shown(page))[1], halves(source)[1])
    assert np.array_equal(halves(shown(page))[0], halves(both)[0])
    assert "nothing had to be sampled" in press(page, "keep-2")
    assert np.array_equal(shown(page), both)

    assert "1 sampled" in press(page, "again-1")
    assert recipe_of(page)["reseed"] == "1=1"
    other = shown(page)
    assert np.array_equal(halves(other)[1], right)
    assert not np.array_equal(halves(other)[0], halves(both)[0])

    page.click(f"#{PANEL}-compare")
    assert np.array_equal(shown(page), source)
    page.click(f"#{PANEL}-compare")
    assert np.array_equal(shown(page), other)

    told = press(page, "save")
    saved = host.data / told.removeprefix("Saved: ")
    with Image.open(saved) as picture:
        assert np.array_equal(np.asarray(picture.convert("RGB")), other)
        infotext = picture.info["parameters"]
    assert "Seed: 7" in infotext
    assert "Finisher stages: detail" in infotext

    press(page, "input")
    page.wait_for_function("() => document.querySelector('#img2img_image img')?.naturalWidth === 1024")
    assert press(page, "detect").startswith("2 found")
    page.wait_for_function(
        "(id) => document.querySelector(`#${id} .finisher-regions-stage > img`).naturalWidth", arg=PANEL
    )
    assert np.array_equal(np.asarray(Image.open(faces)), source), "the file is as it was"


def test_unticking_everything_leaves_nothing_to_redraw(page: Any, faces: Path) -> None:
    to_img2img(page, faces, PASS)
    press(page, "detect")
    for number in (1, 2):
        page.uncheck(f"#{PANEL}-tick-{number}")
        settled(page)
    assert recipe_of(page)["exclude"] == "1, 2"
    assert page.is_disabled(f"#{PANEL}-redraw")
    page.check(f"#{PANEL}-tick-2")
    assert settled(page) == "2 found, 1 to be redrawn."
    assert recipe_of(page)["exclude"] == "1"


def test_what_a_filter_drops_says_which_filter(page: Any, faces: Path) -> None:
    to_img2img(page, faces, {**PASS, "most": 1, "prompt": "[SKIP]"})
    assert press(page, "detect") == "2 found, 0 to be redrawn."
    told = page.locator(f"#{PANEL} li").all_inner_texts()
    assert sum("skipped by the prompt" in line for line in told) == 1
    assert sum("beyond Top k" in line for line in told) == 1
    assert page.locator(f"#{PANEL} li input").count() == 1


def test_what_is_wrong_is_said_in_words(page: Any, faces: Path) -> None:
    to_img2img(page, faces, {**PASS, "detector": "nothing_of_that_name"})
    assert "nothing_of_that_name" in press(page, "detect")
    page.select_option(f"#{PANEL}-source", "result")
    assert "no picture in the gallery" in press(page, "detect")


def test_a_picture_of_the_gallery_has_its_own_seed(page: Any) -> None:
    for name, value in (("prompt textarea", "a red circle"), ("seed input", "11"), ("steps input[type=number]", "4")):
        page.fill(f"#txt2img_{name}", value)
        page.press(f"#txt2img_{name}", "Tab")
    page.click("#txt2img_generate")
    page.wait_for_function("() => document.querySelector('#html_info_txt2img').innerText.includes('Steps:')")
    page.click("#finisher_txt2img .label-wrap")
    page.click("#finisher-txt2img-detail-pen")
    panel = PANEL.replace("img2img", "txt2img")
    page.click(f"#{panel}-detect")
    page.wait_for_function(
        "(id) => document.getElementById(id).textContent === 'Nothing was found.'", arg=f"{panel}-status"
    )


def test_stop_ends_the_redraw_and_keeps_the_picture(page: Any, faces: Path) -> None:
    to_img2img(page, faces, SLOW)
    press(page, "detect")
    page.click(f"#{PANEL}-redraw")
    page.wait_for_function(
        "(id) => document.getElementById(id).textContent.includes('Finisher: Detail')", arg=f"{PANEL}-status"
    )
    page.wait_for_selector("#img2img_interrupt", state="visible")
    page.click(f"#{PANEL}-stop")
    assert "interrupted in detail" in settled(page)
    assert np.array_equal(shown(page), np.asarray(Image.open(faces)))
    page.wait_for_selector("#img2img_interrupt", state="hidden")


def test_two_pages_at_once_keep_their_own_pictures(
    browser: Any, page: Any, host: Standin, faces: Path, tmp_path: Path
) -> None:
    dimmed = tmp_path / "dimmed.png"
    Image.open(faces).point(lambda level: level * 3 // 4).save(dimmed)
    second = opened_page(browser, host)
    try:
        for opened, picture in ((page, faces), (second, dimmed)):
            to_img2img(opened, picture, {**PASS, "steps": 7, "exclude": "1"})
            press(opened, "detect")
        for opened in (page, second):
            opened.click(f"#{PANEL}-redraw")
        for opened, picture in ((page, faces), (second, dimmed)):
            assert "1 sampled" in settled(opened)
            left, right = halves(shown(opened))
            assert np.array_equal(left, halves(np.asarray(Image.open(picture)))[0])
            assert not np.array_equal(right, halves(np.asarray(Image.open(picture)))[1])
        assert second.faults == []
    finally:
        second.close()


def test_it_is_there_for_the_keyboard_and_for_small_screens(browser: Any, host: Standin, faces: Path) -> None:
    """Also leaves pictures of both themes under out/, where a person can look at them."""
    folder = ROOT / "out" / "page"
    folder.mkdir(parents=True, exist_ok=True)
    for theme, width in (("light", 420), ("dark", 1400)):
        opened = opened_page(browser, host, theme, width)
        to_img2img(opened, faces, PASS)
        opened.focus(f"#{PANEL}-source")
        opened.keyboard.press("Tab")
        opened.keyboard.press("Enter")
        assert settled(opened).startswith("2 found")
        ink = opened.evaluate(
            "(id) => getComputedStyle(document.querySelector(`#${id} .finisher-regions-box > span`)).color", PANEL
        )
        assert ink == "rgb(255, 255, 255)", "the numbers can be read in both themes"
        opened.focus(f"#{PANEL}-tick-2")
        opened.keyboard.press("Space")
        assert settled(opened) == "2 found, 1 to be redrawn."
        assert opened.evaluate("document.activeElement.id") == f"{PANEL}-tick-2", "the focus stays"
        area = opened.locator(f"#{PANEL}").bounding_box()
        assert area["x"] >= 0
        assert area["x"] + area["width"] <= width, "nothing hangs over the page's side"
        opened.locator(f"#{PANEL}").screenshot(path=str(folder / f"regions-{host.gradio}-{theme}.png"))
        assert opened.faults == []
        opened.close()
