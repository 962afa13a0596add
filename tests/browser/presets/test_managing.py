"""Managing presets in a real browser: the list, renaming, comparing, export and import, from an infotext."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.imaging.geometry import Size
from lib_finisher.infotext.writing import finished_infotext, recipe_pairs
from lib_finisher.presets.library import Library
from lib_finisher.presets.preset import Preset
from lib_finisher.presets.share import export
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.stage import Base
from tests.browser.page_server import given
from tests.browser.presets.actions import (
    EXCHANGE,
    FLOW,
    GRADE,
    JUGGERNAUT,
    MANAGE,
    PRESET,
    SEEDS,
    in_force,
    mark,
    names,
    open_manage,
    press,
    switch_to,
    told,
    undo,
)

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow


def test_the_list_says_which_presets_this_checkpoint_gets_and_why(page: Any) -> None:
    open_manage(page)
    rows = page.locator(f"{MANAGE}-why li").all_inner_texts()
    assert rows == [
        "Mine for Juggernaut used: its name is 'juggernaut'",
        "By pattern not used: its name fits 'jugger*', but Mine for Juggernaut comes before it",
        "Pony look used: its variant is pony",
        "All SDXL used: its family is sdxl",
        "Every one used: it is for every checkpoint",
    ]
    assert page.inner_text(f"{MANAGE}-checkpoint") == f"For {JUGGERNAUT} (sdxl, pony):"
    switch_to(page, FLOW)
    page.wait_for_function(f"() => document.querySelectorAll('{MANAGE}-why li').length === 1")


def test_presets_are_renamed_duplicated_locked_and_deleted_with_undo(page: Any, library: Library) -> None:
    open_manage(page)
    press(page, "All SDXL", "Rename")
    page.keyboard.type("Every SDXL")
    page.keyboard.press("Enter")
    told(page, "All SDXL is now Every SDXL.")
    assert "Every SDXL" in names(library) and "All SDXL" not in names(library)
    assert mark(page, f"{GRADE}-row-contrast")[1] == "From Every SDXL, for the family sdxl"
    undo(page)
    told(page, "Taken back.")
    assert "All SDXL" in names(library)
    press(page, "Portrait", "Duplicate")
    told(page, "Portrait was duplicated.")
    assert "Portrait (2)" in names(library)
    undo(page)
    told(page, "Taken back.")
    assert "Portrait (2)" not in names(library)
    press(page, "Pony look", "Lock")
    told(page, "Pony look is locked.")
    assert library.store.get("Pony look").locked
    row = page.locator(f"{MANAGE}-list > li").filter(has=page.locator("b:text-is('Pony look')"))
    assert row.locator("button:disabled").all_inner_texts() == ["Rename", "Delete"]
    page.click(f"{PRESET}-save")
    assert page.is_disabled(f"{PRESET}-menu-variant-pony")
    press(page, "Pony look", "Unlock")
    told(page, "Pony look is unlocked.")
    press(page, "Pony look", "Delete")
    told(page, "Pony look was deleted.")
    assert "Pony look" not in names(library)
    page.wait_for_function(f"() => document.querySelector('#{GRADE}-row-grain').value === '0.1'")
    assert page.evaluate("() => document.activeElement.id") == f"{PRESET[1:]}-undo", "the keyboard can undo at once"
    undo(page)
    told(page, "Taken back.")
    assert "Pony look" in names(library)
    assert page.input_value(f"#{GRADE}-row-grain") == "0.3"


def test_a_chosen_preset_stays_chosen_when_it_is_renamed_and_is_left_when_deleted(page: Any, library: Library) -> None:
    library.store.save(Preset("Chosen one", {"grade": {"contrast": 0.6}}), "")
    page.reload()
    in_force(page, "Mine for Juggernaut")
    open_manage(page)
    press(page, "Chosen one", "Use")
    in_force(page, "Chosen one, chosen by you")
    press(page, "Chosen one", "Rename")
    page.keyboard.type("Chosen two")
    page.keyboard.press("Enter")
    told(page, "Chosen one is now Chosen two.")
    assert given(page) == {"preset": "Chosen two"}
    press(page, "Chosen two", "Delete")
    told(page, "Chosen two was deleted.")
    assert given(page) == {}
    undo(page)
    told(page, "Taken back.")
    assert given(page) == {"preset": "Chosen two"}
    in_force(page, "Chosen two, chosen by you")


def test_two_presets_are_compared_control_by_control(page: Any) -> None:
    open_manage(page)
    page.select_option(f"{MANAGE}-compare-0", "Mine for Juggernaut")
    page.select_option(f"{MANAGE}-compare-1", "All SDXL")
    page.click(f"{MANAGE}-compare-go")
    page.wait_for_selector(f"{MANAGE}-compare-told tbody tr")
    rows = [text.split("\t") for text in page.locator(f"{MANAGE}-compare-told tbody tr").all_inner_texts()]
    assert ["Refine: Steps", "30", "22"] in rows
    assert ["Grade: Contrast", "–", "0.2"] in rows
    assert ["Detail, pass 2: Detector", "hands", "–"] in rows


def test_what_is_exported_is_imported_after_a_look(page: Any, library: Library, tmp_path: Path) -> None:
    open_manage(page)
    with page.expect_download() as download:
        page.click(f"{EXCHANGE}-export")
    file = tmp_path / "presets.json"
    download.value.save_as(file)
    assert {item["name"] for item in json.loads(file.read_text())["presets"]} == {item.name for item in SEEDS}
    with page.expect_download() as download:
        press(page, "Portrait", "Export")
    assert download.value.suggested_filename == "Portrait.json"
    coming = [
        SEEDS[1],
        Preset("Pony look", {"grade": {"grain": 0.5}}),
        Preset("New one", {"upscale": {"passes": [{"upscaler": "4x-Gone"}]}, "moon": {"x": 1}}),
    ]
    file.write_text(export(coming))
    library.store.lock("Every one", True)
    page.set_input_files(f"{EXCHANGE}-file", file)
    page.wait_for_selector(f"{EXCHANGE}-table tbody tr")
    assert page.locator(f"{EXCHANGE}-table > tbody > tr").count() == 3
    rows = page.locator(f"{EXCHANGE}-table > tbody > tr").all_inner_texts()
    assert "is here already" in rows[0] and "another of that name is here" in rows[1] and "difference" in rows[1]
    assert "new" in rows[2] and "not here: upscaler '4x-Gone'" in rows[2] and "moon" in rows[2]
    assert names(library).count("New one") == 0, "a look changes nothing"
    page.click(f"{EXCHANGE}-table summary")
    assert "Grade: Grain\t0.3\t0.5" in page.locator(f"{EXCHANGE}-table td details").inner_text()
    page.select_option(f"{EXCHANGE}-how", "replace")
    page.click(f"{EXCHANGE}-go")
    told(page, "Imported. Pony look: replaced, New one: new.")
    assert library.store.get("Pony look").recipe == {"grade": {"grain": 0.5}}
    undo(page)
    told(page, "Taken back.")
    assert library.store.get("Pony look").recipe == {"grade": {"grain": 0.3}}
    assert "New one" not in names(library)


@pytest.mark.parametrize(("how", "left"), [("keep", ["Pony look"]), ("rename", ["Pony look", "Pony look (2)"])])
def test_an_import_may_keep_what_is_here_or_rename_what_comes(
    page: Any, library: Library, how: str, left: list[str]
) -> None:
    open_manage(page)
    page.fill(f"{EXCHANGE}-text", export([Preset("Pony look", {"grade": {"grain": 0.5}})]))
    page.click(f"{EXCHANGE}-preview")
    page.select_option(f"{EXCHANGE}-how", how)
    page.click(f"{EXCHANGE}-go")
    told(page, "Imported.")
    assert [name for name in names(library) if name.startswith("Pony look")] == left
    assert library.store.get("Pony look").recipe == {"grade": {"grain": 0.3}}


def test_a_bad_file_is_refused_in_words(page: Any) -> None:
    open_manage(page)
    page.fill(f"{EXCHANGE}-text", "{nonsense")
    page.click(f"{EXCHANGE}-preview")
    page.wait_for_selector(f"{EXCHANGE}-told .finisher-wrong")
    assert "not valid JSON" in page.inner_text(f"{EXCHANGE}-told")
    page.click(f"{EXCHANGE}-infotext")
    told(page, "there is no recipe of Finisher in this infotext")


def test_an_infotext_becomes_a_preset(page: Any, library: Library) -> None:
    recipe = read_recipe({"grade": {"contrast": 0.33}}, "sdxl")
    text = finished_infotext("a cat\nSteps: 20, Seed: 1", Base(), Size(8, 8), recipe_pairs(recipe, "sdxl"))
    open_manage(page)
    page.fill(f"{EXCHANGE}-text", text)
    page.fill(f"{EXCHANGE}-name", "From a cat")
    page.click(f"{EXCHANGE}-infotext")
    told(page, "From a cat was made of the infotext.")
    assert library.store.get("From a cat").recipe["grade"]["contrast"] == 0.33
