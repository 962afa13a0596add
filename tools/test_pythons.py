"""Runs the tests on every other Python that is here (3.10, 3.12, 3.13), each with its own set of package versions.

Python 3.10 gets the oldest packages that hosts have (numpy 1.26, Pillow 9.5), the others the newest.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VERSIONS = ("3.10", "3.12", "3.13")


def main() -> int:
    """Exit status 0 when every Python that is here passed; those that are not here are named."""
    failed = []
    for version in VERSIONS:
        python = _interpreter(version)
        if python is None:
            sys.stdout.write(f"Python {version}: not on this machine, left out\n")
            continue
        folder = HERE / f".venv-{version}"
        if not (folder / "ready-core").exists():
            set_up = [python, str(HERE / "tools" / "set_up.py"), str(folder), "--for", "core"]
            if subprocess.run(set_up, check=False).returncode:
                failed.append(version)
                continue
        sys.stdout.write(f"Python {version}:\n")
        sys.stdout.flush()
        command = [str(folder / "bin" / "python"), "-m", "pytest", "-m", "not slow"]
        if subprocess.run(command, cwd=HERE, check=False).returncode:
            failed.append(version)
    if failed:
        sys.stdout.write(f"failed on Python {', '.join(failed)}\n")
    return 1 if failed else 0


def _interpreter(version: str) -> str | None:
    """The named Python, wherever it is: on the path, or beside the versions a version manager keeps."""
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
        return found
    managed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    return str(managed[-1]) if managed else None


if __name__ == "__main__":
    sys.exit(main())
