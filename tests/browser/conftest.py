"""Debian's Chromium, driven by playwright, and the stand-in web UI's page in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.standin.server import GRADIOS, Standin, standin

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60_000
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if BROWSER is None:
        pytest.skip("no chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is installed for the newest Python only")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module", params=GRADIOS)
def host(request: pytest.FixtureRequest) -> Standin:
    return standin(request.param)


@pytest.fixture()
def page(browser: Any, host: Standin) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1400, "height": 1200})
    opened.set_default_timeout(PATIENCE)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(host.url)
    opened.wait_for_selector("#finisher_txt2img-visible-checkbox")
    yield opened
    opened.close()
    assert errors == []
