"""Many requests at once, too large ones, and clients that leave: the host answers whoever else asks all the while."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import socket
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.smoke.client import Webui, encoded, off
from tests.standin.server import GRADIOS, PATIENCE, Standin, standin

pytestmark = pytest.mark.slow

SIZE = {"width": 128, "height": 128}
NOTHING = off("refine", "detail", "upscale", "texture", "grade")
# Hours of sampling: what ends, ends because it was told to.
ENDLESS = {**NOTHING, "refine": {"denoising_strength": 1.0, "steps": 150}}
ROOM = 8


@pytest.fixture(scope="module", params=GRADIOS)
def host(request: pytest.FixtureRequest) -> Standin:
    return standin(request.param)


@pytest.fixture(scope="module")
def webui(host: Standin) -> Webui:
    return Webui(host.url)


@pytest.fixture(scope="module")
def huge() -> str:
    """64 megapixels of one colour: some ten kilobytes."""
    data = io.BytesIO()
    Image.new("P", (8000, 8000)).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def sent(host: Standin, data: dict[str, Any]) -> http.client.HTTPConnection:
    """A request to finish, its answer not waited for."""
    connection = http.client.HTTPConnection(host.url.removeprefix("http://"), timeout=PATIENCE)
    connection.request("POST", "/finisher/v1/finish", json.dumps(data), {"Content-Type": "application/json"})
    return connection


def leave(client: http.client.HTTPConnection) -> None:
    # Closing alone would wait for whoever reads the answer.
    client.sock.shutdown(socket.SHUT_RDWR)
    client.close()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def job(webui: Webui) -> str:
    return str(webui.get("/sdapi/v1/progress?skip_current_image=true")["state"]["job"])


def resident(host: Standin) -> int:
    """Bytes of memory that the server's process has had at most since `from_now_on`."""
    lines = Path(f"/proc/{host.process}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def from_now_on(host: Standin) -> None:
    Path(f"/proc/{host.process}/clear_refs").write_text("5")


@contextmanager
def a_generation_that_does_not_end(webui: Webui) -> Iterator[None]:
    running = threading.Thread(target=lambda: webui.txt2img(**SIZE, steps=150, n_iter=100), daemon=True)
    running.start()
    until(lambda: job(webui) != "")
    try:
        yield
    finally:
        webui.post("/sdapi/v1/interrupt", {})
        running.join(PATIENCE)
        assert not running.is_alive()


def test_forty_uploads_at_once_take_no_memory_before_their_turn(host: Standin, webui: Webui, huge: str) -> None:
    webui.txt2img(**SIZE)
    from_now_on(host)
    before = resident(host)
    with a_generation_that_does_not_end(webui):
        clients = [sent(host, {"images": [huge], "recipe": NOTHING}) for _ in range(40)]
        answers: dict[int, int] = {}

        def look(number: int, client: http.client.HTTPConnection) -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                answers[number] = client.getresponse().status

        for number, client in enumerate(clients):
            threading.Thread(target=look, args=(number, client), daemon=True).start()
        until(lambda: len(answers) >= 40 - ROOM)
        # The host's own requests, its page and ours get their answers.
        assert job(webui) != ""
        assert webui.get("/finisher/v1/progress")["active"]
        assert webui.get("/finisher/v1/presets")
        assert "<html" in webui.text("/")
        assert sorted(answers.values()) == [429] * (40 - ROOM)
        taken = resident(host) - before
        for number, client in enumerate(clients):
            if number not in answers:
                leave(client)
    until(lambda: job(webui) == "")
    assert taken < 200 << 20, f"{taken >> 20} MiB"
    # Nothing was done for those that had left, and there is room again.
    assert resident(host) - before < 300 << 20
    small = encoded(np.full((32, 32, 3), 90, np.uint8))
    assert len(webui.post("/finisher/v1/finish", {"images": [small], "recipe": NOTHING})["images"]) == 1


def test_a_client_that_leaves_ends_its_run(host: Standin, webui: Webui) -> None:
    draft = webui.txt2img(**SIZE)
    big = encoded(np.resize(draft.picture, (1024, 1024, 3)))
    client = sent(host, {"images": [big] * 8, "recipe": ENDLESS})
    until(lambda: job(webui) == "Finisher: Refine")
    leave(client)
    until(lambda: job(webui) == "")
    assert np.array_equal(webui.txt2img(**SIZE).picture, draft.picture)


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(host: Standin) -> None:
    client = http.client.HTTPConnection(host.url.removeprefix("http://"), timeout=PATIENCE)
    client.putrequest("POST", "/finisher/v1/finish")
    client.putheader("Content-Type", "application/json")
    client.putheader("Content-Length", str(1 << 40))
    client.endheaders()
    answer = client.getresponse()
    assert answer.status == 413
    assert "256 MiB" in answer.read().decode()


def test_a_damaged_picture_is_told_of_in_its_turn(webui: Webui) -> None:
    data = bytearray(base64.b64decode(encoded(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))))
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    with pytest.raises(urllib.error.HTTPError) as error:
        damaged = base64.b64encode(bytes(data)).decode()
        webui.post("/finisher/v1/finish", {"images": [damaged], "recipe": NOTHING})
    assert error.value.code == 422
    assert "images.1" in error.value.read().decode()
    assert job(webui) == ""
