"""install.py: quick, without effect where nothing is missing, and never a move of what a host has pinned."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

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
# Releases that were compromised, reported in Bing-su/adetailer#751.
MALICIOUS = ("8.3.41", "8.3.42", "8.3.45", "8.3.46")

# The host's `launch`, as much as an installer may use: it notes the calls, and installs nothing with --skip-install.
# Otherwise what is asked for is there afterwards, or pip fails as it does without a network.
LAUNCH = """
import json, os, pathlib, types
args = types.SimpleNamespace(skip_install=os.environ["SKIP_INSTALL"] == "1")
def _note(*call):
    with open(os.environ["CALLS"], "a") as file:
        file.write(json.dumps(call) + "\\n")
def is_installed(package):
    _note("is_installed", package)
    return False
def run_pip(command, desc=None, live=False):
    _note("run_pip", command)
    if args.skip_install:
        return
    _note("pip", command)
    pathlib.Path(os.environ["CALLS"] + ".pip").write_text(json.dumps(dict(os.environ)))
    if os.environ["OFFLINE"] == "1":
        raise RuntimeError("Couldn't install ultralytics.\\nstderr: ERROR: No matching distribution found")
    if "ultralytics" in command and os.environ["OFFLINE"] != "silent":
        (pathlib.Path(__file__).parent / "ultralytics.py").write_text("")
"""
# Every process and every connection that the installer starts is noted; an import of a large package too.
WATCH = """
import json, os, sys
LARGE = {"cv2", "numpy", "torch", "torchvision", "PIL", "gradio", "pip", "ultralytics", "lib_finisher"}
def note(event, arguments):
    name = str(arguments[0]) if arguments else ""
    large = event == "import" and name.partition(".")[0] in LARGE
    if large or event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect"):
        with open(os.environ["CALLS"], "a") as file:
            file.write(json.dumps([event, name]) + "\\n")
sys.addaudithook(note)
def left():
    with open(os.environ["CALLS"] + ".left", "w") as file:
        json.dump(dict(os.environ), file)
"""
HOST = ("cv2", "torch", "torchvision", "yaml")
WHOLE = (*HOST, "ultralytics")


@dataclass(frozen=True)
class Ran:
    """What one run of the installer called, and what it said."""

    calls: list[list[str]]
    said: str
    # The variables of the environment: what pip was given, and what the installer left behind.
    given: dict[str, str]
    left: dict[str, str]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    @property
    def asked(self) -> tuple[list[str], list[Requirement]]:
        """(pip's options, the requirements) of the one installation there was."""
        (command,) = (command for name, command in self.calls if name == "run_pip")
        words = shlex.split(command)
        assert words[0] == "install"
        return [word for word in words[1:] if "==" not in word and ">=" not in word], [
            Requirement(word) for word in words[1:] if "==" in word or ">=" in word
        ]


def run(
    tmp_path: Path,
    there: Sequence[str],
    *,
    skip_install: bool = False,
    offline: str = "0",
    script: Path = ROOT / "install.py",
    version: str = "",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Ran:
    """Run the real install.py in a process of its own, in a Python that has these modules and no others."""
    site, calls, extension = tmp_path / "site", tmp_path / "calls", tmp_path / "extension"
    extension.mkdir(exist_ok=True)
    site.mkdir(exist_ok=True)
    (site / "launch.py").write_text(LAUNCH)
    (site / "watch.py").write_text(WATCH)
    for name in there:
        (site / f"{name}.py").write_text("raise RuntimeError('to know that it is there it must not be imported')")
    if version:
        (site / f"ultralytics-{version}.dist-info").mkdir(exist_ok=True)
        facts = f"Metadata-Version: 2.1\nName: ultralytics\nVersion: {version}\n"
        (site / f"ultralytics-{version}.dist-info" / "METADATA").write_text(facts)
    shutil.copy(script, extension)
    calls.write_text("")
    (tmp_path / "calls.pip").unlink(missing_ok=True)
    environment = {
        "PYTHONPATH": str(site), "CALLS": str(calls), "SKIP_INSTALL": str(int(skip_install)), "OFFLINE": offline,
        **variables,
    }  # fmt: skip
    # -S: whatever is installed in this Python stays out of sight.
    program = "import runpy, sys, watch; runpy.run_path(sys.argv[1], run_name='__main__'); watch.left()"
    result = subprocess.run(
        [sys.executable, "-S", "-c", program, str(extension / script.name)],
        env={**{key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}, **environment},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    told = [json.loads(line) for line in calls.read_text().splitlines()]
    given, left = (
        json.loads(file.read_text()) if file.exists() else {}
        for file in (tmp_path / "calls.pip", tmp_path / "calls.left")
    )
    return Ran(told, result.stdout, given, left)


def test_the_watch_sees_what_would_be_slow(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    lines = (
        "import subprocess, sys",
        "subprocess.run([sys.executable, '-c', ''])",
        "try: import cv2",
        "except RuntimeError: pass",
    )
    slow.write_text("\n".join(lines))
    seen = run(tmp_path, WHOLE, script=slow).names
    # Python 3.13 also tells how it starts the process.
    assert [name for name in seen if name != "os.posix_spawn"] == ["subprocess.Popen", "import"]


def test_where_everything_is_there_nothing_is_called_at_all(tmp_path: Path) -> None:
    for _ in range(2):
        ran = run(tmp_path, WHOLE, version="8.4.190")
        assert (ran.calls, ran.said) == ([], "")


@pytest.mark.parametrize("missing", ["cv2", "ultralytics"])
def test_what_is_missing_is_asked_for_once_through_the_host(tmp_path: Path, missing: str) -> None:
    there = [name for name in WHOLE if name != missing]
    # Nothing large is imported, no process started and no connection made by install.py itself.
    assert run(tmp_path, there).names == ["run_pip", "pip"]
    # The next start finds it.
    assert run(tmp_path, WHOLE).calls == []


def test_skip_install_is_honoured(tmp_path: Path) -> None:
    for _ in range(2):
        ran = run(tmp_path, ("torch", "torchvision", "yaml"), skip_install=True)
        assert "pip" not in ran.names, "OpenCV is asked for through the host, which then does nothing"
        assert ran.said == ""


def test_without_a_network_the_host_starts_and_is_told_once(tmp_path: Path) -> None:
    first = run(tmp_path, HOST, offline="1")
    assert first.names == ["run_pip", "pip"]
    assert "YOLO detectors (.pt) are not available" in first.said
    assert "pip install --no-deps ultralytics==" in first.said
    marker = tmp_path / "extension" / ".ultralytics-not-installed"
    assert "No matching distribution" in marker.read_text(encoding="utf-8")
    again = run(tmp_path, HOST, offline="1")
    assert (again.calls, again.said) == ([], ""), "not again on the same day"
    yesterday = time.time() - 25 * 3600
    os.utime(marker, (yesterday, yesterday))
    later = run(tmp_path, HOST, offline="1")
    assert (later.names, later.said) == (["run_pip", "pip"], ""), "again on another day, and without a word"
    os.utime(marker, (yesterday, yesterday))
    assert run(tmp_path, HOST).names == ["run_pip", "pip"]
    assert not marker.exists()


def test_a_host_that_hides_what_pip_says_is_not_asked_again_at_once(tmp_path: Path) -> None:
    assert "could not be installed" in run(tmp_path, HOST, offline="silent").said
    assert run(tmp_path, HOST, offline="silent").calls == []


@pytest.mark.parametrize("lacking", ["torch", "torchvision"])
def test_ultralytics_is_not_asked_for_where_it_could_not_be_imported(tmp_path: Path, lacking: str) -> None:
    ran = run(tmp_path, [name for name in HOST if name != lacking])
    assert (ran.calls, ran.said) == ([], "")


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ([name for name in WHOLE if name != "cv2"], {OPENCV}),
        (HOST, {"ultralytics"}),
        ([name for name in HOST if name != "yaml"], {"ultralytics", "pyyaml"}),
    ],
)
def test_only_what_is_missing_is_asked_for_and_without_its_dependencies(
    tmp_path: Path, there: Sequence[str], wanted: set[str]
) -> None:
    words, requirements = run(tmp_path, there).asked
    assert {canonicalize_name(item.name) for item in requirements} == wanted
    assert "--no-deps" in words
    assert not {"-U", "--upgrade", "--force-reinstall", "--pre", "--index-url"} & set(words)
    for requirement in requirements:
        assert not requirement.extras
        assert requirement.url is None
        assert any(item.operator in ("<", "==", "~=") for item in requirement.specifier), "an upper bound"


@pytest.mark.parametrize("missing", ["cv2", "ultralytics"])
def test_nothing_is_asked_for_in_words_that_uv_does_not_know(tmp_path: Path, missing: str) -> None:
    """Forge Neo with --uv hands everything after `pip` on to `uv pip`."""
    words, _ = run(tmp_path, [name for name in WHOLE if name != missing]).asked
    assert set(words) <= {"--no-deps", "--only-binary", ":all:"}


@pytest.mark.parametrize("offline", ["0", "1"])
@pytest.mark.parametrize("before", [{}, {"PIP_RETRIES": "7", "PIP_DEFAULT_TIMEOUT": "60"}])
def test_pip_is_impatient_for_this_once(tmp_path: Path, offline: str, before: dict[str, str]) -> None:
    ran = run(tmp_path, HOST, offline=offline, variables=before)
    names = ("PIP_RETRIES", "PIP_DEFAULT_TIMEOUT")
    assert [ran.given[name] for name in names] == ["0", "15"]
    assert {name: ran.left[name] for name in names if name in ran.left} == before


def test_the_version_of_ultralytics_is_one_known_one_and_no_malicious_one(tmp_path: Path) -> None:
    _, (ultralytics,) = run(tmp_path, HOST).asked
    (exact,) = ultralytics.specifier
    assert exact.operator == "=="
    assert not any(ultralytics.specifier.contains(version) for version in MALICIOUS)


@pytest.mark.parametrize("version", MALICIOUS)
def test_a_malicious_release_that_is_here_is_named(tmp_path: Path, version: str) -> None:
    ran = run(tmp_path, WHOLE, version=version)
    assert ran.calls == []
    assert f"ultralytics {version}" in ran.said
    assert "pip uninstall ultralytics" in ran.said


def test_what_is_installed_loads_models_without_its_other_dependencies(tmp_path: Path) -> None:
    """The real package, in a process in which nothing of what is left out can be imported."""
    pytest.importorskip("ultralytics")
    left_out = ("requests", "psutil", "matplotlib", "polars", "pynvml", "thop", "ultralytics_thop", "pandas", "scipy")
    program = (
        "import importlib.abc, sys\n"
        "class Without(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name.partition('.')[0] in {left_out!r}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "import torchvision\n"
        "sys.meta_path.insert(0, Without())\n"
        "from ultralytics.nn.tasks import DetectionModel\n"
        "print(DetectionModel('yolov8n.yaml', verbose=False).stride.max().item())\n"
    )
    environment = {**os.environ, "YOLO_CONFIG_DIR": str(tmp_path), "YOLO_OFFLINE": "true"}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith("32.0")


@pytest.mark.parametrize("host", PINS)
def test_no_pin_of_a_host_is_moved(host: str, tmp_path: Path) -> None:
    """With --no-deps pip changes exactly the packages that it is given by name."""
    without_opencv, bare = tmp_path / "1", tmp_path / "2"
    for folder in (without_opencv, bare):
        folder.mkdir()
    requirements = [
        *run(without_opencv, [name for name in WHOLE if name != "cv2"]).asked[1],
        *run(bare, [name for name in HOST if name != "yaml"]).asked[1],
    ]
    named = {canonicalize_name(item.name) for item in requirements}
    pinned = {canonicalize_name(name) for name, version in PINS[host].items() if version is not None}
    assert not named & pinned
    for name, version in PINS[host].items():
        assert version is None or Version(version), name
    # A host that pins OpenCV has it under another distribution's name: no second one is laid over it.
    if PINS[host]["opencv-python"] is not None:
        assert run(tmp_path, WHOLE).calls == []


def test_the_tests_own_pins_of_opencv_are_what_install_asks_for(tmp_path: Path) -> None:
    _, (requirement,) = run(tmp_path, [name for name in WHOLE if name != "cv2"]).asked
    # The oldest that a host with Python 3.10 and numpy 1 can have, and what the tests run with.
    assert requirement.specifier.contains(Version("4.8.1.78"))
    lines = (ROOT / "requirements" / "core.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line.startswith(OPENCV)]
    assert pins
    for pin in pins:
        (exact,) = pin.specifier
        assert requirement.specifier.contains(exact.version)
