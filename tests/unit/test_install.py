"""install.py: quick, without effect where nothing is missing, and never a move of what a host has pinned."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.conftest import ROOT

# What the hosts pin of the packages that extensions have broken before, as their own requirements say at the named
# revision; torch as their launchers do. None means that the host leaves it to what the others ask for.
PINS: dict[str, dict[str, str | None]] = {
    # AUTOMATIC1111/stable-diffusion-webui 82a973c
    "A1111": {
        "torch": "2.1.2", "torchvision": "0.16.2", "numpy": "1.26.2", "pillow": "9.5.0", "gradio": "3.41.2",
        "protobuf": "3.20.0", "opencv-python": None, "pydantic": None,
    },
    # lllyasviel/stable-diffusion-webui-forge dfdcbab
    "Forge": {
        "torch": "2.3.1", "torchvision": "0.18.1", "numpy": "1.26.2", "pillow": "9.5.0", "gradio": "4.40.0",
        "protobuf": "3.20.0", "opencv-python": None, "pydantic": "2.8.2",
    },
    # Panchovix/stable-diffusion-webui-reForge 3b56b26
    "reForge": {
        "torch": "2.9.0", "torchvision": None, "numpy": "1.26.4", "pillow": "10.4.0", "gradio": "3.41.2",
        "protobuf": "3.20.0", "opencv-python": None, "pydantic": "1.10.15",
    },
    # Haoming02/sd-webui-forge-classic 1f95d71
    "Forge Classic": {
        "torch": "2.6.0+cu126", "torchvision": "0.21.0+cu126", "numpy": "1.26.2", "pillow": "9.5.0",
        "gradio": "3.41.2", "protobuf": "3.20.3", "opencv-python": "4.8.1.78", "pydantic": "1.10.20",
    },
    # Haoming02/sd-webui-forge-classic 1e8cfbc; gradio and torch by its launcher
    "Forge Neo": {
        "torch": "2.11.0+cu130", "torchvision": None, "numpy": "2.3.5", "pillow": "12.3.0", "gradio": "4.40.0",
        "protobuf": "4.25.9", "opencv-python": "5.0.0.93", "pydantic": "2.10.6",
    },
}  # fmt: skip
OPENCV = "opencv-python-headless"

# The host's `launch`, as much as an installer may use: it notes the calls, and installs nothing with --skip-install.
LAUNCH = """
import json, os, types
args = types.SimpleNamespace(skip_install=os.environ["SKIP_INSTALL"] == "1")
def _note(*call):
    with open(os.environ["CALLS"], "a") as file:
        file.write(json.dumps(call) + "\\n")
def is_installed(package):
    _note("is_installed", package)
    return False
def run_pip(command, desc=None, live=False):
    _note("run_pip", command)
    if not args.skip_install:
        _note("pip", command)
"""
# Every process and every connection that the installer starts is noted; an import of a large package too.
WATCH = """
import json, os, sys
LARGE = {"cv2", "numpy", "torch", "PIL", "gradio", "pip", "lib_finisher"}
def note(event, arguments):
    name = str(arguments[0]) if arguments else ""
    large = event == "import" and name.partition(".")[0] in LARGE
    if large or event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect"):
        with open(os.environ["CALLS"], "a") as file:
            file.write(json.dumps([event, name]) + "\\n")
sys.addaudithook(note)
"""


def calls_of(
    tmp_path: Path, *, cv2: bool, skip_install: bool = False, script: Path = ROOT / "install.py"
) -> list[list[str]]:
    """Run the real install.py in a process of its own, in a Python that has OpenCV or has it not; what it called."""
    site, calls = tmp_path / "site", tmp_path / "calls"
    site.mkdir(exist_ok=True)
    (site / "launch.py").write_text(LAUNCH)
    (site / "watch.py").write_text(WATCH)
    if cv2:
        (site / "cv2.py").write_text("raise RuntimeError('to know that it is there it must not be imported')")
    calls.write_text("")
    environment = {"PYTHONPATH": str(site), "CALLS": str(calls), "SKIP_INSTALL": str(int(skip_install))}
    # -S: whatever is installed in this Python stays out of sight.
    program = "import runpy, sys, watch; runpy.run_path(sys.argv[1], run_name='__main__')"
    result = subprocess.run(
        [sys.executable, "-S", "-c", program, str(script)],
        env={**{key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}, **environment},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in calls.read_text().splitlines()]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Requirement]:
    """(pip's arguments, the requirement) of the one installation there is, where OpenCV is missing altogether."""
    calls = calls_of(tmp_path_factory.mktemp("missing"), cv2=False)
    commands = [command for name, command in calls if name == "run_pip"]
    assert len(commands) == 1
    words = shlex.split(commands[0])
    assert words[0] == "install"
    (requirement,) = (word for word in words[1:] if not word.startswith("-"))
    return words[1:], Requirement(requirement)


def test_the_watch_sees_what_would_be_slow(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    lines = (
        "import subprocess, sys",
        "subprocess.run([sys.executable, '-c', ''])",
        "try: import cv2",
        "except RuntimeError: pass",
    )
    slow.write_text("\n".join(lines))
    seen = [name for name, _ in calls_of(tmp_path, cv2=True, script=slow)]
    # Python 3.13 also tells how it starts the process.
    assert [name for name in seen if name != "os.posix_spawn"] == ["subprocess.Popen", "import"]


def test_where_opencv_is_there_nothing_is_called_at_all(tmp_path: Path) -> None:
    for _ in range(2):
        assert calls_of(tmp_path, cv2=True) == []


def test_where_it_is_missing_pip_is_asked_once_through_the_host(tmp_path: Path) -> None:
    names = [name for name, _ in calls_of(tmp_path, cv2=False)]
    # Nothing large is imported, no process started and no connection made by install.py itself.
    assert names == ["run_pip", "pip"]
    # The next start finds it.
    assert calls_of(tmp_path, cv2=True) == []


def test_skip_install_is_honoured(tmp_path: Path) -> None:
    calls = calls_of(tmp_path, cv2=False, skip_install=True)
    assert [name for name, _ in calls] == ["run_pip"], "asked through the host, which then does nothing"


def test_only_opencv_is_asked_for_and_without_its_dependencies(asked: tuple[list[str], Requirement]) -> None:
    words, requirement = asked
    assert canonicalize_name(requirement.name) == OPENCV
    assert "--no-deps" in words
    assert not {"-U", "--upgrade", "--force-reinstall", "--pre", "--index-url"} & set(words)
    assert not requirement.extras
    assert requirement.url is None
    assert any(item.operator in ("<", "==", "~=") for item in requirement.specifier), "an upper bound"
    # The oldest that a host with Python 3.10 and numpy 1 can have, and what the tests run with.
    assert requirement.specifier.contains(Version("4.8.1.78"))


@pytest.mark.parametrize("host", PINS)
def test_no_pin_of_a_host_is_moved(host: str, asked: tuple[list[str], Requirement], tmp_path: Path) -> None:
    """With --no-deps pip changes exactly the packages that it is given by name."""
    _, requirement = asked
    named = {canonicalize_name(requirement.name)}
    pinned = {canonicalize_name(name) for name, version in PINS[host].items() if version is not None}
    assert not named & pinned
    for name, version in PINS[host].items():
        assert version is None or Version(version), name
    # A host that pins OpenCV has it under another distribution's name: no second one is laid over it.
    if PINS[host]["opencv-python"] is not None:
        assert calls_of(tmp_path, cv2=True) == []


def test_the_tests_own_pins_of_opencv_are_what_install_asks_for(asked: tuple[list[str], Requirement]) -> None:
    _, requirement = asked
    lines = (ROOT / "requirements" / "core.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line.startswith(OPENCV)]
    assert pins
    for pin in pins:
        (exact,) = pin.specifier
        assert requirement.specifier.contains(exact.version)
