"""Run by the web UI at every start: checks that what Finisher needs is there. In the usual case it installs nothing.

Hosts bring numpy, Pillow, OpenCV and torch, and Finisher must not move them: whatever is installed here is installed
without its dependencies. OpenCV only where it is missing altogether. ultralytics, without which no YOLO detector (.pt)
can be loaded, only where it is missing, and in one known version: some of its releases were malicious. A host that
cannot install it starts all the same; it is told once, and the next attempt is on another day.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ULTRALYTICS = "ultralytics==8.4.190"
# All that the part of it which Finisher uses imports beyond torch, torchvision, numpy, OpenCV and Pillow.
YAML = "PyYAML>=6.0,<7"
MALICIOUS = ("8.3.41", "8.3.42", "8.3.45", "8.3.46")

_FAILED = Path(__file__).resolve().parent / ".ultralytics-not-installed"
_DAY = 24 * 3600
_PIP = "install --no-deps --only-binary :all:"
# A host without a network must not wait for pip's usual five attempts. Not as options: Forge Neo's --uv hands these on
# to uv, which knows neither.
_IMPATIENT = {"PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "15"}


def main() -> None:
    """Install what is missing."""
    if not _is_there("cv2"):
        import launch

        launch.run_pip('install --no-deps "opencv-python-headless>=4.8,<5"', "OpenCV for Finisher")
    if not _is_there("ultralytics"):
        _install_ultralytics()
    elif (version := _version_of("ultralytics")) in MALICIOUS:
        _say(
            f"ultralytics {version} is a release that carried malicious code: remove it with "
            f"'pip uninstall ultralytics', then 'pip install --no-deps {ULTRALYTICS}'."
        )


def _install_ultralytics() -> None:
    # Without these it could not be imported.
    if not (_is_there("torch") and _is_there("torchvision")) or _failed_today():
        return
    import launch

    if getattr(launch.args, "skip_install", False):
        return
    wanted = [ULTRALYTICS] if _is_there("yaml") else [ULTRALYTICS, YAML]
    reason = "pip installed nothing"
    try:
        with _environment(_IMPATIENT):
            launch.run_pip(" ".join([_PIP, *(f'"{item}"' for item in wanted)]), "ultralytics for Finisher")
    # What the host raises where pip fails.
    except RuntimeError as error:
        reason = str(error)
    importlib.invalidate_caches()
    if _is_there("ultralytics"):
        _FAILED.unlink(missing_ok=True)
        return
    if not _FAILED.exists():
        _say(
            "ultralytics could not be installed, so YOLO detectors (.pt) are not available; everything else works. "
            f"Why stands in {_FAILED.name} beside install.py. By hand: pip install --no-deps {' '.join(wanted)}"
        )
    _note(reason)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _failed_today() -> bool:
    try:
        return 0 <= time.time() - _FAILED.stat().st_mtime < _DAY
    except OSError:
        return False


def _note(reason: str) -> None:
    try:
        _FAILED.write_text(f"{ULTRALYTICS} could not be installed:\n\n{reason}\n", encoding="utf-8")
    except OSError as error:
        _say(f"{_FAILED} cannot be written ({error.strerror or error}), so this is tried again at the next start.")


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _say(text: str) -> None:
    sys.stdout.write(f"Finisher: {text}\n")


main()
