"""Fetching a known detector's file, when the user has asked for it and at no other time."""

from __future__ import annotations

import errno
import hashlib
import http.client
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from lib_finisher import __version__
from lib_finisher.detect.known import Known
from lib_finisher.whole_files import sweep, whole

Told = Callable[[int, int], None]
"""Called while a file comes, with (bytes that are here, bytes in all; 0 where that is not known)."""

_BLOCK = 1 << 18
# For files whose size nobody has published; the largest detector in use has 200 MB.
_MOST = 512 << 20


class FetchError(RuntimeError):
    """A file could not be fetched. The message says why and what to do; nothing of it is left behind."""


@dataclass(frozen=True)
class Opener:
    """How addresses are opened: only those of `schemes`, also when one is redirected to another.

    `context` are the certificates to trust, the system's where there are none; `timeout` is in seconds and holds for
    each wait on the line.
    """

    schemes: tuple[str, ...] = ("https",)
    context: ssl.SSLContext | None = None
    timeout: float = 30.0

    def __call__(self, url: str) -> Any:
        """The answer, to be read and closed. Raises OSError, which URLError is, and FetchError for other schemes."""
        self.check(url)
        handlers = [_Redirects(self), urllib.request.HTTPSHandler(context=self.context)]
        # Some hosts turn away what does not say who it is.
        asked = urllib.request.Request(url, headers={"User-Agent": f"Finisher/{__version__}"})
        return urllib.request.build_opener(*handlers).open(asked, timeout=self.timeout)

    def check(self, url: str) -> None:
        """Raises FetchError where an address may not be opened."""
        parts = urlsplit(url)
        if parts.scheme not in self.schemes:
            raise FetchError(
                f"{parts.hostname or 'The address'} wants to send the file by {parts.scheme or 'no scheme'}, which "
                f"anybody on the way could change; only {' and '.join(self.schemes)} is accepted. Nothing was fetched."
            )


class _Redirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        self._opener.check(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


SECURE = Opener()


def fetch(
    entry: Known, folder: Path, told: Told = lambda done, total: None, opener: Callable[[str], Any] = SECURE
) -> Path:
    """Fetch a detector's file into a folder, which is made where it is missing; where it ends up.

    It is written beside its place, checked against its sha256, and only then put there. A right file that is there
    already is left alone and nothing is fetched. Whatever fails, no part of it stays. Raises FetchError.
    """
    if not entry.fetchable:
        raise FetchError(
            f"No checked copy of {entry.name} is known: take it from {entry.source} and put it into {folder}."
        )
    target = folder / entry.name
    if target.exists():
        if _sha256(target) == entry.sha256:
            return target
        raise FetchError(
            f"{target} is there already and is another version of it; rename or remove it, then fetch again."
        )
    made = not folder.exists()
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise FetchError(f"{folder} cannot be used ({error.strerror or error}); choose another folder.") from error
        if free < entry.size:
            raise FetchError(_full(entry, folder, free))
        return _into_place(entry, target, told, opener)
    finally:
        if made:
            with suppress(OSError):
                # Fails where something is in it, and then it stays.
                folder.rmdir()


def _into_place(entry: Known, target: Path, told: Told, opener: Callable[[str], Any]) -> Path:
    try:
        # Each has a part of its own: two who fetch the same file do not write into each other's.
        with whole(target) as part:
            with part.open("xb") as stream:
                got = _download(entry, stream, told, opener)
            if got != entry.sha256:
                raise FetchError(
                    f"What came for {entry.name} is not the right file: its sha256 is {got} and should be "
                    f"{entry.sha256}. It was deleted. Try again; if it stays so, do not use the file from there."
                )
            part.chmod(0o644)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FetchError(_full(entry, target.parent, 0)) from error
        raise FetchError(f"{target} could not be written ({error.strerror or error}).") from error
    return target


def _download(entry: Known, stream: IO[bytes], told: Told, opener: Callable[[str], Any]) -> str:
    """Write what comes; its sha256. Raises FetchError for the line's faults and OSError for the disk's."""
    with closing(_answer(entry, opener)) as answer:
        length = answer.headers.get("Content-Length") or ""
        total = entry.size or (int(length) if length.isdecimal() else 0)
        most = entry.size or _MOST
        if length.isdecimal() and int(length) > most:
            raise FetchError(_larger(entry, int(length)))
        result, done = hashlib.sha256(), 0
        while block := _read(entry, answer):
            done += len(block)
            if done > most:
                raise FetchError(_larger(entry, done))
            stream.write(block)
            result.update(block)
            told(done, total)
        if total and done < total:
            raise FetchError(_ended(entry, done, total))
    return result.hexdigest()


def _answer(entry: Known, opener: Callable[[str], Any]) -> Any:
    host = urlsplit(entry.url).hostname
    try:
        return opener(entry.url)
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(
            f"{host} answered {error.code} ({error.reason}) for {entry.name}. Try again later, or take it from "
            f"{entry.source} and put it into the folder of detectors."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(
            f"{host} cannot be reached ({reason}). Without a connection, take {entry.url} on another machine and put "
            "it into the folder of detectors."
        ) from error


def _read(entry: Known, answer: Any) -> bytes:
    try:
        return bytes(answer.read(_BLOCK))
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"The connection broke while {entry.name} came ({error}); fetch it again.") from error


def _sha256(path: Path) -> str:
    result = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                result.update(block)
    except OSError as error:
        raise FetchError(f"{path} is there but cannot be read ({error.strerror or error}).") from error
    return result.hexdigest()


def _full(entry: Known, folder: Path, free: int) -> str:
    return (
        f"There is no room for {entry.name} in {folder}: it has {entry.size / 1e6:.1f} MB and {free / 1e6:.1f} MB are "
        "free. Make room, or choose another folder."
    )


def _larger(entry: Known, size: int) -> str:
    limit = f"has {entry.size} bytes" if entry.size else f"may have {_MOST} bytes"
    return f"What came for {entry.name} is larger ({size} bytes) than it should be: it {limit}. Nothing was kept."


def _ended(entry: Known, done: int, total: int) -> str:
    return f"The connection ended early: {done} of {total} bytes of {entry.name} came. Fetch it again."
