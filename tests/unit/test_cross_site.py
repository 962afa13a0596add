"""Which pages a browser may carry requests from."""

from __future__ import annotations

import pytest

from lib_finisher.api.cross_site import Address, refusal

HERE = Address(port=7860)
JSON = {"content-type": "application/json"}


def status(headers: dict[str, str], address: Address = HERE) -> int:
    refused = refusal({**JSON, **headers}, address)
    return 200 if refused is None else refused[0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        # Those that a page may send without asking.
        ("text/plain", 415),
        ("text/plain; application/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=application/json", 415),
        ("", 415),
        ("application/jsonp", 415),
        ("application/json, text/plain", 415),
    ],
)
def test_only_json_is_taken(kind: str, expected: int) -> None:
    assert status({"content-type": kind}) == expected
    assert refusal({}, HERE) is not None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        # A program.
        ({"host": "127.0.0.1:7860"}, 200),
        # The page itself: in reach, in the network, and behind proxies that keep its name.
        ({"origin": "http://127.0.0.1:7860", "host": "127.0.0.1:7860"}, 200),
        ({"origin": "http://[::1]:7860", "host": "[::1]:7860"}, 200),
        ({"origin": "http://192.168.1.5:7860", "host": "192.168.1.5:7860"}, 200),
        ({"origin": "http://gpu.lan:7860", "host": "gpu.lan:7860"}, 200),
        ({"origin": "http://GPU:7860", "host": "gpu:7860"}, 200),
        ({"origin": "https://1a2b.gradio.live", "host": "1a2b.gradio.live"}, 200),
        ({"origin": "https://x.proxy.runpod.net", "host": "x.proxy.runpod.net:443"}, 200),
        ({"origin": "http://art.example.com", "host": "art.example.com:80"}, 200),
        # Behind one that does not: the browser knows the page that it asks from.
        ({"origin": "https://art.example.com", "host": "127.0.0.1:7860", "sec-fetch-site": "same-origin"}, 200),
        ({"host": "localhost:7860", "sec-fetch-site": "none"}, 200),
        ({"origin": "https://art.example.com", "host": "127.0.0.1:7860"}, 403),
        # Other pages.
        ({"origin": "https://evil.example", "host": "127.0.0.1:7860"}, 403),
        ({"origin": "https://evil.example", "host": "127.0.0.1:7860", "sec-fetch-site": "cross-site"}, 403),
        ({"host": "127.0.0.1:7860", "sec-fetch-site": "cross-site"}, 403),
        # Another program's page on the same machine.
        ({"origin": "http://127.0.0.1:8000", "host": "127.0.0.1:7860"}, 403),
        ({"origin": "http://127.0.0.1:8000", "host": "127.0.0.1:7860", "sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://localhost:7860", "host": "127.0.0.1:7860"}, 403),
        ({"origin": "https://127.0.0.1:7860", "host": "127.0.0.1:7860", "sec-fetch-site": "Cross-Site"}, 403),
        ({"origin": "null", "host": "127.0.0.1:7860"}, 403),
        ({"origin": "", "host": "127.0.0.1:7860"}, 403),
        ({"origin": "file://", "host": "127.0.0.1:7860"}, 403),
        ({"origin": "http://127.0.0.1:7860.evil.example", "host": "127.0.0.1:7860"}, 403),
        ({"origin": "http://127.0.0.1:7860@evil.example", "host": "127.0.0.1:7860"}, 403),
        ({"origin": "http://evil.example#http://127.0.0.1:7860", "host": "127.0.0.1:7860"}, 403),
        ({"origin": "http://127.0.0.1:99999", "host": "127.0.0.1:99999"}, 403),
        ({"origin": "http://127.0.0.1:7860"}, 403),
        # What proxies add proves nothing.
        ({"origin": "https://evil.example", "host": "127.0.0.1:7860", "x-forwarded-host": "evil.example"}, 403),
        ({"origin": "https://evil.example", "host": "127.0.0.1:7860", "forwarded": "host=evil.example"}, 403),
        # A name that leads here for the moment.
        ({"origin": "http://evil.example:7860", "host": "evil.example:7860"}, 403),
        ({"origin": "http://evil.example:7860", "host": "evil.example:7860", "sec-fetch-site": "same-origin"}, 403),
        ({"origin": "http://evil.example:7860", "host": "evil.example:7860", "x-forwarded-for": "10.0.0.1"}, 403),
    ],
)
def test_another_page_may_change_nothing(headers: dict[str, str], expected: int) -> None:
    assert status(headers) == expected


@pytest.mark.parametrize(
    ("address", "origin", "expected"),
    [
        (Address(("https://evil.example", "https://mine.example/")), "https://mine.example", 200),
        (Address(("https://mine.example",)), "https://mine.example.evil.example", 403),
        (Address(("https://mine.example",)), "http://mine.example", 403),
        (Address(("*",)), "https://anybody.example", 200),
        (Address(expression=r"https://.*\.mine\.example"), "https://a.mine.example", 200),
        (Address(expression=r"https://.*\.mine\.example"), "https://a.mine.example.evil.example", 403),
        (Address(expression=r".*mine\.example"), "null", 403),
        # Named, a borrowed name is the user's own.
        (Address(("http://art.mine.example:7860",), port=7860), "http://art.mine.example:7860", 200),
        (Address(names=("art.mine.example",), port=7860), "http://art.mine.example:7860", 403),
    ],
)
@pytest.mark.parametrize("site", [{}, {"sec-fetch-site": "cross-site"}])
def test_what_the_user_named_may(address: Address, origin: str, expected: int, site: dict[str, str]) -> None:
    assert status({"origin": origin, "host": "127.0.0.1:7860", **site}, address) == expected


def test_the_machines_own_name_is_no_borrowed_one() -> None:
    asked = {"origin": "http://art.mine.example:7860", "host": "art.mine.example:7860"}
    assert status(asked, Address(port=7860)) == 403
    assert status(asked, Address(port=7860, names=("art.mine.example",))) == 200


def test_the_refusal_says_what_to_do() -> None:
    refused = refusal({**JSON, "origin": "https://evil.example", "host": "here"}, HERE)
    assert refused is not None
    assert "https://evil.example" in refused[1].text
    assert "--cors-allow-origins" in refused[1].text
