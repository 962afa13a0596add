"""Saving changes into presets in a real browser: for every target, as one to choose, and beside another's change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lib_finisher.presets.library import Library
from lib_finisher.presets.preset import Match, Preset
from tests.browser.page_server import given, type_into
from tests.browser.presets.actions import GRADE, PRESET, edits, mark, ran, told, undo

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("target", "name"),
    [("checkpoint", "Mine for Juggernaut"), ("variant-pony", "Pony look"), ("family", "All SDXL"),
     ("everything", "Every one")],
)  # fmt: skip
def test_what_is_saved_is_in_the_preset_and_runs_as_before(page: Any, library: Library, target: str, name: str) -> None:
    type_into(page, f"{GRADE}-row-contrast", "0.45")
    page.check("#finisher-txt2img-repair-on")
    before = given(page)
    shown, stored = ran(page), library.store.get(name)
    page.click(f"{PRESET}-save")
    page.click(f"{PRESET}-menu-{target}")
    text = told(page, f"Saved in {name}, for")
    assert library.store.get(name).recipe["repair"] == {"enabled": True}
    if target == "everything":
        # The family's preset says something about contrast and is stronger.
        assert "All SDXL says otherwise and is stronger: Grade: Contrast. That stays your change." in text
        assert given(page) == {"grade": {"contrast": 0.45}}
        edits(page, "1 change of yours")
    else:
        assert "otherwise" not in text
        assert given(page) == {}
        edits(page, "No changes of yours.")
    assert page.input_value(f"#{GRADE}-row-contrast") == "0.45"
    assert ran(page) == shown
    undo(page)
    told(page, "Taken back.")
    assert given(page) == before
    assert library.store.get(name).recipe == stored.recipe
    assert ran(page) == shown


def test_what_is_saved_as_a_preset_to_choose_is_chosen(page: Any, library: Library) -> None:
    type_into(page, f"{GRADE}-row-contrast", "0.45")
    shown = ran(page)
    page.click(f"{PRESET}-save")
    page.click(f"{PRESET}-menu-chosen")
    page.keyboard.type("Evening light")
    page.keyboard.press("Tab")
    page.keyboard.type("Warm and soft.")
    page.keyboard.press("Enter")
    told(page, "Saved in Evening light, now chosen.")
    stored = library.store.get("Evening light")
    assert (stored.recipe, stored.about, bool(stored.match)) == ({"grade": {"contrast": 0.45}}, "Warm and soft.", False)
    assert given(page) == {"preset": "Evening light"}
    assert ran(page) == shown
    assert mark(page, f"{GRADE}-row-contrast") == ("P", "From Evening light, chosen by you")
    # Once more under that name is a question first.
    type_into(page, f"{GRADE}-row-contrast", "0.5")
    page.click(f"{PRESET}-save")
    page.click(f"{PRESET}-menu-chosen")
    page.keyboard.type("evening light")
    assert page.inner_text(f"{PRESET}-menu-name-save") == "Replace it"
    page.click(f"{PRESET}-menu-name-save")
    told(page, "now chosen.")
    assert library.store.get("Evening light").recipe == {"grade": {"contrast": 0.5}}
    undo(page)
    told(page, "Taken back.")
    assert library.store.get("Evening light").recipe == {"grade": {"contrast": 0.45}}
    assert given(page) == {"preset": "Evening light", "grade": {"contrast": 0.5}}


def test_a_change_made_while_a_save_is_answered_stays(page: Any, library: Library) -> None:
    type_into(page, f"{GRADE}-row-contrast", "0.45")
    page.evaluate(
        """() => {
          const here = window.finisher.page, { ask } = here;
          here.ask = async (tab, how, request) => {
            const answer = await ask(tab, how, request);
            if (request.action === "show") await new Promise((resolve) => { window.goOn = resolve; });
            return answer;
          };
        }"""
    )
    page.click(f"{PRESET}-save")
    page.click(f"{PRESET}-menu-checkpoint")
    page.wait_for_function("() => window.goOn")
    type_into(page, f"{GRADE}-row-grain", "0.2")
    page.evaluate("() => { window.goOn(); }")
    told(page, "Saved in Mine for Juggernaut")
    assert library.store.get("Mine for Juggernaut").recipe["grade"] == {"contrast": 0.45}
    assert given(page) == {"grade": {"grain": 0.2}}
    edits(page, "1 change of yours")
    assert page.input_value(f"#{GRADE}-row-grain") == "0.2"


def test_an_undo_on_the_page_overwrites_nothing_that_was_saved_since(page: Any, library: Library) -> None:
    type_into(page, f"{GRADE}-row-contrast", "0.45")
    page.click(f"{PRESET}-save")
    page.click(f"{PRESET}-menu-checkpoint")
    told(page, "Saved in Mine for Juggernaut")
    other = replace(library.store.get("Mine for Juggernaut"), recipe={"refine": {"steps": 9}})
    library.store.save(other, None)
    undo(page)
    told(page, "was changed in the meantime")
    assert library.store.get("Mine for Juggernaut").recipe == other.recipe


def test_what_was_saved_elsewhere_meanwhile_is_not_overwritten(page: Any, library: Library) -> None:
    type_into(page, f"{GRADE}-row-contrast", "0.45")
    other = Preset("Mine for Juggernaut", {"refine": {"steps": 9}}, match=Match(names=("juggernaut",)))
    library.store.save(other, None)
    page.click(f"{PRESET}-save")
    page.click(f"{PRESET}-menu-checkpoint")
    told(page, "was changed in the meantime")
    assert library.store.get("Mine for Juggernaut").recipe == other.recipe
    assert given(page) == {"grade": {"contrast": 0.45}}
