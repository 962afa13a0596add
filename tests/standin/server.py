"""Stand-in web UIs for tests: started when first asked for, one for each set of arguments, ended with the tests."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

GRADIOS = ("gradio3", "gradio4")
PATIENCE = 180


@dataclass(frozen=True)
class Standin:
    """A running one: where it answers, where its settings and pictures lie, and the number of its process."""

    url: str
    gradio: str
    data: Path
    process: int


@functools.cache
def standin(gradio: str, *arguments: str) -> Standin:
    """A stand-in on that gradio. Skips with a reason where its environment is missing."""
    python = ROOT / f".venv-{gradio}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python.parent.parent.name} is not set up; `make setup` makes it")
    found = subprocess.run([python, "-c", "import torch, threadpoolctl"], check=False, capture_output=True)
    if found.returncode:
        pytest.skip(f"{python.parent.parent.name} has no torch; `make setup` installs it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = Path(tempfile.mkdtemp(prefix="finisher-standin-"))
    command = [python, ROOT / "tests" / "standin" / "serve.py", str(port), "--data-dir", data, *arguments]
    log = (data / "log.txt").open("wb")
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log)
    atexit.register(_end, process, data)
    _wait(process, data)
    return Standin(f"http://127.0.0.1:{port}", gradio, data, process.pid)


def _wait(process: subprocess.Popen[bytes], data: Path) -> None:
    too_late = threading.Timer(PATIENCE, process.kill)
    too_late.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b"ready:"):
                # Read on, so that whatever else is printed never blocks the server.
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return
    finally:
        too_late.cancel()
    raise AssertionError(f"the stand-in did not start:\n{(data / 'log.txt').read_text(errors='replace')[-3000:]}")


def _end(process: subprocess.Popen[bytes], data: Path) -> None:
    process.kill()
    process.wait()
    shutil.rmtree(data, ignore_errors=True)
