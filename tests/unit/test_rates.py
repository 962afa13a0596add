"""What is learned of this machine's speed, and the seconds that a plan tells of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.rates import Rates
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.patch import Cost
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work


def test_nothing_is_told_before_anything_is_known(host: EmbeddedHost) -> None:
    assert Rates().seconds(host, "", 10.0) is None


def test_a_run_teaches_how_long_the_next_takes(host: EmbeddedHost, portrait: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "below" / "rates.json"
    recipe = read_recipe({**{name: {"enabled": name == "refine"} for name in NAMES}})
    done = Pipeline(host, lambda *_: [], recipe, rates=Rates(file)).run([Work(portrait, Base(steps=12))])[0]
    cost = done.reports[0].cost
    assert 0 < cost.seconds <= done.reports[0].seconds
    later = Rates(file)
    assert later.seconds(host, "", cost.megapixel_steps) == pytest.approx(cost.seconds, rel=0.01)
    assert later.seconds(host, "", 2 * cost.megapixel_steps) == pytest.approx(2 * cost.seconds, rel=0.01)


def test_a_slower_day_counts_a_little(host: EmbeddedHost) -> None:
    rates = Rates()
    rates.record(host, "", Cost(1, 1, 10.0, 5.0))
    assert rates.seconds(host, "", 10.0) == pytest.approx(5.0)
    rates.record(host, "", Cost(1, 1, 10.0, 50.0))
    assert 5.0 < (rates.seconds(host, "", 10.0) or 0) < 10.0
    rates.record(host, "", Cost(1, 1, 10.0, 0.001))
    rates.record(host, "", Cost())
    assert 5.0 < (rates.seconds(host, "", 10.0) or 0) < 10.0


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"a": "x"}', "{", json.dumps({"a": -1})])
def test_a_broken_file_only_costs_the_knowledge(host: EmbeddedHost, tmp_path: Path, text: str) -> None:
    file = tmp_path / "rates.json"
    file.write_text(text)
    rates = Rates(file)
    assert rates.seconds(host, "", 1.0) is None
    rates.record(host, "", Cost(1, 1, 10.0, 5.0))
    assert Rates(file).seconds(host, "", 10.0) == pytest.approx(5.0)


def test_a_place_that_cannot_be_written_costs_nothing_else(host: EmbeddedHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rates = Rates(tmp_path / "file" / "rates.json")
    rates.record(host, "", Cost(1, 1, 10.0, 5.0))
    assert rates.seconds(host, "", 10.0) == pytest.approx(5.0)
