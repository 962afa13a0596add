"""Who may use the routes: the host's own password, asked for as the host does."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.security import HTTPBasic
from starlette.exceptions import HTTPException

_basic = HTTPBasic(auto_error=False)


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
