"""Who may use the routes: the host's own password, and no web page but those that the user named."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, Request
from fastapi.security import HTTPBasic
from starlette.exceptions import HTTPException

from lib_finisher.api.cross_site import Address, refusal
from lib_finisher.api.problems import told

_basic = HTTPBasic(auto_error=False)


def before_each(options: Any) -> list[Any]:
    """What FastAPI is to ask before a route, under the host's command line."""
    password = [Depends(password_asked(options.api_auth))] if options.api_auth else []
    return [*password, Depends(page_asked(options))]


def page_asked(options: Any) -> Callable[[Request], Awaitable[None]]:
    """Refuses what another web page has a browser send."""

    async def check(request: Request) -> None:
        # What only tells changes nothing, and browsers do not show another page its answer.
        if request.method in ("GET", "HEAD"):
            return
        refused = refusal(request.headers, address(options, port_of(request)))
        if refused is not None:
            status, problem = refused
            raise HTTPException(status, told([problem])["detail"])

    return check


def port_of(request: Request) -> int | None:
    """The port that a request came in at, None where the server does not say."""
    server = request.scope.get("server")
    return server[1] if server else None


def address(options: Any, port: int | None) -> Address:
    """Where the web UI is by its command line, and the port it was reached at."""
    named = getattr(options, "cors_allow_origins", None) or ""
    expression = getattr(options, "cors_allow_origins_regex", None) or ""
    # Neither asks the network.
    names = (socket.gethostname(), getattr(options, "server_name", None) or "")
    return Address(
        tuple(item for item in named.split(",") if item),
        expression,
        tuple(name.lower() for name in names if name),
        port,
    )


def password_asked(allowed: str) -> Callable[[Request], Awaitable[None]]:
    """The host's own rule: "user:password", several of them with commas between."""
    users = [item.partition(":") for item in allowed.split(",")]

    async def check(request: Request) -> None:
        try:
            given = await _basic(request)
        except HTTPException:
            given = None
        # As bytes: texts beyond ASCII cannot be compared in constant time.
        name, word = ("", "") if given is None else (given.username, given.password)
        known = [
            secrets.compare_digest(name.encode(), user.encode())
            & secrets.compare_digest(word.encode(), password.encode())
            for user, _, password in users
        ]
        if given is None or not any(known):
            # Starlette's own: A1111 answers FastAPI's without the header, and then no browser asks.
            raise HTTPException(401, "Incorrect username or password", {"WWW-Authenticate": "Basic"})

    return check
