"""What a user does and sees on the page with presets, and the presets that each test begins with."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from lib_finisher.presets.library import Library
from lib_finisher.presets.preset import Match, Preset
from tests.browser.page_server import echoed

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
    # Of a Finisher that had more stages on, so that they are.
    Preset("Every one", {"grade": {"saturation": 0.05}}, match=Match(everything=True), version=1),
    Preset("By pattern", {"refine": {"steps": 50}}, match=Match(globs=("jugger*",))),
)


class Served(NamedTuple):
    gradio: str
    url: str
    library: Library


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
