"""What comes by itself never takes a press away, and a new place in the page takes over what was open."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow

ROW = "finisher-txt2img-grade"
PEN = f"#{ROW}-pen"
FIELD = "#finisher_txt2img_recipe textarea"

# The server's answer about presets draws the accordion anew. `heard` is set when it has come.
ANSWER = """() => {
  const { regions, presets } = window.finisher, answered = regions.answered;
  regions.answered = (...all) => { answered(...all); regions.answered = answered; window.heard = true; };
  presets.txt2img.show();
}"""
# The server has set the recipe, as pasted infotext does.
PASTE = """() => {
  const field = document.querySelector("#finisher_txt2img_recipe textarea");
  field.value = JSON.stringify({ version: 2, grade: { contrast: 0.55 } });
  window.finisher.refresh("txt2img");
  window.heard = true;
}"""
# Another script sets a control.
SET = "() => { window.finisher.set('txt2img', 'grade', 'contrast', 0.55); window.heard = true; }"
MOUNT = """() => {
  const mount = document.querySelector(".finisher-editor[data-finisher-tab=txt2img]");
  mount.replaceWith(mount.cloneNode(false));
}"""


def opened(page: Any) -> None:
    page.click("#finisher_txt2img .label-wrap")
    page.wait_for_function("() => document.querySelector('#finisher-txt2img-preset-force')?.textContent")
    page.wait_for_timeout(500)


def happens(page: Any, cause: str) -> None:
    page.evaluate(cause)
    page.wait_for_function("() => window.heard")
    page.evaluate("() => { window.heard = false; }")
    page.wait_for_timeout(400)


def by_mouse(page: Any, selector: str, meanwhile: Callable[[], None]) -> None:
    page.hover(selector)
    page.mouse.down()
    meanwhile()
    page.mouse.up()


def by_key(page: Any, selector: str, meanwhile: Callable[[], None]) -> None:
    page.focus(selector)
    page.keyboard.down("Space")
    meanwhile()
    page.keyboard.up("Space")


@pytest.mark.parametrize("press", [by_mouse, by_key])
@pytest.mark.parametrize("cause", [ANSWER, PASTE, SET], ids=["answer", "paste", "set"])
def test_a_press_counts_whatever_comes_while_it_is_held(
    page: Any, press: Callable[[Any, str, Callable[[], None]], None], cause: str
) -> None:
    opened(page)
    press(page, PEN, lambda: happens(page, cause))
    page.wait_for_selector(f"{PEN}[aria-expanded=true]", timeout=3000)
    # What came is drawn when the press is over.
    if cause != ANSWER:
        page.wait_for_function(
            "(id) => document.getElementById(id).value === '0.55'", arg=f"{ROW}-row-contrast", timeout=3000
        )
    # And the switch, which is pressed against what is seen.
    before = page.is_checked(f"#{ROW}-on")
    press(page, f"#{ROW}-on", lambda: happens(page, ANSWER))
    assert page.is_checked(f"#{ROW}-on") is not before
    assert json.loads(page.input_value(FIELD))["grade"]["enabled"] is not before


def test_what_was_written_a_moment_ago_does_not_take_the_next_press(page: Any) -> None:
    """Leaving a text of detectors draws the row anew a moment later."""
    opened(page)
    page.fill("#finisher-txt2img-detail-row-detector", "hand_yolov8n")
    by_mouse(page, PEN, lambda: page.wait_for_timeout(600))
    page.wait_for_selector(f"{PEN}[aria-expanded=true]", timeout=3000)


def test_a_list_that_was_chosen_from_before_takes_no_press_away(page: Any) -> None:
    """It loses the focus while the button is held."""
    opened(page)
    page.focus("#finisher-txt2img-preset-choice")
    by_mouse(page, PEN, lambda: happens(page, PASTE))
    page.wait_for_selector(f"{PEN}[aria-expanded=true]", timeout=3000)


def test_a_press_that_ends_elsewhere_lets_everything_be_drawn(page: Any) -> None:
    opened(page)
    page.hover(PEN)
    page.mouse.down()
    happens(page, PASTE)
    assert page.input_value(f"#{ROW}-row-contrast") == "0.1"
    page.mouse.move(5, 5)
    page.mouse.up()
    page.wait_for_function("(id) => document.getElementById(id).value === '0.55'", arg=f"{ROW}-row-contrast")
    assert page.get_attribute(PEN, "aria-expanded") == "false"


def test_a_new_place_takes_over_what_was_open_chosen_and_unfolded(page: Any) -> None:
    opened(page)
    detail = "#finisher-txt2img-detail"
    page.click(f"{detail}-pen")
    page.click(f"{detail}-more-add")
    page.click(f"{detail}-more-group-mask summary")
    factor = "#finisher-txt2img-upscale-row-factor"
    page.fill(factor, "99")
    page.evaluate(MOUNT)
    page.wait_for_selector(f"{detail}-more-group-mask[open]")
    assert page.get_attribute(f"{detail}-more-pass-1", "aria-pressed") == "true"
    assert page.input_value(factor) == "99" and page.is_visible(f"{factor}-fault")
    assert page.locator("#finisher-txt2img-preset-choice").count() == 1
    # It is the page's own from now on.
    by_mouse(page, PEN, lambda: happens(page, ANSWER))
    page.wait_for_selector(f"{PEN}[aria-expanded=true]", timeout=3000)
    page.check(f"#{ROW}-on")
    assert json.loads(page.input_value(FIELD))["grade"] == {"enabled": True}
