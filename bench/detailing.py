"""What redrawing 1, 6 and 20 faces costs, beside the same by ADetailer's rules.

ADetailer (25.3) redraws one face after the other, each on a canvas of the base picture's size, in a call of its own.
Both sides use denoising strength 0.4 and 20 steps, the host's count of img2img evaluations. `--run` also samples the
faces at SD 1 size on the embedded engine and prints what was counted then, which must be what was planned.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.events import Control, Meter
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import ModelFacts
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.detail import Detail
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work

PORTRAIT = Path(__file__).resolve().parent.parent / "examples" / "astronaut.png"
STRENGTH, STEPS = 0.4, 20
# Faces in so many columns and rows, on a base picture of that size, for a model of that native side.
CROWDS = {1: (1, 1), 6: (3, 2), 20: (4, 5)}
BASES = {512: Size(512, 768), 1024: Size(832, 1216)}
_FACE = 0.4


class Sized(EmbeddedHost):
    """The embedded engine as if its model had another native side; for plans."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side

    def model(self, checkpoint: str = "") -> ModelFacts:
        """The model, of that side."""
        return ModelFacts(f"native {self._side}", "embedded", self._side)


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--run", action="store_true", help="also sample the faces of the small picture")
    options = parser.parse_args()
    result = {f"{side}/{count}": _counted(side, count) for side in BASES for count in CROWDS}
    if options.run:
        for count in CROWDS:
            result[f"512/{count}"]["run"] = _run(count)
    print(json.dumps(result, indent=2) if options.json else _told(result))
    return 0


def crowd(picture: Size, count: int) -> list[Detection]:
    """Faces in a grid, four tenths of a cell wide, none in the padding of another."""
    columns, rows = CROWDS[count]
    cell = picture.width / columns, picture.height / rows
    side = _FACE * min(cell)
    found = []
    for number in range(count):
        x, y = (number % columns + 0.5) * cell[0], (number // columns + 0.5) * cell[1]
        box = Box(round(x - side / 2), round(y - side / 2), round(x + side / 2), round(y + side / 2))
        found.append(Detection(box, 0.9, "face"))
    return found


def _counted(side: int, count: int) -> dict[str, Any]:
    picture, host = BASES[side], Sized(side)
    recipe = _recipe()
    tools = Tools(host, _finding(picture, count), Meter(Control()))
    work = Work(np.zeros((picture.height, picture.width, 3), dtype=np.float32), Base(steps=STEPS))
    ours = Detail().estimate(work, picture, recipe["detail"], tools)
    theirs = count * picture.megapixels * (int(STEPS * STRENGTH) + 1)
    return {
        "finisher": {"calls": ours.host_calls, "megapixel_steps": round(ours.megapixel_steps, 2)},
        "adetailer": {"calls": count, "megapixel_steps": round(theirs, 2)},
        "calls_ratio": round(ours.host_calls / count, 3),
        "megapixel_steps_ratio": round(ours.megapixel_steps / theirs, 3),
    }


def _run(count: int) -> dict[str, float]:
    size = BASES[512]
    picture = np.clip(resize(load_picture(PORTRAIT).pixels, size), 0.0, 1.0)
    pipeline = Pipeline(EmbeddedHost(), _finding(size, count), _recipe())
    began = time.perf_counter()
    cost = pipeline.run([Work(picture, Base(steps=STEPS))])[0].reports[3].cost
    return {
        "calls": cost.host_calls,
        "megapixel_steps": round(cost.megapixel_steps, 2),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _recipe() -> Any:
    data: dict[str, Any] = {name: {"enabled": name == "detail"} for name in NAMES}
    data["detail"] = {"enabled": True, "passes": [{"denoising_strength": STRENGTH, "gate": 1.0, "smallest": 0}]}
    return read_recipe(data)


def _finding(picture: Size, count: int) -> Any:
    def find(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        return crowd(picture, count) if size_of(pixels) == picture else []

    return find


def _told(result: dict[str, Any]) -> str:
    lines = [f"{'native/faces':<14}{'calls':>7}{'AD':>5}{'MP-steps':>11}{'AD':>9}{'ratio':>8}"]
    for name, item in result.items():
        ours, theirs = item["finisher"], item["adetailer"]
        lines.append(
            f"{name:<14}{ours['calls']:>7}{theirs['calls']:>5}{ours['megapixel_steps']:>11}"
            f"{theirs['megapixel_steps']:>9}{item['megapixel_steps_ratio']:>8}"
        )
        if "run" in item:
            run = item["run"]
            lines.append(f"  sampled: {run['calls']} calls, {run['megapixel_steps']} MP-steps, {run['seconds']} s")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
