"""Runs the tests on every other Python that is here (3.10, 3.12, 3.13), each with its own set of package versions.

Python 3.10 gets the oldest packages that hosts have (numpy 1.26, Pillow 9.5), the others the newest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VERSIONS = ("3.10", "3.12", "3.13")


def main() -> int:
    """Exit status 0 when every Python that is here passed; those that are not here are named."""
    failed, ready = [], []
    for version in VERSIONS:
        python = _interpreter(version)
        if python is None:
            sys.stdout.write(f"Python {version}: not on this machine, left out\n")
            continue
        folder = HERE / f".venv-{version}"
        set_up = [python, str(HERE / "tools" / "set_up.py"), str(folder), "--for", "core"]
        if (folder / "ready-core").exists() or subprocess.run(set_up, check=False).returncode == 0:
            ready.append(version)
        else:
            failed.append(version)
    # A run keeps one core busy.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for version, done in zip(ready, pool.map(_tested, ready)):
            sys.stdout.write(f"Python {version}:\n{done.stdout}")
            sys.stdout.flush()
            if done.returncode:
                failed.append(version)
    if failed:
        sys.stdout.write(f"failed on Python {', '.join(failed)}\n")
    return 1 if failed else 0


def _tested(version: str) -> subprocess.CompletedProcess[str]:
    python = HERE / f".venv-{version}" / "bin" / "python"
    command = [str(python), "-m", "pytest", "-m", "not slow", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=HERE, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _interpreter(version: str) -> str | None:
    """The named Python, wherever it is: on the path, or beside the versions a version manager keeps."""
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
        return found
    managed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    return str(managed[-1]) if managed else None


if __name__ == "__main__":
    sys.exit(main())
