"""Fetching from a real server on this machine: whole, broken off, wrong, redirected, and two at once."""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lib_finisher.detect.fetching import SECURE, FetchError, Opener, fetch
from lib_finisher.detect.known import Known

CONTENT = bytes(range(256)) * 4000
PLAIN = Opener(schemes=("http",), timeout=5)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path; the server counts what it was asked."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        act = self.path.lstrip("/").partition("?")[0].replace("-", "_")
        getattr(self, f"act_{act}")()

    def answer(self, body: bytes, length: int | None = None) -> None:
        self.send_response(200)
        if length != -1:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def act_whole(self) -> None:
        assert self.headers["User-Agent"].startswith("Finisher/")
        self.answer(CONTENT)

    def act_slow(self) -> None:
        time.sleep(0.3)
        self.answer(CONTENT)

    def act_truncated(self) -> None:
        self.answer(CONTENT[:300_000], len(CONTENT))

    def act_truncated_without_length(self) -> None:
        self.answer(CONTENT[:300_000], -1)

    def act_longer(self) -> None:
        self.answer(CONTENT + b"more")

    def act_longer_without_length(self) -> None:
        self.answer(CONTENT + b"more", -1)

    def act_wrong(self) -> None:
        self.answer(CONTENT[::-1])

    def act_missing(self) -> None:
        self.send_error(404)

    def act_stuck(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT[:1000])
        self.wfile.flush()
        time.sleep(2)

    def redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def act_moved(self) -> None:
        self.redirect("/whole")

    def act_to_file(self) -> None:
        self.redirect("file:///etc/passwd")

    def act_to_http(self) -> None:
        self.redirect(self.server.plain + "/whole")  # type: ignore[attr-defined]

    def act_round(self) -> None:
        self.redirect("/round")

    def log_message(self, *args: object) -> None:
        pass


def serving(context: ssl.SSLContext | None = None, plain: str = "") -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.asked = []  # type: ignore[attr-defined]
    server.plain = plain  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture()
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    yield from serving()


def address(server: http.server.ThreadingHTTPServer, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.server_port}"


def entry(url: str, size: int = len(CONTENT)) -> Known:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Known("a model.pt", "face", "", "", "", "https://example.org/page", "MIT", url, size, digest)


def refused(one: Known, folder: Path, opener: Opener = PLAIN) -> str:
    """The message of a fetch that must fail and leave nothing behind."""
    before = sorted(folder.rglob("*")) if folder.exists() else None
    with pytest.raises(FetchError) as raised:
        fetch(one, folder, opener=opener)
    after = sorted(folder.rglob("*")) if folder.exists() else None
    assert after == before
    return str(raised.value)


@pytest.mark.parametrize("size", [len(CONTENT), 0])
def test_a_file_is_fetched_checked_and_told_of(
    server: http.server.ThreadingHTTPServer, tmp_path: Path, size: int
) -> None:
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "new" / "folder"
    one = entry(address(server) + "/whole", size)
    path = fetch(one, folder, lambda done, total: seen.append((done, total)), PLAIN)
    assert path == folder / "a model.pt"
    assert path.read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [item.name for item in folder.iterdir()] == ["a model.pt"]
    assert fetch(one, folder, opener=PLAIN) == path
    assert server.asked == ["/whole"], "a right file is not fetched again"  # type: ignore[attr-defined]


def test_a_redirect_is_followed(server: http.server.ThreadingHTTPServer, tmp_path: Path) -> None:
    assert fetch(entry(address(server) + "/moved"), tmp_path, opener=PLAIN).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "size", "says"),
    [
        ("/truncated", len(CONTENT), "ended early: 300000 of 1024000 bytes"),
        ("/truncated", 0, "ended early: 300000 of 1024000 bytes"),
        ("/truncated-without-length", len(CONTENT), "ended early"),
        ("/truncated-without-length", 0, "not the right file"),
        ("/longer", len(CONTENT), "larger"),
        ("/longer-without-length", len(CONTENT), "larger"),
        ("/wrong", len(CONTENT), "not the right file"),
        ("/missing", len(CONTENT), "answered 404"),
        ("/to-file", len(CONTENT), "is not allowed"),
        ("/round", len(CONTENT), "answered 302"),
    ],
)
def test_what_fails_is_said_and_leaves_nothing(
    server: http.server.ThreadingHTTPServer, tmp_path: Path, path: str, size: int, says: str
) -> None:
    assert says in refused(entry(address(server) + path, size), tmp_path)
    assert says in refused(entry(address(server) + path, size), tmp_path / "not there yet")


def test_a_line_that_stands_still_is_given_up(server: http.server.ThreadingHTTPServer, tmp_path: Path) -> None:
    impatient = replace(PLAIN, timeout=0.3)
    assert "The connection broke" in refused(entry(address(server) + "/stuck"), tmp_path, impatient)


def test_nobody_is_there(tmp_path: Path) -> None:
    told = refused(entry("http://127.0.0.1:1/whole"), tmp_path)
    assert "cannot be reached" in told
    assert "put it into the folder" in told


def test_only_https_is_opened(server: http.server.ThreadingHTTPServer, tmp_path: Path) -> None:
    assert "only https is accepted" in refused(entry(address(server) + "/whole"), tmp_path, SECURE)
    assert "only https is accepted" in refused(entry("file:///etc/passwd"), tmp_path, SECURE)
    assert server.asked == []  # type: ignore[attr-defined]


def test_a_redirect_from_https_to_http_is_refused(
    server: http.server.ThreadingHTTPServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    keys = tmp_path_factory.mktemp("keys")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(keys / "key.pem"), "-out", str(keys / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "cert.pem", keys / "key.pem")
    trusting = Opener(context=ssl.create_default_context(cafile=str(keys / "cert.pem")), timeout=5)
    for secure in serving(context, address(server)):
        base = address(secure, "https")
        assert fetch(entry(base + "/moved"), tmp_path / "a", opener=trusting).read_bytes() == CONTENT
        assert "wants to send the file by http" in refused(entry(base + "/to-http"), tmp_path, trusting)
        assert server.asked == []  # type: ignore[attr-defined]
        # A certificate that nobody has vouched for.
        assert "certificate verify failed" in refused(entry(base + "/whole"), tmp_path, SECURE)


def test_two_who_fetch_one_file_at_once_both_get_it(server: http.server.ThreadingHTTPServer, tmp_path: Path) -> None:
    one = entry(address(server) + "/slow")
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(one, tmp_path, opener=PLAIN), range(4)))
    assert set(paths) == {tmp_path / "a model.pt"}
    assert paths[0].read_bytes() == CONTENT
    assert [item.name for item in tmp_path.iterdir()] == ["a model.pt"]


def test_another_file_of_that_name_is_never_replaced(server: http.server.ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / "a model.pt").write_bytes(b"mine")
    assert "another version" in refused(entry(address(server) + "/whole"), tmp_path)
    assert (tmp_path / "a model.pt").read_bytes() == b"mine"
    assert server.asked == []  # type: ignore[attr-defined]


def test_a_full_disk_and_a_folder_that_is_none(server: http.server.ThreadingHTTPServer, tmp_path: Path) -> None:
    told = refused(entry(address(server) + "/whole", 1 << 60), tmp_path)
    assert "no room" in told
    assert "Make room" in told
    (tmp_path / "file").write_bytes(b"")
    assert "choose another folder" in refused(entry(address(server) + "/whole"), tmp_path / "file" / "below")


def test_stopping_leaves_nothing_and_old_parts_are_swept(
    server: http.server.ThreadingHTTPServer, tmp_path: Path
) -> None:
    foreign, killed = tmp_path / ".a model.pt.new.part", tmp_path / f".{'0123456789abcdef' * 2}.part"
    for file in (foreign, killed):
        file.write_bytes(b"of yesterday")
        os.utime(file, (time.time() - 48 * 3600,) * 2)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(entry(address(server) + "/whole"), tmp_path, stop, PLAIN)
    assert [item.name for item in tmp_path.iterdir()] == [foreign.name], "what is not named as ours is not ours"


def test_what_has_no_confirmed_hash_is_not_fetched(server: http.server.ThreadingHTTPServer, tmp_path: Path) -> None:
    unknown = replace(entry(address(server) + "/whole"), sha256="")
    assert "take it from https://example.org/page" in refused(unknown, tmp_path)
    assert server.asked == []  # type: ignore[attr-defined]
