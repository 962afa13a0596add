"""The page of one finished picture in a real browser: three pictures to compare, a divider, a loupe at 100 %."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize
from lib_finisher.review.page import write_page

STAGE = {
    "stage": "upscale", "status": "ran", "reason": "", "seconds": 1.0, "patches": 0, "host_calls": 0,
    "megapixel_steps": 0.0, "size": [512, 512], "notes": [],
    "quality": {"detail_kept": 0.9, "detail_new": 0.1, "halo": 0.0, "fringe": 0.0, "lattice": 0.0, "tint": 0.0,
                "brought_back": 0.05},
}  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, portrait: Pixels) -> str:
    file = tmp_path_factory.mktemp("page") / "index.html"
    small = resize(portrait, Size(256, 256), "area")
    finished = np.clip(resize(small, Size(512, 512)), 0, 1)
    steps = [("Refine", small), ("Upscale", finished)]
    write_page(file, "A picture", small, steps, {"engine": "real", "stages": [STAGE]}, 1 - finished, (0.4, 0.2))
    return Path(file).as_uri()


@pytest.fixture(params=["light", "dark"])
def page(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=request.param, has_touch=True)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(address)
    opened.wait_for_function("document.getElementById('before').complete")
    yield opened
    opened.close()
    assert errors == []


def divider(page: Any) -> float:
    return float(page.evaluate("parseFloat(document.getElementById('compare').style.getPropertyValue('--at'))"))


def corner(page: Any) -> list[float]:
    return list(
        page.evaluate(
            "[...document.querySelectorAll('.pane img')].map(i => new DOMMatrix(getComputedStyle(i).transform))"
            ".map(m => [m.e, m.f]).filter((p, n, all) => !n || '' + p !== '' + all[0]).flat()"
        )
    )


def test_mouse_keys_and_touch_move_the_divider(page: Any) -> None:
    area = page.locator("#compare").bounding_box()
    page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + 50)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.2, area["y"] + 50)
    page.mouse.up()
    assert divider(page) == pytest.approx(20, abs=1)
    page.touchscreen.tap(area["x"] + area["width"] * 0.8, area["y"] + 50)
    assert divider(page) == pytest.approx(80, abs=1)
    page.focus("#slider")
    page.keyboard.press("ArrowLeft")
    assert divider(page) == pytest.approx(79.5, abs=1)


def test_the_left_picture_is_chosen_by_mouse_and_keys(page: Any) -> None:
    first = page.get_attribute("#before", "src")
    assert page.inner_text("#left") == "enlarged plainly"
    page.focus("#switch input:checked")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#left") == "upscaler model alone"
    assert page.get_attribute("#before", "src") != first
    page.click("#switch input >> nth=0")
    assert page.get_attribute("#before", "src") == first


def test_the_loupe_shows_one_place_of_all_three_at_one_pixel_a_pixel(page: Any) -> None:
    panes = page.locator(".pane img")
    assert panes.count() == 3
    widths = page.evaluate("[...document.querySelectorAll('.pane img')].map(i => i.width * devicePixelRatio)")
    assert widths == [512, 512, 512]
    before = corner(page)
    assert len(before) == 2, "all panes show one place"
    page.focus("#loupe")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    moved = corner(page)
    assert len(moved) == 2 and moved[0] == before[0] - 32 and moved[1] == before[1] - 32
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    assert 512 + corner(page)[0] == pytest.approx(page.locator(".pane").first.bounding_box()["width"], abs=1)


def test_a_stage_takes_the_place_of_the_finished_picture(page: Any) -> None:
    finished = page.get_attribute("#after", "src")
    page.click("button.stage >> nth=1")
    assert page.inner_text("#right") == "after refine"
    assert page.get_attribute("#after", "src") != finished
    page.click("button.stage >> nth=2")
    assert page.get_attribute("#after", "src") == finished and page.inner_text("#right") == "finished"
    assert "measured: detail 90% kept (5% brought back)" in page.inner_text("table")


@pytest.mark.parametrize("width", [1600, 1280, 390])
def test_nothing_leaves_the_page_at_any_width(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    outside = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, .pane') &&"
        " e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 60))"
    )
    assert outside == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # And nothing is left to be scrolled to: the table says what was done at 390 px too.
    assert page.evaluate("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.scroll'))")
