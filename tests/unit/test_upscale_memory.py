"""Too little memory in the middle of a tiled upscale: it goes on from what is finished, and nothing is drawn twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from lib_finisher.events import Control
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, Capabilities, OutOfMemory
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work
from lib_finisher.store.results import ResultStore

ONE = {"factor": 2.0, "tile": 128, "denoising_strength": 0.3, "steps": 3, "upscaler": "Lanczos", "skip_flat": False}


class Short(EmbeddedHost):
    """Runs out of memory at one call, and counts what it has drawn; with `most` tiles at once."""

    def __init__(self, fails_at: int = -1, most: int = 4, stops_at: int = -1, control: Control | None = None) -> None:
        super().__init__()
        self.fails_at, self.most, self.stops_at, self.control = fails_at, most, stops_at, control
        self.calls = 0
        self.drawn: Counter[str] = Counter()

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, most_elements=self.most)

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        number, self.calls = self.calls, self.calls + 1
        if number == self.fails_at:
            raise OutOfMemory("planted")
        if number == self.stops_at and self.control is not None:
            self.control.interrupt()
        results = super().redraw(batch, watch)
        self.drawn.update(repr(item.noise) for item in batch.elements)
        return results


def upscaled(host: EmbeddedHost, picture: np.ndarray, store: ResultStore | None = None, **more: object) -> Finished:
    data: dict[str, object] = {name: {"enabled": name == "upscale"} for name in NAMES}
    data["upscale"] = {"passes": [ONE]}
    control = getattr(host, "control", None)
    return Pipeline(host, lambda *_: [], read_recipe(data), store, control=control).run([Work(picture, Base(seed=4))])[
        0
    ]


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[40:248, 140:348])


def test_out_of_memory_at_any_call_draws_no_finished_tile_again(picture: np.ndarray) -> None:
    plain = Short()
    undisturbed = upscaled(plain, picture)
    tiles = sum(plain.drawn.values())
    assert plain.calls >= 3 and tiles >= 9 and set(plain.drawn.values()) == {1}
    for at in range(plain.calls):
        host = Short(fails_at=at)
        done = upscaled(host, picture)
        assert host.drawn == plain.drawn, f"planted at call {at}"
        np.testing.assert_array_equal(done.pixels, undisturbed.pixels)
        assert any("went on with fewer" in note for note in done.reports[4].notes)


def test_an_interrupted_upscale_takes_its_finished_tiles_up(picture: np.ndarray, tmp_path) -> None:  # type: ignore[no-untyped-def]
    plain = Short()
    undisturbed = upscaled(plain, picture)
    for at in range(1, plain.calls):
        store = ResultStore(tmp_path / str(at))
        first = Short(stops_at=at, control=Control())
        stopped = upscaled(first, picture, store)
        assert stopped.interrupted_in == "upscale"
        second = Short()
        done = upscaled(second, picture, store)
        finished = sum(first.drawn.values())
        assert finished > 0 and not (first.drawn & second.drawn)
        assert sum(second.drawn.values()) == sum(plain.drawn.values()) - finished
        np.testing.assert_array_equal(done.pixels, undisturbed.pixels)
