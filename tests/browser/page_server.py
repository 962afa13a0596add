"""Starts `page_app.py` on one of the two gradio generations, and asks it what a generation would be given."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

GRADIOS = ("gradio3", "gradio4")


@contextlib.contextmanager
def serving(gradio: str, folder: Path | None = None) -> Iterator[str]:
    """The page's address; with presets in `folder`. Skips with a reason where the environment is missing."""
    python = ROOT / f".venv-{gradio}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python.parent.parent.name} is not set up; `make setup` makes it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    command = [str(python), str(ROOT / "tests" / "browser" / "page_app.py"), str(port)]
    command += [str(folder)] if folder is not None else []
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}/"
    try:
        _wait(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def echoed(page: Any, button: str) -> Any:
    """What the server answers to one of the page's buttons."""
    page.evaluate("() => { document.querySelector('#given textarea').value = ''; }")
    page.click(f"#{button}")
    for _ in range(100):
        text = page.input_value("#given textarea")
        if text:
            return json.loads(text)
        page.wait_for_timeout(100)
    raise AssertionError("the server gave no answer")


def given(page: Any) -> dict[str, Any]:
    """The recipe that a generation would be given now, without its version."""
    recipe = json.loads(echoed(page, "generate")[1])
    recipe.pop("version", None)
    return recipe  # type: ignore[no-any-return]


def type_into(page: Any, identity: str, text: str) -> None:
    page.fill(f"#{identity}", text)
    page.keyboard.press("Tab")


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(process.stderr.read().decode() if process.stderr else "the page's server ended")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("the page's server did not start")
