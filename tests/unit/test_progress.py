"""The progress of the command line: which pictures, which stage, the upscaler model's tiles, the time that is left."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from lib_finisher.batch.finish import Begun
from lib_finisher.cli.progress import ProgressLine
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import (
    BatchStarted,
    Control,
    Event,
    Meter,
    ModelRun,
    ModelStep,
    PictureStarted,
    Progress,
    StageStarted,
)  # fmt: skip
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.geometry import Size
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.plan.rates import Rates
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.patch import Cost
from lib_finisher.stages.stage import Tools, Work
from tests.conftest import weights

MODEL = "RealESR_Gx4"
ONLY_MODEL = {
    "version": 2,
    "detail": {"enabled": False},
    "upscale": {"enabled": True, "passes": [{"factor": 4, "upscaler": MODEL, "method": "upscaler only"}]},
}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def followed(line: ProgressLine, clock: Clock, seconds: int) -> None:
    """Ten pictures, the third and the fourth of which are in work, a quarter of a percent a second."""
    line.begin(Begun((Path("in/c.png"), Path("in/d.png")), 3, 10))
    line(StageStarted("upscale", "Upscale", 2))
    for second in range(1, seconds + 1):
        clock.now += 1.0
        line(ModelStep("4x-Model", second, 40))
        line(Progress(second / 40, 1.0))


def test_a_line_in_ten_seconds_where_there_is_no_terminal() -> None:
    clock, stream = Clock(), io.StringIO()
    followed(ProgressLine(stream, clock), clock, 35)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("finisher: [3–4 of 10] c.png …  Upscale: 4x-Model, tile ")
    # After 20 s: two pictures are done and 19 or 20 fortieths of the next two, so 3 of 10 in all; 20 s * 7/3 are left.
    assert "30%  about 0:4" in lines[1]
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize(
    ("first", "total", "share", "left"),
    [(1, 1, 0.02, ""), (1, 1, 0.5, "0:20"), (2, 300, 0.5, ""), (4, 300, 0.0, "33:00")],
    ids=["one stage of one picture", "half a picture", "one of many", "three of many"],
)
def test_the_time_left_is_told_when_enough_is_done_to_reckon_it(
    first: int, total: int, share: float, left: str
) -> None:
    clock = Clock()
    line = ProgressLine(io.StringIO(), clock)
    line.begin(Begun((Path("a.png"),), first, total))
    clock.now += 20.0
    line(Progress(share, 1.0))
    assert line.text().endswith(f"about {left} left" if left else "…")


def test_a_picture_that_is_in_work_by_itself_is_named() -> None:
    clock, stream = Clock(), io.StringIO()
    line = ProgressLine(stream, clock)
    line.begin(Begun((Path("in/c.png"), Path("in/d.png")), 3, 10))
    for event in (StageStarted("upscale", "Upscale", 2), PictureStarted(1), ModelStep("4x-Model", 0, 0)):
        line(event)
    assert line.text().startswith("[4 of 10] d.png  Upscale: 4x-Model")
    line(BatchStarted(("tile 1 of 2", "tile 2 of 2")))
    assert line.text().startswith("[3–4 of 10] c.png …  Upscale: tile 1 of 2 and 1 more")


def test_a_short_run_says_nothing_where_there_is_no_terminal() -> None:
    clock, stream = Clock(), io.StringIO()
    line = ProgressLine(stream, clock)
    followed(line, clock, 8)
    line.close()
    assert stream.getvalue() == ""


def test_a_terminal_has_one_line_that_is_drawn_anew() -> None:
    clock, stream = Clock(), Terminal()
    line = ProgressLine(stream, clock)
    followed(line, clock, 20)
    drawn = stream.getvalue().split("\r\x1b[2K")
    assert "[3–4 of 10] c.png …  beginning" in drawn[1]
    assert any("█" in text and "tile 20 of 40" in text for text in drawn)
    assert "\n" not in stream.getvalue()
    line.close()
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_a_models_tiles_count_as_the_sampling_that_takes_as_long() -> None:
    heard: list[Event] = []
    meter = Meter(Control(), heard.append, lambda: 60.0, lambda name: {"a": 20.0}[name])
    with meter.model_run("a", 2.0) as watch:
        for number in (1, 2, 1, 2, 3, 4):
            # Short of memory after two tiles of four: from the beginning, and nothing is counted twice.
            watch.step(number, 4)
    meter.advance(20.0)
    assert [round(event.done) for event in heard if isinstance(event, Progress)] == [10, 20, 30, 40, 60]
    assert {event.total for event in heard if isinstance(event, Progress)} == {60.0}
    assert [(run.name, run.megapixels) for run in meter.model_runs] == [("a", 2.0)]
    with meter.model_run("a", 1.0):
        pass
    assert round(heard[-1].done) == 80, "a model that tells of no tiles counts at its end"


def test_rates_learn_models_too(tmp_path: Path) -> None:
    host, rates = EmbeddedHost(), Rates(tmp_path / "rates.json")
    rates.record(host, "", Cost(1, 1, 10.0, 5.0))
    unknown = rates.seconds(host, "", 10.0, [("m", 0.5)]) or 0
    assert unknown == pytest.approx(5.0 + 0.5 * host.capabilities.upscaler_weight / 2.0)
    rates.record_model(host, ModelRun("m", 0.5, 20.0))
    again = Rates(tmp_path / "rates.json")
    assert again.seconds(host, "", 10.0, [("m", 0.25)]) == pytest.approx(5.0 + 10.0)
    assert again.weight(host, "", "m") == pytest.approx(80.0)


def test_the_upscaler_model_is_seen_and_reckoned_with(portrait: np.ndarray) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    host = EmbeddedHost(weights(f"{MODEL}.pth").parent)
    work = Work(portrait[200:264, :400])
    recipe = read_recipe(ONLY_MODEL)
    plan = make_plan(work, recipe, Tools(host, Detectors().detect, Meter(Control())))
    assert plan.total.megapixel_steps == 0
    assert plan.total.models == ((MODEL, pytest.approx(Size(400, 64).megapixels)),)
    heard: list[Event] = []
    rates = Rates()
    assert not Pipeline(host, Detectors().detect, recipe, listener=heard.append, rates=rates).run([work])[0].error
    steps = [event for event in heard if isinstance(event, ModelStep)]
    assert heard.index(PictureStarted(0)) < heard.index(steps[0])
    assert [(event.number, event.total) for event in steps] == [(0, 0), (1, 2), (2, 2)]
    progress = [event for event in heard if isinstance(event, Progress)]
    assert [event.done / event.total for event in progress] == pytest.approx([0.5, 1.0])
    rates.record(host, "", Cost(1, 1, 1.0, 1.0))
    assert rates.weight(host, "", MODEL) != host.capabilities.upscaler_weight, "the run was learned from"
