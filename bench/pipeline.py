"""What finishing costs and what it is worth.

Costs: sampled megapixel-steps, engine calls and seconds, beside a reference from the same run. Worth: photographs
finished by the default recipe, beside Lanczos and the upscaler model alone.

The reference is one denoiser evaluation of a megapixel: times are only worth comparing with it. `--json` prints one
object for programs.
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

from bench import against_nothing, basics, grade, upscale
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.hosts.embedded.denoiser import Denoiser
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.files import load_picture
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import default_recipe
from lib_finisher.stages.stage import Work
from tools.fetch_weights import FOLDER

PORTRAIT = Path(__file__).resolve().parent.parent / "examples" / "astronaut.png"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    portrait = load_picture(PORTRAIT).pixels
    result = {
        "reference": _reference(),
        "chain": _chain(portrait),
        "upscale": upscale.costs(),
        "grade_megapixels_per_second": grade.speed(),
        "basics": basics.figures(),
        "against_nothing": [row._asdict() for row in against_nothing.figures()],
    }
    print(json.dumps(result, indent=2) if options.json else _told(result))
    return 0


def _reference() -> dict[str, float]:
    """Seconds for one evaluation of the denoiser on a megapixel, best of three."""
    z = np.random.default_rng(0).standard_normal((1000, 1000, 3), dtype=np.float32)
    denoiser, seconds = Denoiser(), []
    for _ in range(3):
        began = time.perf_counter()
        denoiser.clean(z, 0.33)
        seconds.append(time.perf_counter() - began)
    return {"seconds_per_megapixel_step": round(min(seconds), 3)}


def _chain(portrait: Pixels) -> list[dict[str, Any]]:
    """The default recipe on the portrait, stage by stage, with the upscaler model that the set-up fetches."""
    host = EmbeddedHost(FOLDER)
    done = Pipeline(host, Detectors().detect, default_recipe(host.model().family)).run([Work(portrait)])[0]
    return [
        {
            "stage": item.stage,
            "status": item.status,
            "seconds": round(item.seconds, 2),
            "patches": item.cost.patches,
            "host_calls": item.cost.host_calls,
            "megapixel_steps": round(item.cost.megapixel_steps, 2),
        }
        for item in done.reports
    ]


def _told(result: dict[str, Any]) -> str:
    reference = result["reference"]["seconds_per_megapixel_step"]
    lines = [f"reference: {reference:.3f} s for one evaluation of a megapixel", ""]
    lines.append(f"{'stage':<10}{'status':<10}{'seconds':>8}{'patches':>9}{'calls':>7}{'MP-steps':>10}")
    for item in result["chain"]:
        lines.append(
            f"{item['stage']:<10}{item['status']:<10}{item['seconds']:>8.2f}{item['patches']:>9}"
            f"{item['host_calls']:>7}{item['megapixel_steps']:>10.2f}"
        )
    lines += ["", *upscale.told(result["upscale"])]
    lines += ["", *grade.told(result["grade_megapixels_per_second"])]
    lines += ["", *basics.told(result["basics"])]
    rows = [against_nothing.Figures(**row) for row in result["against_nothing"]]
    lines += ["", "photographs halved and finished back (bench/against_nothing.py):", *against_nothing.told(rows)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
