"""The sources of real hosts, for the contract tests.

FINISHER_WEBUI_DIRS lists checkouts, separated as in PATH. Nothing of them is imported. A host is told by its features
and named by a letter: A AUTOMATIC1111, F Forge, R reForge, C Forge Classic, N Forge Neo.
"""

from __future__ import annotations

import ast
import functools
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

HOSTS = [Path(item) for item in os.environ.get("FINISHER_WEBUI_DIRS", "").split(os.pathsep) if item]
NONE = pytest.param(None, marks=pytest.mark.skip(reason="FINISHER_WEBUI_DIRS is not set: no host sources to read"))

each_host = pytest.mark.parametrize("host", HOSTS or [NONE], ids=lambda host: host.name if host else "no host")

# What is not there, by the letters of the hosts that lack it.
LACKING = {
    ("upscaler.py", "local_data_path"): "N",  # `data_path` is the local one there
    ("processing.py", "scheduler"): "C",  # part of the sampler's name there
    ("processing.py", "distilled_cfg_scale"): "ARC",
    ("options", "forge_additional_modules"): "ARC",
    ("modules_forge/main_entry.py", "module_list"): "ARC",
    ("modules_forge/main_entry.py", "refresh_model_loading_parameters"): "ARC",
    ("infotext_utils.py", "generation_parameters_copypaste"): "C",  # the old name of the module
}


@functools.cache
def tree(host: Path, file: str) -> ast.Module:
    path = host / file if "/" in file else host / "modules" / file
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def letter(host: Path) -> str:
    """Which host this is, by what the program itself tells hosts apart with."""
    if not (host / "modules_forge").is_dir():
        return "A"
    if "is_wan" in (host / "modules" / "processing.py").read_text(encoding="utf-8"):
        return "N"
    if (host / "modules_forge" / "main_entry.py").is_file():
        return "F"
    return "R" if (host / "modules" / "sd_schedulers.py").is_file() else "C"


def lacks(host: Path, file: str, name: str) -> bool:
    return letter(host) in LACKING.get((file, name), "")


def check_presence(host: Path, file: str, wanted: Iterable[str], found: set[str]) -> None:
    """Everything is there but what the table says is not."""
    for name in wanted:
        assert (name in found) is not lacks(host, file, name), f"{letter(host)}, {file}: {name}"


def classes(host: Path, file: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree(host, file).body if isinstance(node, ast.ClassDef)}


def function(host: Path, file: str, name: str) -> ast.FunctionDef:
    owner, _, method = name.rpartition(".")
    body = classes(host, file)[owner].body if owner else tree(host, file).body
    # The last definition of a name is the one that counts.
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == method]
    assert found, f"modules/{file} has no {name}"
    return found[-1]


def arguments_of(spec: ast.arguments) -> list[str]:
    return [item.arg for item in (*spec.posonlyargs, *spec.args)]


def fields_of(host: Path, owner: str, own: bool) -> set[str]:
    """The dataclass fields of a processing class, those that its constructor takes or those that it fills itself."""
    found = set()
    for node in classes(host, "processing.py")[owner].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            value = ast.unparse(node.value) if node.value is not None else ""
            if ("init=False" in value) is own:
                found.add(node.target.id)
    return found


def template(node: ast.expr) -> str:
    """A text with {} for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(item.value) if isinstance(item, ast.Constant) else "{}" for item in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def assigned(host: Path, file: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree(host, file)):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names
