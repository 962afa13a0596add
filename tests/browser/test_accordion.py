"""The page in a real browser, on both gradio generations: draw, change, passes, paste, keyboard, themes, weight."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.recipe import SCHEMA
from tests.browser.page_server import GRADIOS, echoed, serving, type_into
from tests.browser.page_server import given as whole
from tests.conftest import ROOT

DETAIL = "finisher-txt2img-detail"
SWITCHED_ON = ("refine", "texture", "grade")
STAGES = ("refine", "extend", "repair", "detail", "upscale", "texture", "grade")

# The colour a stage's name is written in, and the nearest background behind it that is not transparent.
_COLOURS = """() => {
  const numbers = (text) => text.match(/[0-9.]+/g).map(Number);
  const name = document.querySelector(".finisher-stage span");
  let behind = name;
  const clear = (node) => numbers(getComputedStyle(node).backgroundColor)[3] === 0;
  while (behind.parentElement && clear(behind)) behind = behind.parentElement;
  const colours = [getComputedStyle(behind).backgroundColor, getComputedStyle(name).color];
  return colours.map((text) => numbers(text).slice(0, 3));
}"""

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow


def given(page: Any) -> dict[str, Any]:
    """The recipe that a generation would be given now, beyond the stages that each test begins with."""
    recipe = whole(page)
    for stage in SWITCHED_ON:
        if recipe.get(stage, {}).get("enabled"):
            del recipe[stage]["enabled"]
        if recipe.get(stage) == {}:
            del recipe[stage]
    return recipe


@pytest.fixture(scope="module", params=GRADIOS)
def served(request: pytest.FixtureRequest) -> Iterator[str]:
    with serving(request.param) as url:
        yield url


@pytest.fixture()
def page(browser: Any, served: str) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 900, "height": 900})
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(served)
    opened.wait_for_selector(".finisher-row", timeout=60_000)
    for stage in SWITCHED_ON:
        opened.check(f"#finisher-txt2img-{stage}-on")
    yield opened
    opened.close()
    assert errors == []


def test_every_stage_has_its_row_in_order_and_nothing_is_changed(page: Any) -> None:
    assert page.locator(".finisher-stage span").all_inner_texts() == [
        "Base", "Refine", "Extend", "Repair", "Detail", "Upscale", "Texture", "Grade",
    ]  # fmt: skip
    for stage in SWITCHED_ON:
        page.uncheck(f"#finisher-txt2img-{stage}-on")
    assert [stage for stage in STAGES if page.is_checked(f"#finisher-txt2img-{stage}-on")] == ["detail", "upscale"]
    assert json.loads(echoed(page, "generate")[1]) == {"version": 2}
    assert page.evaluate("() => document.querySelectorAll('.finisher-editor *').length") < 400


def test_what_is_changed_and_only_that_is_in_the_recipe(page: Any) -> None:
    type_into(page, "finisher-txt2img-grade-row-contrast", "0.3")
    page.uncheck("#finisher-txt2img-detail-on")
    assert given(page) == {"grade": {"contrast": 0.3}, "detail": {"enabled": False}}
    type_into(page, "finisher-txt2img-grade-row-contrast", "0.1")
    page.check("#finisher-txt2img-detail-on")
    assert given(page) == {}


def test_one_editor_serves_every_pass(page: Any) -> None:
    page.click(f"#{DETAIL}-pen")
    page.click(f"#{DETAIL}-more-group-detection summary")
    type_into(page, f"{DETAIL}-more-confidence", "0.5")
    page.click(f"#{DETAIL}-more-add")
    type_into(page, f"{DETAIL}-row-detector", "hand_yolov8n")
    assert given(page) == {"detail": {"passes": [{"confidence": 0.5}, {"confidence": 0.5, "detector": "hand_yolov8n"}]}}
    page.click(f"#{DETAIL}-more-pass-0")
    assert page.input_value(f"#{DETAIL}-row-detector") == "face_yunet"
    page.click(f"#{DETAIL}-more-remove")
    assert given(page)["detail"]["passes"] == [{"confidence": 0.5, "detector": "hand_yolov8n"}]
    for _ in range(10):
        if page.is_enabled(f"#{DETAIL}-more-add"):
            page.click(f"#{DETAIL}-more-add")
    assert len(given(page)["detail"]["passes"]) == 8


def test_the_base_offers_here_what_means_something_here(page: Any) -> None:
    """In txt2img there is no picture to be taken as it is, but there is a refiner."""
    page.click("#finisher-txt2img-base-pen")
    page.click("#finisher-txt2img-base-more-group-sdxl-refiner summary")
    type_into(page, "finisher-txt2img-base-more-refiner_switch_at", "0.85")
    assert given(page)["base"] == {"refiner_switch_at": 0.85}
    assert page.locator("#finisher-txt2img-base-more-refiner_checkpoint").count() == 1
    assert page.locator("[id^=finisher-txt2img-base][id$=finish_only]").count() == 0


def test_what_is_out_of_range_stays_and_is_marked_in_its_place(page: Any) -> None:
    """Typing 3 into a strength gave 1, which replaces the picture."""
    box, fault = f"{DETAIL}-row-denoising_strength", f"#{DETAIL}-row-denoising_strength-fault"
    type_into(page, box, "0.4")
    assert page.get_attribute(f"#{box}", "aria-invalid") == "false" and not page.is_visible(fault)
    type_into(page, box, "3")
    assert page.input_value(f"#{box}") == "3"
    assert page.get_attribute(f"#{box}", "aria-invalid") == "true"
    assert page.inner_text(fault) == "3 is not from 0 to 1. In force: 0.4."
    assert given(page)["detail"]["passes"] == [{"denoising_strength": 0.4}]
    # Drawing the page anew does not hide it.
    page.click("#finisher-txt2img-grade-on")
    assert page.input_value(f"#{box}") == "3" and page.is_visible(fault)
    type_into(page, box, "0.5")
    assert not page.is_visible(fault)
    assert given(page)["detail"]["passes"] == [{"denoising_strength": 0.5}]
    type_into(page, "finisher-txt2img-upscale-row-factor", "")
    assert page.input_value("#finisher-txt2img-upscale-row-factor") == "2"


def test_an_emptied_box_says_nothing_and_what_is_typed_back_neither(page: Any) -> None:
    box = "#finisher-txt2img-grade-row-contrast"

    def typed(*keys: str) -> None:
        page.click(box)
        for key in ("Control+a", *keys):
            page.keyboard.press(key)

    before = page.input_value(box)
    typed("Delete", "Tab")
    assert page.input_value(box) == before
    assert "contrast" not in given(page).get("grade", {})
    typed("0", ".", "4", "Enter")
    assert given(page)["grade"]["contrast"] == 0.4
    typed(*before, "Tab")
    assert "contrast" not in given(page).get("grade", {})
    typed(*before, "Tab")
    assert given(page)["grade"]["contrast"] == float(before), "typed as it is inherited, it is meant"


def test_a_number_that_stands_for_the_base_says_so(page: Any) -> None:
    box = page.locator("#finisher-txt2img-refine-row-steps")
    page.check("#finisher-txt2img-refine-on")
    assert (box.input_value(), box.get_attribute("placeholder")) == ("", "as the base")
    type_into(page, "finisher-txt2img-refine-row-steps", "12")
    assert given(page)["refine"]["steps"] == 12
    type_into(page, "finisher-txt2img-refine-row-steps", "")
    assert "steps" not in given(page).get("refine", {}), "an empty box is as the base again"
    type_into(page, "finisher-txt2img-refine-row-steps", "2.5")
    fault = page.inner_text("#finisher-txt2img-refine-row-steps-fault")
    assert fault == "2.5 is not a whole number from 0 to 150. In force: as the base."


def test_choices_are_lists_and_a_name_that_is_not_here_is_marked(page: Any) -> None:
    upscaler = page.locator("#finisher-txt2img-upscale-row-upscaler")
    assert upscaler.evaluate("(field) => field.tagName") == "SELECT"
    assert upscaler.locator("option").all_inner_texts() == ["auto", "Lanczos"]
    assert "gradient" in upscaler.evaluate("(field) => getComputedStyle(field).backgroundImage"), "an arrow is seen"
    detector, fault = f"{DETAIL}-row-detector", f"#{DETAIL}-row-detector-fault"
    type_into(page, detector, "hands, nonsense")
    assert page.inner_text(fault) == "Not here: nonsense"
    assert given(page)["detail"]["passes"][0]["detector"] == "hands, nonsense"
    page.select_option(f"#{detector}-pick", value="=eyes")
    assert page.input_value(f"#{detector}") == "eyes" and not page.is_visible(fault)
    page.select_option(f"#{detector}-pick", value="+hands")
    assert page.input_value(f"#{detector}") == "eyes, hands"
    # However it is written, it is that one.
    type_into(page, detector, "EYES.pt")
    assert not page.is_visible(fault)


def test_the_strength_says_what_it_does(page: Any) -> None:
    band = page.locator("#finisher-txt2img-upscale-row-denoising_strength-band")
    assert band.inner_text() == "minimal"
    type_into(page, "finisher-txt2img-upscale-row-denoising_strength", "0.4")
    assert band.inner_text() == "sweet spot"
    page.locator("#finisher-txt2img-upscale-row-denoising_strength").evaluate(
        """(box) => {
          const slider = box.previousElementSibling;
          slider.value = "0.7";
          slider.dispatchEvent(new Event("input"));
        }"""
    )
    assert band.inner_text() == "regenerates"
    assert given(page)["upscale"]["passes"][0]["denoising_strength"] == 0.7


def test_a_value_from_the_server_is_drawn(page: Any) -> None:
    page.click("#paste")
    page.wait_for_function("() => document.querySelector('#finisher-txt2img-grade-row-contrast').value === '0.55'")
    assert not page.is_checked("#finisher-txt2img-refine-on")
    assert given(page) == {"grade": {"contrast": 0.55}, "refine": {"enabled": False}}


def test_the_keyboard_reaches_everything(page: Any) -> None:
    page.focus("#finisher-txt2img-refine-on")
    page.keyboard.press("Space")
    assert page.evaluate("() => document.activeElement.id") == "finisher-txt2img-refine-on", "focus survives a redraw"
    seen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.id"))
    for wanted in ("detail-pen", "upscale-row-factor", "grade-on", "grade-row-grain"):
        assert any(identity.endswith(wanted) for identity in seen), (wanted, seen)


def test_every_field_says_what_it_does(page: Any) -> None:
    for stage in STAGES:
        page.click(f"#finisher-txt2img-{stage}-pen")
    labels = page.locator(".finisher-field label")
    assert labels.count() > 60
    assert all(len(text) > 5 for text in page.locator(".finisher-field > .finisher-help").all_text_contents())
    assert page.locator(".finisher-field > .finisher-help").count() == page.locator(".finisher-field").count()
    # All of it at once, which nobody opens; a closed row costs nothing.
    assert page.evaluate("() => document.querySelectorAll('.finisher-editor *').length") < 2300


def test_groups_are_folded_stay_as_they_are_left_and_count_what_was_changed(page: Any) -> None:
    page.click(f"#{DETAIL}-pen")
    group = page.locator(f"#{DETAIL}-more-group-mask")
    assert not page.is_visible(f"#{DETAIL}-more-mask_blur")
    group.locator("summary").click()
    type_into(page, f"{DETAIL}-more-mask_blur", "0.5")
    page.click("#finisher-txt2img-grade-on")
    assert page.is_visible(f"#{DETAIL}-more-mask_blur")
    assert "1 changed" in group.locator("summary").inner_text()
    assert page.evaluate("() => document.querySelectorAll('.finisher-group[open]').length") == 1


def test_a_chosen_detector_brings_what_goes_with_it_and_takes_it_away_again(page: Any) -> None:
    page.click(f"#{DETAIL}-pen")
    page.click(f"#{DETAIL}-more-group-mask summary")
    type_into(page, f"{DETAIL}-more-dilation", "0.35")
    type_into(page, f"{DETAIL}-row-detector", "hands")
    one = given(page)["detail"]["passes"][0]
    assert one == {"detector": "hands", "dilation": 0.35, "padding": 1.0, "gate": 0.05}, "what was typed stays"
    page.wait_for_function(f"() => document.getElementById('{DETAIL}-more-padding').value === '1'")
    type_into(page, f"{DETAIL}-row-detector", "eyes")
    assert given(page)["detail"]["passes"] == [{"detector": "eyes", "dilation": 0.35, "padding": 1.5}]
    type_into(page, f"{DETAIL}-row-detector", "face_yunet")
    assert given(page)["detail"]["passes"] == [{"dilation": 0.35}]


def test_text_can_be_read_in_both_themes(page: Any, served: str) -> None:
    """Also leaves pictures of both themes under out/, where a person can look at them."""
    folder = Path(ROOT / "out" / "page")
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        page.goto(f"{served}?__theme={theme}")
        page.wait_for_selector(".finisher-row")
        page.click(f"#{DETAIL}-pen")
        file = folder / f"{served.rsplit(':', 1)[1].strip('/')}-{theme}.png"
        page.screenshot(path=str(file), full_page=True)
        background, ink = page.evaluate(_COLOURS)
        assert abs(sum(background) - sum(ink)) > 300, f"text can be read on the {theme} page: {ink} on {background}"


def test_typing_keeps_the_focus_and_the_next_click(page: Any) -> None:
    box = page.locator("#finisher-txt2img-refine-row-denoising_strength")
    box.click()
    page.keyboard.press("Control+a")
    page.keyboard.type("0.42")
    # Before the box is left: a shortcut that generates sends it.
    assert given(page) == {"refine": {"denoising_strength": 0.42}}
    box.click()
    page.keyboard.type("5")
    page.click(f"#{DETAIL}-pen")
    assert page.get_attribute(f"#{DETAIL}-pen", "aria-expanded") == "true"
    box.click()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id").startswith("finisher-txt2img-refine")


@pytest.mark.parametrize("kept", ["{}", '{"version": 1}'])
def test_an_empty_recipe_that_the_host_has_kept_is_one_of_today(browser: Any, served: str, kept: str) -> None:
    """The hosts write the first value of every field into ui-config.json, and set it again ever after."""
    opened = browser.new_page(viewport={"width": 900, "height": 900})

    def as_kept(route: Any) -> None:
        answer = route.fetch()
        first = json.dumps(json.dumps({"version": SCHEMA}))
        assert first in answer.text()
        route.fulfill(response=answer, body=answer.text().replace(first, json.dumps(kept)))

    opened.route(re.compile(f"^{re.escape(served)}/?$"), as_kept)
    opened.goto(served)
    opened.wait_for_selector(".finisher-row", timeout=60_000)
    field = "() => document.querySelector('#finisher_txt2img_recipe textarea').value"
    assert json.loads(opened.evaluate(field)) == {"version": SCHEMA}
    assert not opened.is_checked("#finisher-txt2img-refine-on")
    opened.close()
