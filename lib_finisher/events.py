"""What the pipeline tells while it runs, and how it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lib_finisher.hosts.port import Interrupted, Skipped


@dataclass(frozen=True)
class StageStarted:
    """A stage begins on some pictures of the chunk."""

    stage: str
    label: str
    pictures: int


@dataclass(frozen=True)
class Progress:
    """How far sampling is, in megapixel-steps; `total` is an estimate and grows when it proves too small."""

    done: float
    total: float


@dataclass(frozen=True)
class BatchStarted:
    """Some patches go to the engine together; `labels` name them for people."""

    labels: tuple[str, ...]


@dataclass(frozen=True)
class StageFinished:
    """A stage is through with one picture (numbered from 0 within the chunk)."""

    picture: int
    stage: str
    status: str
    reason: str
    seconds: float


Event = StageStarted | BatchStarted | Progress | StageFinished
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

    `expected` estimates the total; it is only asked when something is sampled at all.
    """

    def __init__(self, control: Control, listener: Listener = ignore, expected: Callable[[], float] = float) -> None:
        self._control = control
        self._listener = listener
        self._expected = expected
        self._done = 0.0
        self._total: float | None = None

    def check(self) -> None:
        """See `Control.check`."""
        self._control.check()

    def step(self, number: int, total: int) -> None:
        """A step of something that samples nothing, an upscaler's tile say: only a chance to stop."""
        self._control.check()

    def begin(self, labels: Sequence[str]) -> None:
        """These patches are sampled next."""
        self._listener(BatchStarted(tuple(labels)))

    def advance(self, megapixel_steps: float) -> None:
        """That much more has been sampled."""
        self._done += megapixel_steps
        self._total = max(self._expected() if self._total is None else self._total, self._done)
        self._listener(Progress(self._done, self._total))
