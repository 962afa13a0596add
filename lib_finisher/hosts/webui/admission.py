"""How many requests the routes take in at once, and what becomes of one whose client has left."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread
from fastapi import Request
from starlette.exceptions import HTTPException

_Answer = TypeVar("_Answer")
_TOO_LARGE, _TOO_MANY = 413, 429
_RETRY_SECONDS = "10"


@dataclass(frozen=True)
class Room:
    """How much may be taken in: requests that wait for one lane, the running one included; bytes of one body and of
    all bodies that are held together."""

    waiting: int = 8
    body_bytes: int = 256 << 20
    bytes_together: int = 256 << 20


class ClientLeft(Exception):
    """Who asked is not connected any more; nothing is done for them."""


class Client:
    """Whether who asked is still there. Once they have left, what runs for them is told to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = False
        self._stop: Callable[[], None] | None = None

    def leave(self) -> None:
        """They have left."""
        with self._lock:
            self._left = True
            if self._stop is not None:
                self._stop()

    def check(self) -> None:
        """Raises ClientLeft once they have left."""
        if self._left:
            raise ClientLeft

    @contextmanager
    def served(self, stop: Callable[[], None]) -> Iterator[None]:
        """While this lasts, `stop` is called when they leave. Raises ClientLeft where they have left already."""
        with self._lock:
            self.check()
            self._stop = stop
        try:
            yield
        finally:
            with self._lock:
                self._stop = None


class Lane:
    """Does one thing after another, each in a thread; what waits for its turn holds none of the server's threads."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._waiting = 0

    @functools.cached_property
    def _turn(self) -> anyio.CapacityLimiter:
        # Made when first asked for: it belongs to the server's event loop.
        return anyio.CapacityLimiter(1)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """A place in the line. Raises HTTPException (429) where there is none."""
        if self._waiting >= self._room.waiting:
            text = f"{self._waiting} requests are waiting already; ask again when one of them is done."
            raise HTTPException(_TOO_MANY, text, {"Retry-After": _RETRY_SECONDS})
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def turn(self, act: Callable[[], _Answer]) -> _Answer:
        """What `act` gives, in its turn."""
        return await anyio.to_thread.run_sync(act, limiter=self._turn)


class Bodies:
    """Reads the bodies of requests, so many bytes of them together and no more."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body, counted as held while this lasts. Raises HTTPException: 413 where it is too large, 429 where too
        much is held already."""
        self._check(_declared(request), 0)
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in request.stream():
                self._check(size + len(chunk), len(chunk))
                chunks.append(chunk)
                size += len(chunk)
                self._held += len(chunk)
            yield _joined(chunks)
        finally:
            self._held -= size

    def _check(self, size: int, more: int) -> None:
        if size > self._room.body_bytes:
            text = f"a request has {self._room.body_bytes >> 20} MiB at most; send fewer or smaller pictures."
            raise HTTPException(_TOO_LARGE, text)
        if self._held + more > self._room.bytes_together:
            text = "other requests hold all the memory there is for them; ask again when one of them is done."
            raise HTTPException(_TOO_MANY, text, {"Retry-After": _RETRY_SECONDS})


def _joined(chunks: list[bytes]) -> bytes:
    """All of them in one; whoever gets it is the only one to hold it."""
    body = b"".join(chunks)
    chunks.clear()
    return body


def _declared(request: Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


@asynccontextmanager
async def watched(request: Request) -> AsyncIterator[Client]:
    """The client of a request whose body has been read, watched while this lasts."""
    client = Client()
    watcher = asyncio.ensure_future(_until_left(request, client))
    try:
        yield client
    finally:
        watcher.cancel()


async def _until_left(request: Request, client: Client) -> None:
    # `is_disconnected` never says so behind the middleware that these hosts have: it does not wait for the answer.
    while (await request.receive())["type"] != "http.disconnect":
        pass
    client.leave()
