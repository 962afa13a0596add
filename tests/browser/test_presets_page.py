"""Presets on the page in a real browser, on both gradio generations: marks, both switches, saving, managing, undo."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lib_finisher.api.infotext import finished_infotext, recipe_pairs
from lib_finisher.imaging.geometry import Size
from lib_finisher.presets.library import Library
from lib_finisher.presets.preset import Match, Preset
from lib_finisher.presets.share import export
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.stage import Base
from tests.browser.page_server import GRADIOS, echoed, given, serving, type_into
from tests.conftest import ROOT

PRESET, MANAGE = "#finisher-txt2img-preset", "#finisher-txt2img-preset-manage"
REFINE, DETAIL, GRADE = "finisher-txt2img-refine", "finisher-txt2img-detail", "finisher-txt2img-grade"
EXCHANGE = f"{MANAGE}-exchange"
JUGGERNAUT, FLOW = "juggernaut.safetensors", "flow.safetensors"
SEEDS = (
    Preset(
        "Mine for Juggernaut",
        {
            "refine": {"denoising_strength": 0.31, "steps": 30},
            "extend": {"enabled": True},
            "detail": {"passes": [{"confidence": 0.4}, {"detector": "hands", "denoising_strength": 0.5}]},
        },
        match=Match(names=("juggernaut",)),
    ),
    Preset("All SDXL", {"grade": {"contrast": 0.2}, "refine": {"steps": 22}}, match=Match(families=("sdxl",))),
    Preset("Pony look", {"grade": {"grain": 0.3}}, match=Match(variants=("pony",))),
    Preset("Every one", {"grade": {"saturation": 0.05}}, match=Match(everything=True)),
    Preset("By pattern", {"refine": {"steps": 50}}, match=Match(globs=("jugger*",))),
)

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow


class Served(NamedTuple):
    gradio: str
    url: str
    library: Library


@pytest.fixture(scope="module", params=GRADIOS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page") / "presets"
    with serving(request.param, folder) as url:
        yield Served(request.param, url, Library(folder))


@pytest.fixture()
def library(served: Served) -> Library:
    shutil.rmtree(served.library.store.folder, ignore_errors=True)
    for preset in SEEDS:
        served.library.store.save(preset, "")
    return served.library


@pytest.fixture()
def page(browser: Any, served: Served, library: Library) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1000, "height": 1000})
    opened.set_default_timeout(20_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(served.url)
    opened.wait_for_selector(".finisher-row", timeout=60_000)
    in_force(opened, "Mine for Juggernaut, for this checkpoint and 3 more")
    yield opened
    opened.close()
    assert errors == []


def switch_to(page: Any, name: str) -> None:
    page.click("#setting_sd_model_checkpoint input")
    page.locator("ul.options li", has_text=name).click()


def in_force(page: Any, text: str) -> None:
    page.wait_for_function(
        f"(text) => document.querySelector('{PRESET}-force')?.textContent.startsWith(text)", arg=text
    )


def edits(page: Any, text: str) -> None:
    page.wait_for_function(f"(text) => document.querySelector('{PRESET}-edits').textContent === text", arg=text)


def told(page: Any, text: str) -> str:
    page.wait_for_function(f"(text) => document.querySelector('{PRESET}-status').textContent.includes(text)", arg=text)
    return str(page.inner_text(f"{PRESET}-status"))


def mark(page: Any, identity: str) -> tuple[str, str]:
    """A field's mark and what it says; both empty for a default."""
    found = page.locator(f"[id='{identity}-mark']")
    return (found.inner_text(), found.get_attribute("title")) if found.count() else ("", "")


def ran(page: Any) -> dict[str, Any]:
    """The whole recipe that the server would run now."""
    return echoed(page, "run")  # type: ignore[no-any-return]


def open_manage(page: Any) -> None:
    page.click(f"{MANAGE} > summary")
    page.wait_for_selector(f"{MANAGE}-list li")


def press(page: Any, name: str, label: str) -> None:
    """A button in the row of one preset."""
    rows = page.locator(f"{MANAGE}-list > li")
    row = rows.filter(has=page.locator(f"b:text-is('{name}')"))
    row.get_by_role("button", name=label, exact=True).click() if label == "Rename" else row.locator(
        f"button:text-is('{label}')"
    ).click()


def names(library: Library) -> list[str]:
    return [item.name for item in library.store.load().presets]


def undo(page: Any) -> None:
    page.click(f"{PRESET}-undo")


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


def test_inherited_passes_are_taken_over_whole_and_given_back(page: Any) -> None:
    assert "pass 1 of 2" in page.inner_text(f".finisher-row:has(#{DETAIL}-on)")
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
    page.wait_for_function(f"() => document.querySelector('#{REFINE}-row-steps').value === '0'")
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


def test_what_was_saved_elsewhere_meanwhile_is_not_overwritten(page: Any, library: Library) -> None:
    type_into(page, f"{GRADE}-row-contrast", "0.45")
    other = Preset("Mine for Juggernaut", {"refine": {"steps": 9}}, match=Match(names=("juggernaut",)))
    library.store.save(other, None)
    page.click(f"{PRESET}-save")
    page.click(f"{PRESET}-menu-checkpoint")
    told(page, "was changed in the meantime")
    assert library.store.get("Mine for Juggernaut").recipe == other.recipe
    assert given(page) == {"grade": {"contrast": 0.45}}


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


def set_text(page: Any, data: dict[str, Any]) -> None:
    page.evaluate(
        """(text) => {
          const field = document.querySelector("#finisher_txt2img_recipe textarea");
          field.value = text;
          field.dispatchEvent(new Event("input", { bubbles: true }));
          window.finisher.refresh("txt2img");
        }""",
        json.dumps(data),
    )


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
