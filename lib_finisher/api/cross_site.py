"""Which requests may change something: a web page that the user merely visits may not, although the user's browser
would carry it here, past a firewall and with a password that it remembers.

A browser sends foreign JSON only after asking, so nothing else is taken. What it says of the page itself counts after
that: `Sec-Fetch-Site`, which is right behind any proxy and which no page can set, or else `Origin` beside `Host`. What
proxies add (`X-Forwarded-Host` and its like) is never looked at: any program or page may write it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lib_finisher.api.problems import Problem, shown

WRONG_TYPE, FORBIDDEN = 415, 403
_PORTS = {"http": 80, "https": 443}
# Nobody can have these registered, so they name machines of the user's own network.
_LOCAL = ("localhost", "local", "lan", "home", "internal", "intranet", "arpa")


@dataclass(frozen=True)
class Address:
    """Where the web UI is: the origins that the user named, an expression that whole origins match ("" for none), the
    names of this machine, and the port (1..65535) that it listens on, None where that is unknown."""

    origins: tuple[str, ...] = ()
    expression: str = ""
    names: tuple[str, ...] = ()
    port: int | None = None

    def names_origin(self, origin: str) -> bool:
        """Whether the user named this origin, as the host's own rule reads it."""
        known = {item.strip().rstrip("/").lower() for item in self.origins}
        return (
            "*" in known or origin.lower() in known or bool(self.expression and re.fullmatch(self.expression, origin))
        )


def refusal(headers: Mapping[str, str], address: Address) -> tuple[int, Problem] | None:
    """(status, why) for a request with these headers, their names in lower case; None where it may change something.

    A program sends neither `Origin` nor `Sec-Fetch-Site`; its password is asked for elsewhere.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return WRONG_TYPE, Problem("Content-Type", f"{shown(kind)} is not accepted; it must be application/json.")
    origin = headers.get("origin")
    if origin is not None and address.names_origin(origin):
        return None
    if _is_foreign(origin, headers) or (origin is not None and _may_be_a_borrowed_name(origin, address)):
        page = shown(origin or headers.get("sec-fetch-site", ""))
        return FORBIDDEN, Problem(
            "Origin",
            f"A web page at {page} may not use this web UI. If it is to, start the web UI with "
            "--cors-allow-origins and the page's address.",
        )
    return None


def _is_foreign(origin: str | None, headers: Mapping[str, str]) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site.strip().lower() not in ("same-origin", "none")
    if origin is None:
        return False
    at = _split(origin)
    return at is None or at != _split(f"{at[0]}://{headers.get('host', '')}")


def _may_be_a_borrowed_name(origin: str, address: Address) -> bool:
    """Whether a page's own name may lead here for the moment (DNS rebinding): a name that anybody can register, plain
    HTTP, and no proxy between. To the browser such a page and this web UI are the same."""
    at = _split(origin)
    if at is None or at[0] != "http" or at[2] != address.port or at[1] in address.names:
        return False
    return not _is_local(at[1])


def _is_local(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        labels = name.rstrip(".").split(".")
        return len(labels) == 1 or labels[-1] in _LOCAL
    return True


def _split(origin: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) of an origin; None where it is none, "null" among others."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path or parts.query or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname.lower(), port if port is not None else _PORTS[parts.scheme]
