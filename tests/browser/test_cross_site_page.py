"""A real browser tells pages apart, through a proxy too: its own page saves, another does not, however it asks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.standin.proxy import proxy
from tests.standin.server import Standin
from tests.standin.test_standin_cross_site import SAVING, saved

pytestmark = pytest.mark.slow

TRY = """async ([url, body, kind]) => {
  const asks = kind === "application/json";
  try {
    const headers = kind ? { "Content-Type": kind } : {};
    const mode = asks ? "cors" : "no-cors";
    return (await fetch(url, { method: "POST", headers, body: new Blob([body]), mode })).status;
  } catch (error) { return -1; }
}"""


@pytest.mark.parametrize("keeps_host", [True, False])
def test_only_its_own_page_saves(browser: Any, host: Standin, keeps_host: bool) -> None:
    before = saved(host)
    with proxy(host.url, keeps_host) as address:
        page = browser.new_page()
        page.goto(f"{address}/finisher/v1/progress")
        route = "/finisher/v1/presets"
        for other in (host.url, address.replace("127.0.0.1", "localhost")):
            for kind in ("application/json", "text/plain", ""):
                page.evaluate(TRY, [other + route, json.dumps({**SAVING, "name": "Foreign"}), kind])
        assert saved(host) == before
        mine = json.dumps({**SAVING, "name": f"Through a proxy {keeps_host}"})
        assert page.evaluate(TRY, [address + route, mine, "application/json"]) == 200
        assert saved(host) != before
        page.close()
