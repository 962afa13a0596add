"""Who may use the routes in the stand-in web UI: right and wrong passwords, its own page and other pages, directly and
behind a proxy."""

from __future__ import annotations

import base64
import http.client
import json
from urllib.parse import urlsplit

import pytest

from tests.standin.proxy import proxy
from tests.standin.server import GRADIOS, Standin, standin

pytestmark = pytest.mark.slow

PASSWORD = "someone:secret,other:word"
NAMED = "https://mine.example"
# Every route, with a body that it answers without doing anything.
GETS = ("/schema", "/detectors", "/presets", "/progress")
POSTS = {
    "/plan": {},
    "/detect": {},
    "/detectors/fetch": {"name": "no such detector"},
    "/finish": {},
    "/presets": {"action": "show"},
}
SAVING = {"action": "save", "layer": "chosen", "name": "From another page", "recipe": {"grade": {"contrast": 0.2}}}
FOREIGN = {"Origin": "https://evil.example"}


def ask(
    url: str, path: str, body: object = None, kind: str | None = "application/json", **headers: str
) -> tuple[int, dict[str, str]]:
    """(status, headers of the answer); a GET without a body. Names of headers are given with underscores."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        connection.request("GET", f"/finisher/v1{path}", headers=told)
    else:
        if kind is not None:
            told["Content-Type"] = kind
        connection.request("POST", f"/finisher/v1{path}", json.dumps(body).encode(), told)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module", params=GRADIOS)
def open_host(request: pytest.FixtureRequest) -> Standin:
    return standin(
        request.param, "--cors-allow-origins", NAMED, "--cors-allow-origins-regex", r"https://.*\.named\.test"
    )


@pytest.fixture(scope="module", params=GRADIOS)
def closed_host(request: pytest.FixtureRequest) -> Standin:
    return standin(request.param, "--api-auth", PASSWORD)


def saved(host: Standin) -> set[str]:
    return {file.name for file in (host.data / "finisher" / "presets").rglob("*") if file.is_file()}


def test_these_are_all_the_routes(open_host: Standin) -> None:
    parts = urlsplit(open_host.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request("GET", "/openapi.json")
    paths = json.loads(connection.getresponse().read())["paths"]
    routes = {
        (method.upper(), path.removeprefix("/finisher/v1"))
        for path, methods in paths.items()
        if path.startswith("/finisher/")
        for method in methods
    }
    assert routes == {("GET", path) for path in GETS} | {("POST", path) for path in POSTS}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, 401),
        ("", 401),
        ("Basic", 401),
        ("Basic !!!", 401),
        ("Bearer secret", 401),
        (basic("someone:wrong"), 401),
        (basic("someone:"), 401),
        (basic("someone"), 401),
        (basic(":secret"), 401),
        # Half right: the password of another, each beside the other's name.
        (basic("someone:word"), 401),
        (basic("other:secret"), 401),
        (basic("someone:secr"), 401),
        (basic("someone:secrét"), 401),
        (basic("someone:secret,other:word"), 401),
        (basic("SOMEONE:secret"), 401),
        (basic("someone:secret"), 200),
        (basic("other:word"), 200),
    ],
)
def test_every_route_asks_for_the_password(closed_host: Standin, given: str | None, expected: int) -> None:
    headers = {} if given is None else {"Authorization": given}
    for path in GETS:
        assert ask(closed_host.url, path, **headers)[0] == expected, path
    for path, body in POSTS.items():
        status, told = ask(closed_host.url, path, body, **headers)
        assert (status == 401) is (expected == 401), (path, status)
        assert status not in (403, 415)
        if status == 401:
            assert told["www-authenticate"].startswith("Basic")


def test_a_password_does_not_let_another_page_in(closed_host: Standin) -> None:
    # A browser sends the password that it remembers, for whichever page.
    for path, body in POSTS.items():
        assert ask(closed_host.url, path, body, Authorization=basic("other:word"), **FOREIGN)[0] == 403, path


def test_every_post_needs_json(open_host: Standin) -> None:
    before = saved(open_host)
    for path, body in {**POSTS, "/presets": SAVING}.items():
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
            assert ask(open_host.url, path, body, kind)[0] == 415, (path, kind)
    assert saved(open_host) == before


@pytest.mark.parametrize(
    "headers",
    [
        FOREIGN,
        {**FOREIGN, "Sec_Fetch_Site": "cross-site"},
        {**FOREIGN, "X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https"},
        {"Origin": "null"},
        {"Origin": "https://mine.example.evil.example"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_another_page_can_neither_save_nor_fetch(open_host: Standin, headers: dict[str, str]) -> None:
    before = saved(open_host)
    for path, body in {**POSTS, "/presets": SAVING}.items():
        assert ask(open_host.url, path, body, **headers)[0] == 403, path
    assert saved(open_host) == before


def test_a_name_that_leads_here_is_not_enough(open_host: Standin) -> None:
    port = urlsplit(open_host.url).port
    borrowed = {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}
    for path, body in POSTS.items():
        assert ask(open_host.url, path, body, **borrowed)[0] == 403, path


def test_its_own_page_and_those_that_the_user_named_may(open_host: Standin) -> None:
    before = saved(open_host)
    own = {"Origin": open_host.url}
    for number, headers in enumerate(
        ({}, own, {"Origin": NAMED}, {"Origin": "https://a.named.test", "Sec_Fetch_Site": "cross-site"})
    ):
        for path, body in POSTS.items():
            assert ask(open_host.url, path, body, **headers)[0] not in (401, 403, 415), path
        assert ask(open_host.url, "/presets", {**SAVING, "name": f"Mine {number}"}, **headers)[0] == 200
    assert len(saved(open_host)) > len(before)


def test_what_only_tells_is_told(open_host: Standin) -> None:
    before = saved(open_host)
    for path in GETS:
        status, told = ask(open_host.url, path, **FOREIGN)
        assert status == 200
        # The browser keeps it from the page.
        assert "access-control-allow-origin" not in told
    assert saved(open_host) == before


@pytest.mark.parametrize("keeps_host", [True, False])
def test_behind_a_proxy_pages_are_told_apart(open_host: Standin, keeps_host: bool) -> None:
    own = {"Host": "1a2b.gradio.live", "Origin": "https://1a2b.gradio.live", "Sec_Fetch_Site": "same-origin"}
    foreign = {"Host": "1a2b.gradio.live", **FOREIGN, "Sec_Fetch_Site": "cross-site"}
    with proxy(open_host.url, keeps_host) as address:
        for path, body in POSTS.items():
            assert ask(address, path, body, **own)[0] not in (401, 403, 415), path
            assert ask(address, path, body, **foreign)[0] == 403, path
            assert ask(address, path, body)[0] not in (401, 403, 415), "a program"
            # An old browser: only a proxy that keeps the name it is asked by tells the page from others.
            old = {name: value for name, value in own.items() if name != "Sec_Fetch_Site"}
            assert (ask(address, path, body, **old)[0] == 403) is not keeps_host, path
            old_foreign = {**FOREIGN, "Host": "1a2b.gradio.live"}
            assert ask(address, path, body, **old_foreign)[0] == 403, path
