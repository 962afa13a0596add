"""What the pipeline tells while it runs, and how it is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lib_finisher.hosts.port import Interrupted, Skipped, Watch


@dataclass(frozen=True)
class StageStarted:
    """A stage begins on some pictures of the chunk."""

    stage: str
    label: str
    pictures: int


@dataclass(frozen=True)
class Progress:
    """How far the work is, in megapixel-steps; `total` is an estimate and grows when it proves too small.

    What an upscaler model does counts as the sampling that takes as long.
    """

    done: float
    total: float


@dataclass(frozen=True)
class BatchStarted:
    """Some patches go to the engine together; `labels` name them for people."""

    labels: tuple[str, ...]


@dataclass(frozen=True)
class PictureStarted:
    """A stage goes on with one picture by itself (numbered from 0 within the chunk)."""

    picture: int


@dataclass(frozen=True)
class ModelStep:
    """An upscaler model is through with so many of its tiles."""

    name: str
    number: int
    total: int


@dataclass(frozen=True)
class ModelRun:
    """An upscaler model's run over so many megapixels of what it was given."""

    name: str
    megapixels: float
    seconds: float


@dataclass(frozen=True)
class StageFinished:
    """A stage is through with one picture (numbered from 0 within the chunk)."""

    picture: int
    stage: str
    status: str
    reason: str
    seconds: float


Event = StageStarted | PictureStarted | BatchStarted | ModelStep | Progress | StageFinished
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A listener that wants to know nothing."""


class Control:
    """Stops a run from another thread or a signal handler."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()
        self._skipped = threading.Event()

    def interrupt(self) -> None:
        """Stop now; the last complete stage of every picture is kept."""
        self._interrupted.set()

    def skip(self) -> None:
        """Leave out the stage that is running."""
        self._skipped.set()

    @property
    def interrupted(self) -> bool:
        """Whether Interrupt was pressed."""
        return self._interrupted.is_set()

    def check(self) -> None:
        """Raises Interrupted or Skipped when the user said so."""
        if self._interrupted.is_set():
            raise Interrupted
        if self._skipped.is_set():
            raise Skipped

    def stage_ends(self) -> None:
        """A Skip holds for one stage."""
        self._skipped.clear()


class Meter:
    """Counts megapixel-steps and tells of them; also the watch that engines and stages are given.

    `expected` estimates the total; it is only asked when something is sampled at all. `weight` says as how many
    megapixel-steps a megapixel through an upscaler model of that name counts.
    """

    def __init__(
        self,
        control: Control,
        listener: Listener = ignore,
        expected: Callable[[], float] = float,
        weight: Callable[[str], float] = lambda name: 1.0,
    ) -> None:
        self._control = control
        self._listener = listener
        self._expected = expected
        self._weight = weight
        self.model_runs: list[ModelRun] = []
        self._done = 0.0
        self._total: float | None = None

    def check(self) -> None:
        """See `Control.check`."""
        self._control.check()

    def step(self, number: int, total: int) -> None:
        """A step of something that samples nothing, an upscaler's tile say: only a chance to stop."""
        self._control.check()

    @contextmanager
    def model_run(self, name: str, megapixels: float) -> Iterator[Watch]:
        """An upscaler model runs over so much; what it is given to watch tells of its tiles."""
        self._listener(ModelStep(name, 0, 0))
        watch = _ModelWatch(self, name, self._weight(name) * megapixels)
        began = time.perf_counter()
        yield watch
        watch.rest()
        self.model_runs.append(ModelRun(name, megapixels, time.perf_counter() - began))

    def model_step(self, name: str, number: int, total: int) -> None:
        """A tile of an upscaler model is done."""
        self._control.check()
        self._listener(ModelStep(name, number, total))

    def begin(self, labels: Sequence[str]) -> None:
        """These patches are sampled next."""
        self._listener(BatchStarted(tuple(labels)))

    def advance(self, megapixel_steps: float) -> None:
        """That much more has been sampled."""
        self._done += megapixel_steps
        self._total = max(self._expected() if self._total is None else self._total, self._done)
        self._listener(Progress(self._done, self._total))


class _ModelWatch:
    """Counts a model's tiles as its share of the work; a model that tells of none counts at its end."""

    def __init__(self, meter: Meter, name: str, weight: float) -> None:
        self._meter, self._name, self._weight = meter, name, weight
        self._done = 0.0

    def step(self, number: int, total: int) -> None:
        """See `Watch.step`."""
        self._meter.model_step(self._name, number, total)
        self._advance(number / total if total else 1.0)

    def rest(self) -> None:
        """The model is through."""
        self._advance(1.0)

    def _advance(self, share: float) -> None:
        # A model that was short of memory begins anew; what was counted stays.
        if share > self._done:
            self._meter.advance((share - self._done) * self._weight)
            self._done = share
