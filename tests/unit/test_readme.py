"""The README's commands, as a newcomer types them: in a clean shell, in the order in which they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT, weights

README = (ROOT / "README.md").read_text(encoding="utf-8")
NEEDS_CHECKPOINT = "# needs a checkpoint of yours"
COMMANDS = re.findall(r"^    (\.venv/bin/.*)$", README, flags=re.MULTILINE)
INSTALLED = ROOT / ".venv" / "bin" / "finisher"


def of_this_checkout() -> bool:
    """Whether the environment's own `lib_finisher` is the one that is tested."""
    python = INSTALLED.with_name("python")
    program = "import lib_finisher; print(lib_finisher.__file__)"
    found = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=False)
    return found.returncode == 0 and Path(found.stdout.strip()).is_relative_to(ROOT)


def test_every_command_is_the_installed_one() -> None:
    assert len(COMMANDS) >= 5
    assert "python -m lib_finisher" not in README
    for command in COMMANDS:
        assert command.startswith(".venv/bin/finisher "), command
        pictures = re.findall(r"\S+\.(?:png|jpg|webp)\b", command)
        assert all(picture.startswith("examples/") for picture in pictures), command
        for picture in pictures:
            assert (ROOT / picture).is_file(), command
        assert ("checkpoint" in command) == command.endswith(NEEDS_CHECKPOINT), command


@pytest.mark.slow
def test_every_command_runs_as_it_stands(tmp_path: Path) -> None:
    if not INSTALLED.is_file() or not of_this_checkout():
        reason = "the command finisher of .venv is not installed, or not from this checkout"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    # The folder holds what a fresh checkout does, but nothing that is written there stays in this one.
    for name in (".venv", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    home = tmp_path / "home"
    models = home / ".cache" / "finisher" / "upscalers"
    models.mkdir(parents=True)
    (models / "RealESR_Gx4.pth").symlink_to(weights("RealESR_Gx4.pth"))
    clean = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    for command in COMMANDS:
        if command.endswith(NEEDS_CHECKPOINT):
            continue
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert "failed" not in done.stdout
    before = Image.open(ROOT / "examples" / "astronaut.png").size
    assert Image.open(tmp_path / "finished" / "astronaut.png").size == (2 * before[0], 2 * before[1])
    assert Image.open(tmp_path / "graded" / "astronaut.jpg").format == "JPEG"
    assert json.loads((tmp_path / "mine.json").read_text(encoding="utf-8"))["upscale"]["enabled"] is True
