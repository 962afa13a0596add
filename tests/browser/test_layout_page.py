"""How the accordion is laid out on the stand-in web UI, on both gradios: every row and pen, every mark and band."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import PATIENCE
from tests.conftest import ROOT
from tests.standin.server import Standin

pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
pytestmark = pytest.mark.slow

WIDTHS = (1920, 1600, 1280, 1024, 800, 640, 414, 390, 360)
STAGES = ("refine", "extend", "repair", "detail", "upscale", "texture", "grade")
CHECKS = (ROOT / "tests" / "browser" / "layout.js").read_text(encoding="utf-8")
# Every mark is shown, every band says its longest words, and a value that cannot be used is marked.
ALL_SHOWN = """() => {
  const { finisher } = window, editor = finisher.editors.txt2img;
  finisher.mark = (editor, stage, control, index, id) =>
    finisher.element("span", { class: "finisher-mark", id: `${id}-mark` }, "V");
  for (const stage of editor.sections) {
    editor.open.add(stage.name);
    const controls = [...stage.controls, ...(stage.passes ? stage.passes.controls : [])];
    for (const control of controls) if (control.group) editor.unfolded.add(`${stage.name}/${control.group}`);
  }
  editor.drafts.set("upscale.0.denoising_strength", "30");
  const draw = editor.draw.bind(editor);
  editor.draw = () => {
    draw();
    for (const band of editor.mount.querySelectorAll(".finisher-band")) band.textContent = "redraws things too";
  };
  const on = Object.fromEntries(editor.table.stages.map((stage) => [stage.name, { enabled: true }]));
  const prompt = "a portrait of a woman [SEP] a man with a hat";
  on.detail.passes = [{}, { detector: "face_yunet, nowhere.pt", prompt }];
  on.upscale.passes = [{ factor: 2.55, denoising_strength: 0.65 }];
  editor.chosen.detail = 1;
  editor.replace(on);
}"""


@pytest.fixture(scope="module", params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Any, host: Standin) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1600, "height": 1200})
    opened.set_default_timeout(PATIENCE)
    opened.goto(f"{host.url}/?__theme={request.param}")
    opened.wait_for_selector("#finisher_txt2img-visible-checkbox")
    opened.click("#finisher_txt2img .label-wrap")
    opened.wait_for_selector("#finisher-txt2img-detail-pen")
    opened.wait_for_selector(".finisher-quick button")
    opened.evaluate(CHECKS)
    yield opened
    opened.close()


def faults(page: Any, *kinds: str) -> list[str]:
    return [fault for kind in kinds for fault in page.evaluate(f"() => window.layoutFaults.{kind}()")]


def test_it_is_in_order_as_it_comes(page: Any) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1200})
        page.wait_for_timeout(100)
        found = faults(page, "outside", "overlapping", "cutOff", "sizes", "pale")
        assert found == [], f"{width} px: {len(found)} faults, among them {found[:5]}"


def test_sliders_and_ticks_have_the_hosts_own_colours(page: Any) -> None:
    page.check("#finisher-txt2img-upscale-on")
    told = page.evaluate("""() => {
      const colour = (name) => {
        const probe = document.createElement("i");
        probe.style.color = `var(${name})`;
        document.body.append(probe);
        const found = getComputedStyle(probe).color;
        probe.remove();
        return found;
      };
      const tick = document.querySelector("#finisher-txt2img-upscale-on"), editor = tick.closest(".finisher-editor");
      return {
        tick: getComputedStyle(tick).backgroundColor, wanted: colour("--checkbox-background-color-selected"),
        slider: getComputedStyle(editor).getPropertyValue("--f-slider"),
        host: getComputedStyle(document.body).getPropertyValue("--slider-color").trim(),
      };
    }""")
    assert told["tick"] == told["wanted"]
    if told["host"] != "auto":
        rgb = tuple(int(told["host"][place : place + 2], 16) for place in (1, 3, 5))
        assert told["slider"] == f"rgb({rgb[0]}, {rgb[1]}, {rgb[2]})"


def test_the_table_travels_once_for_both_tabs(page: Any, host: Standin) -> None:
    with urllib.request.urlopen(f"{host.url}/") as answer:
        assert "Denoising strength by size" not in answer.read().decode()
    page.wait_for_function("() => window.finisher.editors.img2img && window.finisher.editors.img2img.table")
    assert page.evaluate("() => finisher.editors.txt2img.table === finisher.editors.img2img.table")


# The last one: it leaves everything open.
def test_nothing_overlaps_leaves_the_accordion_or_is_cut_off_at_any_width(page: Any) -> None:
    page.evaluate(ALL_SHOWN)
    page.click("#finisher-txt2img-cost summary")
    page.wait_for_selector("#finisher-txt2img-cost td")
    assert page.locator(".finisher-mark:visible").count() > 200
    assert page.locator(".finisher-field:visible").count() > 200
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1200})
        page.wait_for_timeout(150)
        found = faults(page, "outside", "overlapping", "cutOff", "sizes", "pale")
        assert found == [], f"{width} px: {len(found)} faults, among them {found[:5]}"
