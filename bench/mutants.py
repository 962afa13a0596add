"""Do the tests bite: random small faults in a room's code, and how many of them its tests let live.

    make mutants ROOM=store [COUNT=200] [SEED=0] [MINUTES=60]

Works in a copy of the checkout. Cosmic Ray makes the faults and runs the room's tests, those that import it; of each
place in the code one fault at most. Prints what survived, and the rate with its 95 % interval (Wilson).
"""

from __future__ import annotations

import argparse
import ast
import math
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
_PATIENCE_SECONDS = 240
_Z = 1.96


def main() -> int:
    """Exit status 0 whatever survives; 2 where the tests fail without any fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("room", help="a folder or file of lib_finisher, such as store")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "checkout"
        _copied(copy)
        os.chdir(copy)
        modules = sorted(Path("lib_finisher", options.room).rglob("*.py")) or [
            Path("lib_finisher", f"{options.room}.py")
        ]
        tests = _tests_of(options.room)
        if not _passes(tests):
            sys.stdout.write("the room's tests fail without any fault\n")
            return 2
        return _tried(modules, tests, options)


def _tried(modules: Sequence[Path], tests: Sequence[Path], options: argparse.Namespace) -> int:
    from cosmic_ray.mutating import mutate_and_test
    from cosmic_ray.work_item import TestOutcome, WorkerOutcome

    chosen = _chosen(modules, options.seed)
    end = time.monotonic() + 60 * options.minutes
    tried, survived = 0, 0
    for spec in chosen:
        if tried >= options.count or time.monotonic() > end:
            break
        result = mutate_and_test([spec], shlex.join(_command(_by_nearness(tests, spec.module_path))), _PATIENCE_SECONDS)
        if result.worker_outcome != WorkerOutcome.NORMAL or result.test_outcome == TestOutcome.INCOMPETENT:
            continue
        tried += 1
        if result.test_outcome == TestOutcome.SURVIVED:
            survived += 1
            changed = [line for line in (result.diff or "").splitlines() if re.match(r"[+-](?![+-]{2})", line)]
            sys.stdout.write(f"survived: {spec.module_path}:{spec.start_pos[0]}\n  " + "\n  ".join(changed) + "\n")
            sys.stdout.flush()
    low, high = _interval(survived, tried)
    rate = survived / max(tried, 1)
    sys.stdout.write(
        f"{options.room}: {tried} faults, {survived} survived: {rate:.1%} (95 %: {low:.1%} to {high:.1%})\n"
    )
    return 0


def _copied(copy: Path) -> None:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    files = subprocess.run(listed, cwd=HERE, check=True, stdout=subprocess.PIPE).stdout
    for name in filter(None, files.decode().split("\0")):
        if (HERE / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(HERE / name, copy / name)
    for name in (".venv", ".cache"):
        if (HERE / name).exists():
            (copy / name).symlink_to((HERE / name).resolve())


def _tests_of(room: str) -> list[Path]:
    """The quick tests that import something of the room."""
    imports = re.compile(rf"^\s*(from|import) lib_finisher\.{re.escape(room.replace('/', '.'))}\b", re.MULTILINE)
    found = [
        path for folder in ("unit", "property", "faults") for path in sorted(Path("tests", folder).glob("test_*.py"))
        if imports.search(path.read_text(encoding="utf-8"))
    ]  # fmt: skip
    if not found:
        raise SystemExit(f"no test imports lib_finisher.{room}")
    return found


def _by_nearness(tests: Sequence[Path], module: Path) -> list[Path]:
    """Those first that import the module itself: most faults are found by them."""
    name = re.compile(re.escape(".".join(module.with_suffix("").parts)) + r"\b")
    return sorted(tests, key=lambda path: not name.search(path.read_text(encoding="utf-8")))


def _command(tests: Sequence[Path]) -> list[str]:
    python = str(HERE / ".venv" / "bin" / "python")
    quick = ["-m", "not slow", "-x", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    return [python, "-m", "pytest", *quick, *map(str, tests)]


def _passes(tests: Sequence[Path]) -> bool:
    return subprocess.run(_command(tests), check=False, stdout=subprocess.DEVNULL).returncode == 0


def _chosen(modules: Sequence[Path], seed: int) -> Iterator[Any]:
    """Faults in a random order, one for each place. Annotations are left out: no program reads them."""
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db("mutants.sqlite", WorkDB.Mode.create) as database:
        init(list(modules), database, {})
        specs = [spec for item in database.work_items for spec in item.mutations]
    annotations = {module: _annotations(module) for module in modules}
    chance = random.Random(seed)
    places: dict[tuple[Path, tuple[int, int]], list[Any]] = {}
    for spec in sorted(
        specs, key=lambda spec: (str(spec.module_path), spec.start_pos, spec.operator_name, spec.occurrence)
    ):
        if not any(begin <= spec.start_pos <= end for begin, end in annotations[spec.module_path]):
            places.setdefault((spec.module_path, spec.start_pos), []).append(spec)
    order = sorted(places)
    chance.shuffle(order)
    return (chance.choice(places[place]) for place in order)


def _annotations(module: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """(begin, end) of every annotation, as (line from 1, column from 0)."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(node.returns)
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            found.append(node.annotation)
    return [
        ((item.lineno, item.col_offset), (item.end_lineno or 0, item.end_col_offset or 0)) for item in found if item
    ]


def _interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's interval for a share."""
    if not count:
        return 0.0, 1.0
    share, square = hits / count, _Z**2 / count
    middle = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


if __name__ == "__main__":
    sys.exit(main())
