"""The running web UI, and what must hold after every test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.smoke.client import DRAFT, Result, Webui


@pytest.fixture(scope="session")
def webui() -> Webui:
    url = os.environ.get("FINISHER_WEBUI_URL", "")
    if not url:
        pytest.skip("FINISHER_WEBUI_URL is not set: no running web UI to test against")
    return Webui(url)


@pytest.fixture(autouse=True)
def left_as_it_was(webui: Webui) -> Iterator[None]:
    """After every test the host's settings and its job are as before, and params.txt tells of the draft."""
    before = webui.get("/sdapi/v1/options")
    yield
    after = webui.get("/sdapi/v1/options")
    # The host itself notes the hash of whatever it loaded last.
    changed = {key for key in before if before[key] != after.get(key)} - {"sd_checkpoint_hash"}
    assert not changed
    state = webui.get("/sdapi/v1/progress?skip_current_image=true")["state"]
    assert (state["job"], state["job_count"]) == ("", 0)
    told = webui.text("/file=params.txt")
    assert told.startswith(DRAFT["prompt"])
    assert f"Size: {DRAFT['width']}x{DRAFT['height']}" in told
    assert f"Steps: {DRAFT['steps']}, " in told


@pytest.fixture
def settings_for_a_test(webui: Webui, left_as_it_was: None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Sets those of the given settings that this host has, and puts them back after the test."""
    before = webui.get("/sdapi/v1/options")
    changed: dict[str, Any] = {}

    def change(wanted: dict[str, Any]) -> None:
        known = {name: value for name, value in wanted.items() if name in before}
        changed.update({name: before[name] for name in known})
        if known:
            webui.post("/sdapi/v1/options", known)

    yield change
    if changed:
        webui.post("/sdapi/v1/options", changed)


@pytest.fixture(scope="session")
def draft(webui: Webui) -> Result:
    """The picture that every test finishes, made without any argument for Finisher."""
    return webui.txt2img()
