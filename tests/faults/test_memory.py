"""Too little memory for the pictures themselves: a real limit on the process, in which allocations really fail."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

# A small picture and one that is enlarged to 2560 × 2560, under a limit of so many MiB more than there are now.
RUN = """
import json, resource, sys
import numpy as np
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work

one = {"factor": 16.0, "upscaler": "Lanczos", "method": "tiled", "tile": 512, "steps": 1, "skip_flat": False}
data = {name: {"enabled": name in ("upscale", "grade")} for name in NAMES}
recipe = read_recipe({**data, "upscale": {"passes": [{**one, "denoising_strength": 0.2}]}})

def striped(side):
    picture = np.full((side, side, 3), 0.5, np.float32)
    picture[::2] = 0.4
    return Work(picture, Base(seed=1, steps=1))

def run(works):
    return Pipeline(EmbeddedHost(), lambda *_: [], recipe).run(works)

run([striped(32)])
size = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize"))
told = []
for more in json.loads(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_AS, ((size + more * 1024) * 1024, resource.RLIM_INFINITY))
    done = run([striped(32), striped(160)])
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    told.append([[item.pixels.shape[0], item.error] for item in done])
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a limit of the address space is Linux's")
def test_a_picture_that_does_not_fit_fails_alone() -> None:
    limits = [60, 120, 180, 240, 2000]
    asked = [sys.executable, "-c", RUN, json.dumps(limits)]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    for pictures in told:
        for before, (side, error) in zip((32, 160), pictures):
            assert side in ((before, before * 16) if error else (before * 16,))
            assert not error or "out of memory" in error
    assert told[-1] == [[512, ""], [2560, ""]]
    assert any(small == [512, ""] and large[1] for small, large in told), "some limit is for the large one alone"
