"""The host's Tiling is the base picture's alone: no crop's own edges meet, and further pictures have it again."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tests.smoke.client import Webui, off, recipe
from tests.standin.server import GRADIOS, standin

pytestmark = pytest.mark.slow


def test_tiling_is_for_base_pictures_and_comes_back() -> None:
    running = standin(GRADIOS[0], "--extension", str(ROOT / "tests" / "standin" / "circular"))
    webui, file = Webui(running.url), running.data / "circular.txt"
    one = {"factor": 2, "steps": 2, "tile": 256, "upscaler": "Lanczos"}
    data = recipe(**off("refine", "detail", "texture", "grade"), upscale={"passes": [one]})
    for tiling in (True, False):
        file.unlink(missing_ok=True)
        webui.txt2img(data, tiling=tiling, width=232, height=168, steps=2, n_iter=2, seed=5)
        steps = [tuple(map(int, line.split())) for line in file.read_text().splitlines()]
        # No crop has the odd size of the base pictures.
        base, crops = ([step for step in steps if (set(step[:2]) == {29, 21}) is is_base] for is_base in (True, False))
        assert {step[2] for step in base} == {int(tiling)}
        assert len(base) >= 4
        assert {step[2] for step in crops} == {0}
