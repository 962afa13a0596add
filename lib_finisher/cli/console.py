"""What the command line shows: a progress bar with the time left, and the table of stages."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from lib_finisher.events import Event, Progress, StageFinished, StageStarted
from lib_finisher.finished import StageReport
from lib_finisher.plan.plan import Plan

_BAR = 24
_REDRAW_SECONDS = 0.1
_REASON_WIDTH = 64


class ProgressBar:
    """Shows the run on a terminal; says nothing where the stream is none."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._label = ""
        self._began = time.monotonic()
        self._last = 0.0
        self._done = 0.0

    def __call__(self, event: Event) -> None:
        """Follow an event of the pipeline."""
        if not self._shown:
            return
        if isinstance(event, StageStarted):
            self._label = event.label
            self._draw(f"{event.label} …")
        elif isinstance(event, Progress) and time.monotonic() - self._last > _REDRAW_SECONDS:
            self._last = time.monotonic()
            if event.done < self._done:
                # The next chunk of pictures counts from the beginning.
                self._began = self._last
            self._done = event.done
            self._draw(self._bar(event))
        elif isinstance(event, StageFinished):
            self._draw(f"{event.stage}: {event.status} in {event.seconds:.1f} s")

    def close(self) -> None:
        """Leave a clean line behind."""
        if self._shown:
            self._draw("")

    def _bar(self, event: Progress) -> str:
        share = min(1.0, event.done / event.total) if event.total > 0 else 0.0
        filled = round(share * _BAR)
        elapsed = time.monotonic() - self._began
        left = f"{_clock(elapsed / share - elapsed)} left" if share > 0.02 else "…"
        return f"{self._label:<8} [{'█' * filled}{'·' * (_BAR - filled)}] {share:4.0%}  {left}"

    def _draw(self, text: str) -> None:
        self._stream.write(f"\r\x1b[2K{text}")
        self._stream.flush()


def report_table(reports: Sequence[StageReport]) -> str:
    """The table of what each stage did."""
    rows = [("stage", "status", "size", "seconds", "patches", "calls", "MP-steps", "")]
    for item in reports:
        ran = item.status == "ran"
        rows.append(
            (
                item.label,
                item.status,
                str(item.size),
                f"{item.seconds:.1f}" if ran or item.status == "reused" else "",
                str(item.cost.patches) if item.cost.patches else "",
                str(item.cost.host_calls) if item.cost.host_calls else "",
                f"{item.cost.megapixel_steps:.1f}" if item.cost.megapixel_steps else "",
                item.reason,
            )
        )
    lines = [_table(rows)]
    for item in reports:
        lines += [f"  note ({item.label.lower()}): {text}" for text in (*item.notes, *item.refusals)]
    return "\n".join(lines)


def plan_table(plan: Plan, seconds: float | None = None) -> str:
    """The table of what each stage would do; `seconds` is how long the sampling is expected to take, if known."""
    rows = [("stage", "runs", "size", "patches", "calls", "MP-steps", "")]
    for step in plan.steps:
        estimate = step.estimate
        counts = (
            (str(estimate.patches), str(estimate.host_calls), f"{estimate.megapixel_steps:.1f}")
            if estimate.patches
            else ("", "", "")
        )
        rows.append((step.label, "yes" if step.runs else "no", str(estimate.size), *counts, step.reason))
    total = plan.total
    rows.append(
        ("in all", "", str(total.size), str(total.patches), str(total.host_calls), f"{total.megapixel_steps:.1f}", "")
    )
    return _table(rows) + ("" if seconds is None else f"\n  about {seconds:.0f} s of sampling on this machine")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if at >= 2 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row[:-1], widths))
        ]
        reason = row[-1] if len(row[-1]) <= _REASON_WIDTH else row[-1][: _REASON_WIDTH - 1] + "…"
        lines.append(("  " + "  ".join(cells) + "  " + reason).rstrip())
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def program() -> str:
    """How the user calls this program, for examples that can be typed as they stand."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "lib_finisher":
        return "python -m lib_finisher"
    if called.stem != "finisher":
        return "finisher"
    found = shutil.which("finisher")
    return "finisher" if found and os.path.realpath(found) == os.path.realpath(called) else str(called)


def tell(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
