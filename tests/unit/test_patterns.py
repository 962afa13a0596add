"""Every regular expression of Finisher, in Python and on the page, takes a time that grows with the text alone."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lib_finisher import family_detection, variants
from lib_finisher.stages import upscaler_names
from tests.ambiguity import super_linear

ROOT = Path(__file__).parents[2]
_SEARCHES = ("search", "findall", "finditer", "sub", "subn", "split")
_ACTS = (*_SEARCHES, "match", "fullmatch", "compile")
# What is not as bad as it looks, and why.
EXCUSED = {
    r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+": "a run of capitals always matches, by the third way if not the first",  # noqa: E501
    r"(?<=\d)[\W_]+(?=\d)": "it begins behind a digit alone, which it does not take",
}
# Made of other parts, where the parts are looked at below, or of one letter or a name's few.
MADE = {
    "lib_finisher/family_detection.py": [r"(?<!\\S){rx}(?!\\S)"],
    "lib_finisher/variants.py": [r"(?<!\\S)(?:{rule})(?!\\S)"],
    "lib_finisher/hosts/webui/networks.py": [r"(?<!\\w){re.escape(name)}(?!\\w)"],
    "lib_finisher/stages/upscaler_names.py": ["pattern"],
    "lib_finisher/presets/matching.py": ["fnmatch.translate(part)"],
    "lib_finisher/presets/pattern.py": ["part"],
    # What whoever started the web UI has set, over one line of a request's head.
    "lib_finisher/api/cross_site.py": ["self.expression"],
}


class Found(NamedTuple):
    file: str
    text: str
    flags: int
    searched: bool
    whole: bool


def _flags(call: ast.Call) -> int:
    given = [item.value for item in call.keywords if item.arg == "flags"] + call.args[1:]
    flags = 0
    for item in given:
        for node in ast.walk(item):
            if isinstance(node, ast.Attribute) and node.attr in ("IGNORECASE", "DOTALL", "VERBOSE", "MULTILINE"):
                flags |= getattr(re, node.attr)
    return flags


def _constant(node: ast.expr) -> str | bytes | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) else None


def _compiled(file: str) -> dict[str, re.Pattern[Any]]:
    """The compiled expressions of a module by their names; none of one that only a web UI can import."""
    if "hosts/webui" in file or "/ui/" in file or file.endswith("__main__.py"):
        return {}
    module = importlib.import_module(file.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
    return {name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)}


def python_patterns() -> tuple[list[Found], dict[str, list[str]]]:
    """(the expressions that are written down, what else is given to the engine by file)."""
    found: list[Found] = []
    made: dict[str, list[str]] = {}
    for path in sorted((ROOT / "lib_finisher").rglob("*.py")):
        tree, file = ast.parse(path.read_text()), path.relative_to(ROOT).as_posix()
        compiled = _compiled(file)
        used: dict[str, set[str]] = {}
        assigned: dict[int, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used.setdefault(node.value.id, set()).add(node.attr)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                assigned[id(node.value)] = node.targets[0].id
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ACTS):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
                continue
            name, written = assigned.get(id(node), ""), node.args[0]
            text = compiled[name].pattern if name in compiled else _constant(written)
            if text is None:
                joined = isinstance(written, ast.JoinedStr)
                made.setdefault(file, []).append(ast.unparse(written)[2:-1] if joined else ast.unparse(written))
                continue
            acts = {node.func.attr} - {"compile"} or used.get(name, set()) & set(_ACTS)
            # One that is handed on may be searched for.
            searched, whole = not acts or bool(acts & set(_SEARCHES)), acts == {"fullmatch"}
            plain = text if isinstance(text, str) else text.decode("latin-1")
            found.append(Found(file, plain, _flags(node) if node.func.attr == "compile" else 0, searched, whole))
    return found, made


def page_patterns() -> Iterator[Found]:
    for path in sorted((ROOT / "javascript").glob("*.js")):
        for line in path.read_text().split("\n"):
            for text, flags in re.findall(
                r"(?:[(=,]\s*|=>\s*)/((?:\\.|\[(?:\\.|[^\]])*\]|[^/\\\n\[*])+)/([a-z]*)", line
            ):
                plain = text.replace(r"\p{L}\p{N}", r"\w")
                yield Found(path.name, plain, re.IGNORECASE if "i" in flags else 0, True, False)


WRITTEN, OTHERS = python_patterns()


@pytest.mark.parametrize("one", [*WRITTEN, *page_patterns()], ids=lambda one: f"{Path(one.file).stem}: {one.text[:50]}")
def test_an_expression_is_linear(one: Found) -> None:
    wrong = super_linear(re.compile(one.text, one.flags), one.searched, one.whole)
    assert not wrong or one.text in EXCUSED, wrong


def test_the_expressions_are_found() -> None:
    assert len(WRITTEN) > 40
    assert {Path(one.file).name for one in WRITTEN} >= {"layout.py", "writing.py", "share.py", "diffusion.py"}
    assert len(list(page_patterns())) >= 6
    assert {file: sorted(texts) for file, texts in OTHERS.items()} == MADE


def test_rules_that_expressions_are_made_of_are_linear() -> None:
    rules = [f"(?<!\\S){rx}(?!\\S)" for _, rx, _ in family_detection.NAMES]
    rules += [f"(?<!\\S)(?:{rule})(?!\\S)" for _, rule, _ in (*variants._NAMES, *variants._UNREAD)]
    rules += [pattern for _, pattern in upscaler_names._MADE_FOR]
    assert len(rules) > 20
    assert [(text, wrong) for text in rules if (wrong := super_linear(re.compile(text, re.IGNORECASE), True))] == []


@pytest.mark.parametrize(
    ("text", "searched", "wrong"),
    [
        ("(a+)+b", False, "exponential"), ("(a|a)*b", False, "exponential"), ("(x+x+)+y", False, "exponential"),
        ("a*a*b", False, "quadratic"), ("a+b", True, "quadratic"), (r"\s*x\s*$", True, "quadratic"),
        (r"<\w+:[^>]+>", True, "quadratic"), (r"\d+\.?\d*x", False, "quadratic"), (r"a(?=b+c)", True, ""),
        (r"(?=b+c).", True, "quadratic"), ("a+b", False, ""), ("a+", True, ""), ("(?:a|b)*c", False, ""),
        (r"<\w+:", True, ""), (r'"(?:\\.|[^\\"])+"(?=,|$)', False, ""),
        # The hosts' own, over their last line of pairs.
        (r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', True, "quadratic"),
    ],
)  # fmt: skip
def test_the_judge_knows_known_cases(text: str, searched: bool, wrong: str) -> None:
    found = super_linear(re.compile(text), searched)
    assert found.startswith(wrong) if wrong else found == ""
