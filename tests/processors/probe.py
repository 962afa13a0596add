"""What this processor, with the kernels that the environment lets it use, makes of a few pictures: saved to a file.

`python -m tests.processors.probe RESULTS.npz` prints the kernel that numpy's matrix products run on.
"""

from __future__ import annotations

import sys

import numpy as np
from threadpoolctl import threadpool_info

from lib_finisher.detect.catalogue import Detectors
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Batch, Element, Sampling
from lib_finisher.imaging.files import load_picture
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.noise import FieldCrop, NoiseField
from lib_finisher.stages.stage import Work
from tests.conftest import PORTRAIT, Onward

STAGES = ("refine", "detail", "upscale", "texture", "grade")


def redrawn(pixels: np.ndarray, sampling: Sampling, mask: np.ndarray | None = None) -> np.ndarray:
    element = Element(pixels, mask, "", "", 5, FieldCrop(NoiseField(5, "probe")))
    return EmbeddedHost().redraw(Batch(sampling, (element,)), Onward())[0]


def results() -> dict[str, np.ndarray]:
    portrait = load_picture(PORTRAIT).pixels
    crop = np.ascontiguousarray(portrait[60:188, 150:310])
    ramp = np.tile(np.linspace(0, 1, crop.shape[1], dtype=np.float32), (crop.shape[0], 1))
    made = {
        f"{sampler} {strength:g}": redrawn(crop, Sampling(strength, 20, sampler=sampler))
        for sampler in ("Euler", "Euler a")
        for strength in (0.1, 0.3, 0.6)
    }
    made["differential"] = redrawn(crop, Sampling(0.6, 20, differential=True), ramp)
    made["soft mask"] = redrawn(crop, Sampling(0.6, 20), ramp)
    recipe = read_recipe({name: {"enabled": True} for name in STAGES}, "embedded")
    done = Pipeline(EmbeddedHost(), Detectors().detect, recipe).run([Work(crop)])[0]
    assert not done.error, done.error
    return {**made, "every stage": done.pixels}


def kernel() -> str:
    """What numpy's BLAS runs on, "" where it does not say."""
    libraries = [item for item in threadpool_info() if "numpy" in item["filepath"]]
    return next((str(item.get("architecture") or "") for item in libraries if item["user_api"] == "blas"), "")


if __name__ == "__main__":
    np.savez(sys.argv[1], **results())
    sys.stdout.write(kernel())
