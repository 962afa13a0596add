"""Sets up the virtual environment that `make demo` and `make test` use, and fetches what they run on.

Everything comes from the package registry by package name. What cannot be had (no network, say) is named and left out:
the demo then works on what is there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
REQUIREMENTS = HERE / "requirements"
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def main() -> int:
    """Exit status 0 when everything is there, 1 when something that is named is missing, 2 when nothing can run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the virtual environment to make or complete")
    parser.add_argument(
        "--for", dest="purpose", choices=("demo", "test", "core", "gradio3", "gradio4", "mediapipe"), default="demo"
    )
    options = parser.parse_args()
    python = _environment(options.folder)
    missing = [name for name, arguments in _steps(options.purpose) if not _install(python, name, arguments)]
    if options.purpose.startswith("gradio") or options.purpose == "mediapipe":
        return _ended(options, missing)
    if not _core_imports(python) and not _borrow_from_system(options.folder, python):
        sys.stderr.write("set-up: numpy, OpenCV and Pillow are needed and could not be had; nothing can be run.\n")
        return 2
    if options.purpose != "core":
        _let_torchvision_import(options.folder, python)
        fetch = [python, HERE / "tools" / "fetch_weights.py", "--for", options.purpose]
        fetched = subprocess.run(fetch, check=False)
        missing += ["weights"] if fetched.returncode else []
    return _ended(options, missing)


def _ended(options: argparse.Namespace, missing: list[str]) -> int:
    if missing:
        sys.stderr.write(f"set-up: could not get: {', '.join(missing)}. Going on without.\n")
        return 1
    (options.folder / f"ready-{options.purpose}").touch()
    return 0


def _environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        sys.stderr.write(f"set-up: making {folder.name} with Python {sys.version.split()[0]}\n")
        venv.create(folder, with_pip=True)
    return python


def _steps(purpose: str) -> list[tuple[str, list[str]]]:
    if purpose.startswith("gradio"):
        return [(purpose, ["-r", str(REQUIREMENTS / f"{purpose}.txt")])]
    if purpose == "mediapipe":
        packages = ["--no-deps", "-r", str(REQUIREMENTS / "mediapipe.txt")]
        return [("mediapipe", packages), ("test packages", ["-r", str(REQUIREMENTS / "test.txt")])]
    steps = [("core packages", ["-r", str(REQUIREMENTS / "core.txt")])]
    if purpose in ("test", "core"):
        steps.append(("test packages", ["-r", str(REQUIREMENTS / "test.txt")]))
    if purpose == "test":
        steps.append(("lint packages", ["-r", str(REQUIREMENTS / "lint.txt")]))
        steps.append(("browser driver", ["-r", str(REQUIREMENTS / "browser.txt")]))
        steps.append(("ONNX writer", ["-r", str(REQUIREMENTS / "onnx.txt")]))
    # The command `finisher`; what it needs is installed above and is not moved.
    steps.append(("finisher", ["--no-deps", "--editable", str(HERE)]))
    if purpose != "core":
        steps.append(("torch", ["-r", str(REQUIREMENTS / "torch.txt")]))
        steps.append(("spandrel and ultralytics", ["--no-deps", "-r", str(REQUIREMENTS / "torch-no-deps.txt")]))
    return steps


def _install(python: Path, name: str, arguments: list[str]) -> bool:
    sys.stderr.write(f"set-up: {name}\n")
    return subprocess.run([python, *PIP, *arguments], check=False).returncode == 0


def _core_imports(python: Path) -> bool:
    probe = "import numpy, cv2, PIL, threadpoolctl"
    return subprocess.run([python, "-c", probe], check=False, capture_output=True).returncode == 0


def _borrow_from_system(folder: Path, python: Path) -> bool:
    """Without a network: let the environment see the packages that the system's Python has."""
    settings = folder / "pyvenv.cfg"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("system-site-packages = false", "system-site-packages = true"), encoding="utf-8")
    return _core_imports(python)


def _let_torchvision_import(folder: Path, python: Path) -> None:
    """Where the registry's torchvision does not fit a CPU torch, put the hook of torchvision_cpu on the path."""
    if subprocess.run([python, "-c", "import torchvision"], check=False, capture_output=True).returncode == 0:
        return
    for packages in folder.glob("lib/python*/site-packages"):
        source = (HERE / "tools" / "torchvision_cpu.py").read_text(encoding="utf-8")
        (packages / "finisher_torchvision_cpu.py").write_text(source, encoding="utf-8")
        start = "import finisher_torchvision_cpu; finisher_torchvision_cpu.install()\n"
        (packages / "finisher_torchvision_cpu.pth").write_text(start, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
