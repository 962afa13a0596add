"""Peak memory of upscaling to a large canvas, with tiles one at a time and eight at a time.

The engine gives every crop back, so that what is measured is ours: pictures, tiles and blending. Each run is a process
of its own. `--json` prints one object for programs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, Capabilities, ModelFacts
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work

_MIB = 1 << 20
BATCHES = (1, 8)


class Idle(EmbeddedHost):
    """Returns every crop as it came, so many at a time, as a model of native side 1024 would be given them."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    @property
    def capabilities(self) -> Capabilities:
        """As the embedded engine's, with that limit."""
        return replace(super().capabilities, most_elements=self._most, batch_pixels=self._most * 1200 * 1200)

    def model(self, checkpoint: str = "") -> ModelFacts:
        """The model."""
        return ModelFacts("idle", "embedded", 1024)

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        """See `Host.redraw`."""
        return [element.pixels.copy() for element in batch.elements]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--batch", type=int, default=0, help="one run in this process")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.batch:
        print(json.dumps(_run(options.side, options.batch)))
        return 0
    result = {str(batch): _apart(options.side, batch) for batch in BATCHES}
    canvas = options.side**2 * 12 / _MIB
    print(json.dumps(result, indent=2) if options.json else _told(options.side, canvas, result))
    return 0


def _apart(side: int, batch: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--side", str(side), "--batch", str(batch)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _run(side: int, batch: int) -> dict[str, Any]:
    picture = np.random.default_rng(1).random((side // 4, side // 4, 3), dtype=np.float32)
    one = {"factor": 4.0, "method": "tiled", "steps": 1, "upscaler": "Lanczos", "skip_flat": False}
    data: dict[str, Any] = {name: {"enabled": name == "upscale"} for name in NAMES}
    data["upscale"] = {"enabled": True, "passes": [one]}
    pipeline = Pipeline(Idle(batch), lambda *_: [], read_recipe(data))
    began, before = time.perf_counter(), _peak()
    done = pipeline.run([Work(picture, Base(steps=1))])[0]
    cost = done.reports[4].cost
    return {
        "tiles": cost.patches,
        "host_calls": cost.host_calls,
        "before_mib": round(before),
        "peak_mib": round(_peak()),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _told(side: int, canvas: float, result: dict[str, Any]) -> str:
    lines = [f"{side} x {side}; one canvas of floats is {canvas:.0f} MiB"]
    for batch, item in result.items():
        lines.append(
            f"  batch of {batch}: peak {item['peak_mib']} MiB ({item['before_mib']} before), "
            f"{item['tiles']} tiles in {item['host_calls']} calls, {item['seconds']} s"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
