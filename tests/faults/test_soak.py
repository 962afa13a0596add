"""The short form of `make soak`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
def test_kills_and_interruptions_lose_nothing() -> None:
    command = [sys.executable, str(ROOT / "bench" / "soak.py"), "--pictures", "6", "--stops", "6"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 pictures, 0 differ" in result.stdout
