"""The page's own buttons, pressed by another web page: what they save, delete and fetch stays as it was."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.smoke.client import Webui
from tests.standin.server import GRADIOS, Standin, standin
from tests.standin.test_standin_cross_site import FOREIGN, SAVING, saved

pytestmark = pytest.mark.slow

CHANGING = ("presets", "save", "detectors")
TELLING = ("table", "plan")


@pytest.fixture(scope="module", params=GRADIOS)
def host(request: pytest.FixtureRequest) -> Standin:
    return standin(request.param)


def press(
    host: Standin,
    name: str,
    asked: dict[str, Any],
    kind: str | None = "application/json",
    forged: Any = None,
    **headers: str,
) -> str:
    """What the button's own function answers, or the status where it is not asked; by the way that the page goes."""
    page = Webui(host.url).get("/config")
    button = next(
        item["id"] for item in page["components"] if item["props"].get("elem_id") == f"finisher_txt2img_{name}"
    )
    number = next(
        index
        for index, item in enumerate(page["dependencies"])
        if (button in item["targets"] or [button, "click"] in item["targets"]) and item["backend_fn"]
    )
    data = {"fn_index": number, "data": [json.dumps({"id": "1", **asked})], "session_hash": "afar", "request": forged}
    parts = urlsplit(host.url)
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind is not None:
        told["Content-Type"] = kind
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request("POST", "/run/predict", json.dumps(data).encode(), told)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return str(json.loads(body)["data"][0]) if answer.status == 200 else str(answer.status)


def test_its_own_page_and_programs_may(host: Standin) -> None:
    for number, headers in enumerate(({}, {"Origin": host.url}, {"Origin": host.url, "Sec_Fetch_Site": "same-origin"})):
        name = f"Pressed {number}"
        assert name in press(host, "presets", {**SAVING, "name": name}, **headers)
        assert "problems" not in press(host, "detectors", {}, **headers)
    assert "Pressed 2" in press(host, "presets", {"action": "show"})


@pytest.mark.parametrize(
    "headers",
    [
        FOREIGN,
        {**FOREIGN, "Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "null"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["application/json", None])
def test_another_page_changes_nothing(host: Standin, headers: dict[str, str], kind: str | None) -> None:
    before = saved(host)
    for name in CHANGING:
        answer = press(host, name, {**SAVING, "name": "From afar"} if name == "presets" else {}, kind, **headers)
        assert answer.isdecimal() or "may not use this web UI" in answer or "application/json" in answer, answer
    assert saved(host) == before
    for name in TELLING:
        assert "may not use" not in press(host, name, {}, **headers)


def test_without_a_type_nothing_changes(host: Standin) -> None:
    # A page may send that without asking, and the host takes it for JSON.
    before = saved(host)
    answer = press(host, "presets", {**SAVING, "name": "From afar"}, None)
    assert answer.isdecimal() or "application/json" in answer
    assert saved(host) == before


def test_what_a_body_says_of_its_request_is_not_believed(host: Standin) -> None:
    before = saved(host)
    forged = {"headers": {"content-type": "application/json"}, "scope": {}, "request": {}}
    for kind in ("application/json", None):
        answer = press(host, "presets", {**SAVING, "name": "From afar"}, kind, forged, **FOREIGN)
        assert answer.isdecimal() or "is not known" in answer or "may not use this web UI" in answer, answer
    assert saved(host) == before
