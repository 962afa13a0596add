"""How far a run is: a line that is drawn anew on a terminal, a line in ten seconds where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from lib_finisher.batch.finish import Begun
from lib_finisher.cli.console import write_along
from lib_finisher.events import BatchStarted, Event, ModelStep, PictureStarted, Progress, StageFinished, StageStarted

_BAR = 24
_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0
# From less the time left cannot be reckoned: a run begins with loading, and one stage tells little of another.
_ENOUGH_OF_A_RUN, _ENOUGH_PICTURES = 0.1, 2


class ProgressLine:
    """Follows a run and says which pictures it is at, in which stage, and how long it will take."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._clock = clock
        self._began = self._shown = clock()
        self._pictures = self._stage = self._detail = ""
        self._chunk: Begun | None = None
        self._before, self._within, self._all = 0.0, 0.0, 1.0
        self._progress: Progress | None = None

    def begin(self, chunk: Begun) -> None:
        """These pictures are next."""
        self._chunk = chunk
        self._name_pictures(range(len(chunk.files)))
        self._before, self._within, self._all = chunk.first - 1, len(chunk.files), chunk.total
        self._progress, self._stage, self._detail = None, "", ""
        self._draw_if_due(self._terminal)

    def __call__(self, event: Event) -> None:
        """Follow an event of the pipeline."""
        if isinstance(event, StageStarted):
            self._stage, self._detail = event.label, ""
        elif isinstance(event, PictureStarted):
            self._name_pictures(range(event.picture, event.picture + 1))
            self._detail = ""
        elif isinstance(event, BatchStarted):
            more = f" and {len(event.labels) - 1} more" if len(event.labels) > 1 else ""
            self._detail = f"{event.labels[0]}{more}" if event.labels else ""
            if self._chunk is not None:
                self._name_pictures(range(len(self._chunk.files)))
        elif isinstance(event, ModelStep):
            self._detail = f"{event.name}, tile {min(event.number + 1, event.total)} of {event.total}"
            if not event.total:
                self._detail = event.name
        elif isinstance(event, Progress):
            self._progress = event
        elif isinstance(event, StageFinished):
            self._detail = ""
        self._draw_if_due(self._terminal and isinstance(event, StageStarted))

    def close(self) -> None:
        """Leave a clean line behind."""
        if self._terminal:
            self._write("\r\x1b[2K")

    @property
    def share(self) -> float:
        """How much of the whole run is done, 0..1."""
        inner = 0.0
        if self._progress is not None and self._progress.total > 0:
            inner = min(1.0, self._progress.done / self._progress.total)
        return min(1.0, (self._before + self._within * inner) / self._all)

    def text(self) -> str:
        """The line."""
        doing = ": ".join(part for part in (self._stage, self._detail) if part)
        share = self.share
        filled = round(share * _BAR)
        bar = f"[{'█' * filled}{'·' * (_BAR - filled)}] " if self._terminal else ""
        return f"{self._pictures}  {doing or 'beginning'}  {bar}{share:4.0%}  {self._left(share)}".strip()

    def _name_pictures(self, at: range) -> None:
        """Those of the chunk that are in work: one by itself, or all of them together."""
        if self._chunk is None:
            return
        first, last = self._chunk.first + at.start, self._chunk.first + at.stop - 1
        numbers, more = (f"{first}", "") if first == last else (f"{first}–{last}", " …")
        self._pictures = f"[{numbers} of {self._chunk.total}] {self._chunk.files[at.start].name}{more}"

    def _left(self, share: float) -> str:
        if share < _ENOUGH_OF_A_RUN and self._before < _ENOUGH_PICTURES:
            return "…"
        elapsed = self._clock() - self._began
        return f"about {_clock(elapsed / share - elapsed)} left"

    def _draw_if_due(self, now: bool) -> None:
        every = _REDRAW_SECONDS if self._terminal else _LINE_SECONDS
        if now or self._clock() - self._shown >= every:
            self._draw()

    def _draw(self) -> None:
        self._shown = self._clock()
        self._write(f"\r\x1b[2K{self.text()}" if self._terminal else f"finisher: {self.text()}\n")

    def _write(self, text: str) -> None:
        write_along(self._stream, text)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
