"""The texture row: what belongs to the stage and what belongs to its passes, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

TEXTURE = "finisher-txt2img-texture"

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow


def recipe(page: Any) -> dict[str, Any]:
    """Without its version and the switch, which each test begins with."""
    data = json.loads(page.input_value("#finisher_txt2img_recipe textarea") or "{}")
    data.pop("version", None)
    data.get("texture", {}).pop("enabled", None)
    return {stage: settings for stage, settings in data.items() if settings}


def type_into(page: Any, identity: str, text: str) -> None:
    page.fill(f"#{identity}", text)
    page.keyboard.press("Tab")


def test_the_row_has_the_stages_own_controls_beside_those_of_the_pass(page: Any, request: Any) -> None:
    page.click("#finisher_txt2img .label-wrap")
    page.check(f"#{TEXTURE}-on")
    row = page.locator(f".finisher-row:has(#{TEXTURE}-on) .finisher-prominent")
    assert row.locator("label").all_inner_texts() == ["Redraw", "Strength", "Radius", "Where"]
    type_into(page, f"{TEXTURE}-row-strength", "0.8")
    page.select_option(f"#{TEXTURE}-row-where", "skin")
    page.check(f"#{TEXTURE}-row-active")
    assert recipe(page) == {"texture": {"strength": 0.8, "where": "skin", "passes": [{"active": True}]}}
    type_into(page, f"{TEXTURE}-row-strength", "0.4")
    page.select_option(f"#{TEXTURE}-row-where", "everywhere")
    page.uncheck(f"#{TEXTURE}-row-active")
    assert recipe(page) == {}
    page.click(f"#{TEXTURE}-pen")
    # What stands in the row does not stand below it once more.
    assert page.locator(f"#{TEXTURE}-more-strength, #{TEXTURE}-more-active").count() == 0
    type_into(page, f"{TEXTURE}-more-denoising_strength", "0.15")
    page.click(f"#{TEXTURE}-more-group-tiles summary")
    type_into(page, f"{TEXTURE}-more-columns", "3")
    page.click(f"#{TEXTURE}-more-add")
    page.check(f"#{TEXTURE}-row-active")
    page.click(f"#{TEXTURE}-more-group-model summary")
    page.select_option(f"#{TEXTURE}-more-upscaler", "2x-standin")
    first = {"denoising_strength": 0.15, "columns": 3}
    assert recipe(page) == {"texture": {"upscaler": "2x-standin", "passes": [first, {**first, "active": True}]}}
    assert page.inner_text(f"#{TEXTURE}-help").startswith("Pass 2 of 2. ")
    assert page.is_disabled(f"#{TEXTURE}-more-add")
    identities = page.evaluate("() => [...document.querySelectorAll('.finisher-editor [id]')].map((one) => one.id)")
    assert len(identities) == len(set(identities))
    folder = Path(ROOT / "out" / "page")
    folder.mkdir(parents=True, exist_ok=True)
    page.locator(f".finisher-row:has(#{TEXTURE}-on)").screenshot(
        path=folder / f"texture-{request.node.callspec.id}.png"
    )
