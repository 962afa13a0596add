"""Generations with random recipes in the stand-in web UI: sizes as promised, memory flat, no handle left open.

`python -m tests.faults.random_recipes` (from the repository's root) makes 500 of them.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib_finisher.controls import Control, controls_of
from lib_finisher.recipe import SECTIONS
from tests.faults.fault_matrix import SIZE, Matrix
from tests.smoke.client import encoded, recipe
from tests.standin.server import GRADIOS

# What would take hours on two cores, or make pictures of hundreds of megapixels.
_MOST = {
    "steps": 4, "factor": 2.0, "side": 400, "width": 256, "height": 256, "megapixels": 0.2, "left": 48, "top": 48,
    "right": 48, "bottom": 48, "denoising_strength": 0.6, "columns": 3, "rows": 3,
}  # fmt: skip
_FEWEST = {"tile": 192, "width": 64, "height": 64}
_OFTEN = 0.35
# MiB that a generation may leave behind, in the mean: the web UI itself leaves about two.
LEFT_BEHIND = 6.0


@dataclass(frozen=True)
class Soaked:
    """How many generations there were; what was wrong, a line each; MiB and handles that each left behind."""

    generations: int
    wrong: list[str]
    mebibytes: float
    handles: float


def random_recipe(chance: random.Random) -> dict[str, Any]:
    """Random values for about a third of the controls of the table, stages on or off."""
    data: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        if name != "base":
            data[name] = _random_settings(kind, chance)
            data[name]["enabled"] = chance.random() < 0.6
    return data


def _random_settings(kind: type, chance: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for row in controls_of(kind):
        if row.kind == "passes":
            assert row.item is not None
            chosen[row.name] = [_random_settings(row.item, chance) for _ in range(chance.choice((1, 1, 2)))]
        elif row.name in _MOST or chance.random() < _OFTEN:
            value = _random_value(row, chance)
            if value is not None:
                chosen[row.name] = value
    return chosen


def _random_value(row: Control, chance: random.Random) -> Any:
    if row.kind == "switch":
        return chance.random() < 0.5
    if row.kind == "choice":
        return chance.choice(row.choices)
    if row.kind not in ("integer", "number"):
        return None
    least = max(row.minimum or 0, _FEWEST.get(row.name, row.minimum or 0))
    most = min(row.maximum or least, _MOST.get(row.name, row.maximum or least))
    if most <= least:
        return None
    return chance.randint(int(least), int(most)) if row.kind == "integer" else round(chance.uniform(least, most), 3)


def soaked(matrix: Matrix, count: int, seed: int, warm_up: int = 3) -> Soaked:
    """So many generations; what the first ones leave behind is not counted, for libraries load with them."""
    chance = random.Random(seed)
    generate = matrix.modes()["img2img"]
    wrong: list[str] = []
    before = (0.0, 0)
    for number in range(count + warm_up):
        if number == warm_up:
            before = _held(matrix.host.process)
        data = random_recipe(chance)
        asked = {"image": encoded(matrix.portrait), "recipe": data, "base": {"sampler": "Euler a", "steps": 4}}
        promised = tuple(matrix.webui.post("/finisher/v1/plan", asked)["size"])
        done = generate(recipe(**data))
        # The base is made from the portrait at its own size, so the plan for one is that for the other.
        if done.size != promised and "Finisher error" not in done.told:
            wrong.append(f"recipe {number} of seed {seed}: {done.size}, promised was {promised}: {data}")
    after = _held(matrix.host.process)
    again = matrix.webui.txt2img(**SIZE)
    if (again.picture != matrix.draft.picture).any():
        wrong.append("the next plain generation is another one")
    return Soaked(count, wrong, (after[0] - before[0]) / count, (after[1] - before[1]) / count)


def _held(process: int) -> tuple[float, int]:
    """(MiB of memory, open files and threads) of a process."""
    folder = Path("/proc", str(process))
    told = re.search(r"VmRSS:\s+(\d+) kB", (folder / "status").read_text())
    assert told is not None
    return int(told[1]) / 1024, len(list((folder / "fd").iterdir())) + len(list((folder / "task").iterdir()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = soaked(Matrix.started(GRADIOS[-1]), options.count, options.seed)
    for line in found.wrong:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(
        f"{found.generations} generations, {len(found.wrong)} not as promised; each left {found.mebibytes:.2f} MiB "
        f"and {found.handles:.2f} handles and threads behind\n"
    )
    return 1 if found.wrong or found.mebibytes > LEFT_BEHIND or found.handles > 0.1 else 0


if __name__ == "__main__":
    sys.exit(main())
