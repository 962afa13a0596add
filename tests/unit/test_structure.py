"""The house: rooms import downwards only, the core knows no host, files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "lib_finisher"
CORE = [
    file
    for file in PACKAGE.rglob("*.py")
    if not {"hosts", "ui", "cli"} & set(file.relative_to(PACKAGE).parts) or file.name == "port.py"
]
FRONTS = {"__main__.py"}


def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_the_import_contract_holds() -> None:
    pytest.importorskip("importlinter", reason="import-linter is installed for the newest Python only")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 kept, 0 broken" in result.stdout


@pytest.mark.parametrize("file", CORE, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_core_imports_no_host(file: Path) -> None:
    roots = {name.split(".")[0] for name in imported(file)}
    # The one place that asks for torch, late, and says so where it is missing.
    roots -= {"torch"} if file.name == "yolo_packages.py" else set()
    assert not roots & {"gradio", "modules", "diffusers", "torch", "spandrel", "fastapi"}
    if file.name not in FRONTS:
        assert not any(
            name.startswith("lib_finisher.hosts.") and name != "lib_finisher.hosts.port" for name in imported(file)
        )


def test_the_core_runs_without_torch() -> None:
    """A whole picture is finished, and nothing heavy was imported on the way."""
    program = (
        "import sys, numpy as np\n"
        "from lib_finisher.detect.catalogue import Detectors\n"
        "from lib_finisher.hosts.embedded.engine import EmbeddedHost\n"
        "from lib_finisher.pipeline import Pipeline\n"
        "from lib_finisher.recipe import default_recipe\n"
        "from lib_finisher.stages.stage import Work\n"
        "work = Work(np.zeros((64, 64, 3), np.float32))\n"
        "done = Pipeline(EmbeddedHost(), Detectors().detect, default_recipe()).run([work])\n"
        "assert not done[0].error, done[0].error\n"
        "heavy = {'torch', 'gradio', 'modules', 'diffusers', 'spandrel', 'pydantic', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_files_stay_small_enough_to_hold_in_the_head() -> None:
    long = {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines())
        for file in PACKAGE.rglob("*.py")
    }
    assert {name: lines for name, lines in long.items() if lines > 500} == {}


def test_no_path_of_a_development_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    hidden = "/" + "root/", "/" + "work/"
    for name in listed.stdout.splitlines():
        file = ROOT / name
        if (
            file.suffix in {".py", ".md", ".toml", ".txt", ".json", ".ini", ".css", ".js", ".html", ""}
            and file.is_file()
        ):
            text = file.read_text(encoding="utf-8", errors="replace")
            assert not any(f'"{mark}' in text or f" {mark}" in text for mark in hidden), name
