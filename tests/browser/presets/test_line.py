"""The line of presets in a real browser: values and their marks, which presets are used, what is kept or pasted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lib_finisher.presets.library import Library
from lib_finisher.presets.preset import Match, Preset
from tests.browser.page_server import given, type_into
from tests.browser.presets.actions import (
    DETAIL,
    FLOW,
    GRADE,
    JUGGERNAUT,
    PRESET,
    REFINE,
    Served,
    edits,
    in_force,
    mark,
    open_manage,
    ran,
    set_text,
    switch_to,
    told,
    undo,
)
from tests.conftest import ROOT

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow


def test_every_control_says_where_its_value_comes_from_and_nothing_is_the_users(page: Any, served: Served) -> None:
    expected = {
        f"{REFINE}-row-denoising_strength": ("0.31", "C", "From Mine for Juggernaut, for this checkpoint"),
        f"{REFINE}-row-steps": ("30", "C", "From Mine for Juggernaut, for this checkpoint"),
        f"{GRADE}-row-contrast": ("0.2", "F", "From All SDXL, for the family sdxl"),
        f"{GRADE}-row-grain": ("0.3", "V", "From Pony look, for the variant pony"),
        "finisher-txt2img-repair-row-mask_blur": ("8", "", ""),
    }
    for identity, (value, letter, why) in expected.items():
        assert (page.input_value(f"#{identity}"), *mark(page, identity)) == (value, letter, why)
        assert page.get_attribute(f"#{identity}", "aria-describedby") == f"{identity}-mark"
    page.click(f"#{GRADE}-pen")
    for summary in page.locator(f"#{GRADE}-more summary").all():
        summary.click()
    assert mark(page, f"{GRADE}-more-saturation") == ("A", "From Every one, for every checkpoint")
    page.click(f"#{GRADE}-pen")
    assert page.is_checked("#finisher-txt2img-extend-on"), "switches are inherited too"
    assert mark(page, "finisher-txt2img-extend-on")[0] == "C"
    assert given(page) == {}
    edits(page, "No changes of yours.")
    assert page.evaluate("() => document.querySelectorAll('.finisher-editor *').length") < 400
    why = page.get_attribute(f"{PRESET}-force", "title")
    assert "Pony look: for the variant pony, because its variant is pony" in why and JUGGERNAUT in why


def test_a_family_has_marks_without_any_preset(page: Any) -> None:
    switch_to(page, FLOW)
    in_force(page, "Every one")
    assert page.input_value(f"#{REFINE}-row-denoising_strength") == "0.3"
    assert mark(page, f"{REFINE}-row-denoising_strength") == ("F", "From what the family flux starts from")


def test_a_change_is_marked_kept_even_at_the_tables_default_and_taken_back_by_its_mark(page: Any) -> None:
    type_into(page, f"{REFINE}-row-denoising_strength", "0.35")
    assert given(page) == {"refine": {"denoising_strength": 0.35}}, "the table's default is not the inherited value"
    assert ran(page)["refine"]["denoising_strength"] == 0.35
    edits(page, "1 change of yours")
    letter, why = mark(page, f"{REFINE}-row-denoising_strength")
    assert letter == "•"
    assert why == "Changed by you. Press to go back to 0.31 (Mine for Juggernaut, for this checkpoint)."
    page.click(f"[id='{REFINE}-row-denoising_strength-mark']")
    assert page.input_value(f"#{REFINE}-row-denoising_strength") == "0.31"
    assert page.evaluate("() => document.activeElement.id") == f"{REFINE}-row-denoising_strength"
    assert given(page) == {}
    # By hand it is the same.
    type_into(page, f"{GRADE}-row-contrast", "0.4")
    type_into(page, f"{GRADE}-row-contrast", "0.2")
    page.uncheck("#finisher-txt2img-extend-on")
    assert given(page) == {"extend": {"enabled": False}}
    assert mark(page, "finisher-txt2img-extend-on")[0] == "•"
    page.check("#finisher-txt2img-extend-on")
    assert given(page) == {}
    edits(page, "No changes of yours.")
    # Typed where nothing of the user's was, the inherited value is meant.
    type_into(page, f"{GRADE}-row-contrast", "0.2")
    assert given(page) == {"grade": {"contrast": 0.2}}
    letter, told = mark(page, f"{GRADE}-row-contrast")
    assert letter == "•" and "what is inherited too" in told
    edits(page, "1 change of yours")
    page.click(f"[id='{GRADE}-row-contrast-mark']")
    assert given(page) == {}


def test_a_pass_names_what_was_typed_as_inherited(page: Any) -> None:
    inherited = page.input_value(f"#{DETAIL}-row-denoising_strength")
    type_into(page, f"{DETAIL}-row-denoising_strength", inherited)
    first, _ = given(page)["detail"]["passes"]
    assert first == {"confidence": 0.4, "denoising_strength": float(inherited)}
    assert mark(page, f"{DETAIL}-row-denoising_strength")[0] == "•"
    page.click(f"[id='{DETAIL}-row-denoising_strength-mark']")
    assert given(page) == {}


def test_inherited_passes_are_taken_over_whole_and_given_back(page: Any) -> None:
    assert "Pass 1 of 2." in page.inner_text(f".finisher-row:has(#{DETAIL}-on)")
    before = ran(page)
    page.click(f"#{DETAIL}-pen")
    page.click(f"#{DETAIL}-more-pass-1")
    assert page.input_value(f"#{DETAIL}-row-detector") == "hands"
    assert mark(page, f"{DETAIL}-row-detector")[0] == "C"
    type_into(page, f"{DETAIL}-row-denoising_strength", "0.6")
    expected = [{"confidence": 0.4}, {"detector": "hands", "denoising_strength": 0.6}]
    assert given(page) == {"detail": {"passes": expected}}
    assert (mark(page, f"{DETAIL}-row-denoising_strength")[0], mark(page, f"{DETAIL}-row-detector")[0]) == ("•", "C")
    edits(page, "1 change of yours")
    after = ran(page)
    assert after["detail"]["passes"][0] == before["detail"]["passes"][0]
    assert after["detail"]["passes"][1] == {**before["detail"]["passes"][1], "denoising_strength": 0.6}
    page.click(f"#{DETAIL}-more-add")
    edits(page, "2 changes of yours")
    page.click(f"#{DETAIL}-more-remove")
    page.click(f"#{DETAIL}-more-pass-1")
    page.click(f"[id='{DETAIL}-row-denoising_strength-mark']")
    assert given(page) == {}
    assert ran(page) == before


def test_which_presets_are_used_can_be_chosen(page: Any) -> None:
    options = page.locator(f"{PRESET}-choice option").all_inner_texts()
    assert options[:2] == ["Automatic", "None"] and {"All SDXL", "Portrait"} <= set(options)
    groups = page.evaluate(f"() => [...document.querySelectorAll('{PRESET}-choice optgroup')].map((one) => one.label)")
    assert groups == ["Yours", "Built in"]
    page.select_option(f"{PRESET}-choice", label="None")
    in_force(page, "no preset is used")
    page.wait_for_function(f"() => document.querySelector('#{REFINE}-row-steps').value === ''")
    assert given(page) == {"preset": "none"}
    page.select_option(f"{PRESET}-choice", label="Landscape")
    in_force(page, "Landscape, chosen by you and 4 more")
    page.wait_for_function("() => !document.querySelector('#finisher-txt2img-detail-on').checked")
    assert mark(page, "finisher-txt2img-detail-on") == ("P", "From Landscape, chosen by you")
    assert given(page) == {"preset": "Landscape"}
    assert ran(page)["detail"]["enabled"] is False
    page.select_option(f"{PRESET}-choice", label="Automatic")
    in_force(page, "Mine for Juggernaut")
    assert given(page) == {}


def test_another_checkpoint_without_changes_shows_its_own_values(page: Any) -> None:
    switch_to(page, FLOW)
    in_force(page, "Every one, for every checkpoint")
    assert given(page) == {}
    assert page.input_value(f"#{GRADE}-row-contrast") == "0.1"
    assert not page.is_checked("#finisher-txt2img-extend-on")
    switch_to(page, JUGGERNAUT)
    in_force(page, "Mine for Juggernaut")
    assert page.input_value(f"#{GRADE}-row-contrast") == "0.2"


def test_another_checkpoint_keeps_what_is_not_saved_and_says_so(page: Any) -> None:
    type_into(page, f"{GRADE}-row-contrast", "0.45")
    type_into(page, f"{REFINE}-row-steps", "17")
    switch_to(page, FLOW)
    edits(page, f"2 changes of yours, kept from {JUGGERNAUT}")
    kept = {"grade": {"contrast": 0.45}, "refine": {"steps": 17}}
    assert given(page) == kept
    assert ran(page)["grade"]["contrast"] == 0.45
    assert (page.input_value(f"#{GRADE}-row-contrast"), mark(page, f"{GRADE}-row-contrast")[0]) == ("0.45", "•")
    assert page.input_value(f"#{REFINE}-row-denoising_strength") == "0.3", "the rest is the new checkpoint's"
    type_into(page, f"{GRADE}-row-grain", "0.2")
    edits(page, f"3 changes of yours, some kept from {JUGGERNAUT}")
    assert page.inner_text(f"{PRESET}-reset") == "Drop them"
    page.click(f"{PRESET}-reset")
    told(page, "3 changes dropped.")
    assert given(page) == {}
    undo(page)
    assert given(page) == {**kept, "grade": {"contrast": 0.45, "grain": 0.2}}
    edits(page, "3 changes of yours")


def test_the_way_back_ends_the_remark(page: Any) -> None:
    type_into(page, f"{GRADE}-row-contrast", "0.45")
    switch_to(page, FLOW)
    edits(page, f"1 change of yours, kept from {JUGGERNAUT}")
    switch_to(page, JUGGERNAUT)
    edits(page, "1 change of yours")
    assert given(page) == {"grade": {"contrast": 0.45}}


def test_a_pasted_recipe_that_wants_no_preset_is_drawn_right(page: Any) -> None:
    set_text(page, {"preset": "none", "refine": {"steps": 12}, "detail": {"passes": [{"confidence": 0.6}]}})
    in_force(page, "no preset is used")
    page.wait_for_function(f"() => document.querySelector('#{GRADE}-row-contrast').value === '0.1'")
    assert page.input_value(f"#{REFINE}-row-steps") == "12"
    edits(page, "2 changes of yours")
    assert page.input_value(f"{PRESET}-choice") == '"none"'
    page.click(f"{PRESET}-reset")
    assert given(page) == {"preset": "none"}


def test_a_preset_that_is_not_here_is_said_and_another_can_be_chosen(page: Any) -> None:
    set_text(page, {"preset": "Gone", "refine": {"steps": 12}})
    page.wait_for_function(f"() => document.querySelector('{PRESET}-force').textContent.includes(\"no preset 'Gone'\")")
    assert page.locator(f"{PRESET}-choice option:checked").inner_text() == "Gone (not here)"
    assert given(page)["preset"] == "Gone", "what was pasted is not thrown away"
    page.select_option(f"{PRESET}-choice", label="Automatic")
    in_force(page, "Mine for Juggernaut")
    assert given(page) == {"refine": {"steps": 12}}


def test_an_answer_never_comes_under_the_hand_of_who_is_typing(page: Any, library: Library) -> None:
    library.store.save(Preset("All SDXL", {"grade": {"contrast": 0.7}}, match=Match(families=("sdxl",))), None)
    box = page.locator(f"#{REFINE}-row-steps")
    box.click()
    page.keyboard.press("Control+a")
    page.keyboard.type("4")
    page.evaluate("() => { window.was = document.activeElement; return window.finisher.presets.txt2img.show(); }")
    assert page.input_value(f"#{GRADE}-row-contrast") == "0.2", "it waits"
    page.keyboard.type("1")
    assert page.evaluate("() => window.was === document.activeElement && window.was.isConnected")
    page.keyboard.press("Tab")
    page.wait_for_function(f"() => document.querySelector('#{GRADE}-row-contrast').value === '0.7'")
    assert page.input_value(f"#{REFINE}-row-steps") == "41"
    assert given(page) == {"refine": {"steps": 41}}


def test_the_keyboard_reaches_the_line_and_escape_closes_the_menu(page: Any) -> None:
    page.focus(f"{PRESET}-choice")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == f"{PRESET[1:]}-save"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == f"{PRESET[1:]}-menu-checkpoint"
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement.id") == f"{PRESET[1:]}-save"
    assert not page.is_visible(f"{PRESET}-menu")
    assert page.get_attribute(f"{PRESET}-save", "aria-expanded") == "false"


def test_nothing_moves_at_the_first_change(page: Any) -> None:
    place = f"""() => document.querySelector('#{GRADE}-on').getBoundingClientRect().top
      - document.querySelector('.finisher-editor').getBoundingClientRect().top"""
    before = page.evaluate(place)
    page.fill(f"#{GRADE}-row-contrast", "0.45")
    edits(page, "1 change of yours")
    assert page.evaluate(place) == before


@pytest.mark.parametrize("width", [1200, 500])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_of_the_page_and_nothing_hangs_over(page: Any, served: Served, theme: str, width: int) -> None:
    """Leaves pictures under out/, where a person can look at them."""
    folder = Path(ROOT / "out" / "page")
    folder.mkdir(parents=True, exist_ok=True)
    page.set_viewport_size({"width": width, "height": 1000})
    page.goto(f"{served.url}?__theme={theme}")
    in_force(page, "Mine for Juggernaut")
    type_into(page, f"{GRADE}-row-contrast", "0.45")
    page.click(f"{PRESET}-save")
    open_manage(page)
    page.click(f"#{DETAIL}-pen")
    page.screenshot(path=str(folder / f"presets-{served.gradio}-{theme}-{width}.png"), full_page=True)
    over = """() => {
      const right = document.querySelector(".finisher-editor").getBoundingClientRect().right + 1;
      const seen = [...document.querySelectorAll(".finisher-editor *")].filter((item) => item.offsetParent);
      const hanging = seen.filter((item) => item.getBoundingClientRect().right > right);
      return hanging.map((item) => item.outerHTML.slice(0, 90));
    }"""
    assert page.evaluate(over) == []
