"""Runs all tests: those of this checkout, beside them the browser's, MediaPipe's, and the core's on every other Python.

As many runs as there are cores go side by side, as each keeps about one busy. Python 3.10 gets the oldest packages that
hosts have (numpy 1.26, Pillow 9.5), 3.12 and 3.13 the newest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
OTHERS = ("3.10", "3.12", "3.13")
BROWSER = "tests/browser"


def main() -> int:
    """Exit status 0 when every run passed; a Python that is not here is named."""
    failed: list[str] = []
    runs = {
        "browser": partial(_tested, [_python(".venv"), "-m", "pytest", "-p", "no:cacheprovider", BROWSER]),
        "MediaPipe": partial(_tested, [_python(".venv-mediapipe"), "-m", "pytest", "tests/unit/test_mediapipe.py"]),
    }
    for version in OTHERS:
        found = _interpreter(version)
        if found is None:
            sys.stdout.write(f"Python {version}: not on this machine, left out\n")
        else:
            runs[f"Python {version}"] = partial(_set_up_and_tested, found, f".venv-{version}")
    sys.stdout.flush()
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        # The longest of them first; it is the one that is seen while it runs.
        command = [_python(".venv"), "-m", "pytest", f"--ignore={BROWSER}"]
        everything = pool.submit(subprocess.run, command, cwd=HERE, check=False)
        others = [(name, pool.submit(run)) for name, run in runs.items()]
        if everything.result().returncode:
            failed.append("Python 3.11")
        for name, run in others:
            done = run.result()
            sys.stdout.write(f"{name}:\n{done.stdout}")
            sys.stdout.flush()
            if done.returncode:
                failed.append(name)
    if failed:
        sys.stdout.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


def _tested(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=HERE, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _set_up_and_tested(python: str, folder: str) -> subprocess.CompletedProcess[str]:
    if not (HERE / folder / "ready-core").exists():
        done = _tested([python, str(HERE / "tools" / "set_up.py"), str(HERE / folder), "--for", "core"])
        if done.returncode:
            return done
    return _tested([_python(folder), "-m", "pytest", "-m", "not slow", "-p", "no:cacheprovider"])


def _python(folder: str) -> str:
    return str(HERE / folder / "bin" / "python")


def _interpreter(version: str) -> str | None:
    """The named Python, wherever it is: on the path, or beside the versions a version manager keeps."""
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
        return found
    managed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    return str(managed[-1]) if managed else None


if __name__ == "__main__":
    sys.exit(main())
