"""The page with presets on both gradio generations: each test begins with the same presets and a new page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from lib_finisher.presets.library import Library
from tests.browser.page_server import GRADIOS, serving
from tests.browser.presets.actions import SEEDS, Served, in_force


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
