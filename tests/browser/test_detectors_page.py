"""Detectors' files that are dropped in while the page is open, on both gradio generations."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest

from lib_finisher.detect.yunet import MODEL
from tests.standin.server import Standin

# The detectors that the accordion of a tab offers.
OFFERED = """(tab) => {
  const table = window.finisher && window.finisher.editors[tab] && window.finisher.editors[tab].table;
  return table ? table.choices.detector : [];
}"""
ROWS = "(tab) => document.querySelectorAll(`.finisher-editor[data-finisher-tab=${tab}] > *`).length"

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("tab", ["txt2img", "img2img"])
def test_reloading_the_page_shows_new_files(page: Any, host: Standin, tab: str) -> None:
    page.wait_for_function(f"(tab) => ({ROWS})(tab) > 5", arg=tab)
    rows = page.evaluate(ROWS, tab)
    assert "dropped.onnx" not in page.evaluate(OFFERED, tab)
    folder = host.data / "models" / "finisher"
    folder.mkdir()
    shutil.copy(MODEL, folder / "dropped.onnx")
    try:
        page.reload()
        page.wait_for_selector("#finisher_txt2img-visible-checkbox")
        page.wait_for_function(f"(tab) => ({OFFERED})(tab).includes('dropped.onnx')", arg=tab)
        # It is drawn anew, and whole.
        page.wait_for_function(f"([tab, rows]) => ({ROWS})(tab) === rows", arg=[tab, rows])
        page.evaluate(
            """([tab, text]) => {
              const field = document.querySelector(`#finisher_${tab}_recipe textarea`);
              field.value = text;
              field.dispatchEvent(new Event("input", { bubbles: true }));
              window.finisher.refresh(tab);
            }""",
            [tab, json.dumps({"detail": {"passes": [{"detector": "dropped.onnx"}]}})],
        )
        assert "dropped.onnx" in page.input_value(f"#finisher_{tab}_recipe textarea")
    finally:
        shutil.rmtree(folder)
    page.reload()
    page.wait_for_selector("#finisher_txt2img-visible-checkbox")
    page.wait_for_function(f"(tab) => !({OFFERED})(tab).includes('dropped.onnx')", arg=tab)


def test_the_cost_is_told_before_the_run_and_follows_the_settings(page: Any) -> None:
    page.click("#finisher_txt2img .label-wrap")
    cost = page.locator("#finisher-txt2img-cost")
    cost.locator("summary").click()
    page.wait_for_function("() => /→ 1024 × 1024/.test(document.querySelector('#finisher-txt2img-cost').innerText)")
    before = cost.locator("summary").inner_text()
    page.fill("#finisher-txt2img-upscale-row-factor", "3")
    page.wait_for_function("() => /→ 1536 × 1536/.test(document.querySelector('#finisher-txt2img-cost').innerText)")
    after = cost.locator("summary").inner_text()
    calls = [int(re.search(r"(\d+) model call", text).group(1)) for text in (before, after)]
    assert calls[1] > calls[0] > 0
    heads = cost.locator("th").all_inner_texts()
    assert heads[0] == "stage" and {"crops", "model calls", "sampling work"} <= set(heads)
    columns = list(zip(*[row.locator("td").all_inner_texts() for row in cost.locator("tbody tr").all()]))
    assert len(columns) == len(heads) and all(any(column) for column in columns), "no column is empty"
    assert columns[0][-1] == "Grade" or "Upscale" in columns[0]


def test_the_catalogue_is_asked_for_when_it_is_opened(page: Any, host: Standin) -> None:
    page.click("#finisher_txt2img .label-wrap")
    page.click("#finisher-txt2img-detail-pen")
    catalogue = page.locator("#finisher-txt2img-detail-more-catalogue")
    assert catalogue.locator("li").count() == 0
    for part in ("look", "save", "draw", "stop", "detectors"):
        assert not page.is_visible(f"#finisher_txt2img_{part}"), "what only scripts press is not seen"
    catalogue.locator("> summary").click()
    page.wait_for_function("() => document.querySelectorAll('.finisher-catalogue-list li').length > 10")
    texts = catalogue.locator("li").all_inner_texts()
    assert "face_yunet" in texts[0] and "Use" in texts[0]
    wanted = next(text for text in texts if "hand_yolov8n.pt" in text)
    assert all(part in wanted for part in ("Fetch", "MB", "sha256", "Apache-2.0", "Bingsu/adetailer"))
    refused = next(text for text in texts if "yolov8x-worldv2.pt" in text)
    assert "Fetch" not in refused and "put the file into a folder" in refused
    folder = host.data / "models" / "finisher"
    folder.mkdir()
    shutil.copy(MODEL, folder / "mine.onnx")
    try:
        page.evaluate("() => { document.querySelectorAll('.finisher-catalogue').forEach((item) => item.remove()); }")
        page.reload()
        page.wait_for_selector("#finisher_txt2img-visible-checkbox")
        page.click("#finisher_txt2img .label-wrap")
        page.click("#finisher-txt2img-detail-pen")
        catalogue.locator("> summary").click()
        row = catalogue.locator("li", has_text="mine.onnx")
        row.locator("button").click()
        assert page.input_value("#finisher-txt2img-detail-row-detector") == "mine.onnx"
    finally:
        shutil.rmtree(folder)
