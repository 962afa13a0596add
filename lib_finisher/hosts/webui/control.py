"""The host's buttons and its progress bar."""

from __future__ import annotations

from modules import shared

from lib_finisher.events import BatchStarted, Control, Event, StageStarted


class HostControl(Control):
    """Interrupt and Skip as the host's buttons set them.

    `last` says that the host makes nothing after what is being finished. The host takes the jobs that finishing adds
    for more pictures, so Interrupt becomes "stop after this image" there; with nothing to follow it means: now.
    """

    def __init__(self, last: bool) -> None:
        super().__init__()
        self._last = last

    def check(self) -> None:
        """See `Control.check`."""
        self._look()
        super().check()

    @property
    def interrupted(self) -> bool:
        """See `Control.interrupted`."""
        self._look()
        return super().interrupted

    def stage_ends(self) -> None:
        """See `Control.stage_ends`; the host's flag is used up as well."""
        super().stage_ends()
        shared.state.skipped = False

    def _look(self) -> None:
        if self._last and shared.state.stopping_generation:
            shared.state.interrupt()
        if shared.state.interrupted:
            self.interrupt()
        if shared.state.skipped:
            self.skip()


class Job:
    """One picture's finishing in the host's progress: so many more jobs, and which stage runs."""

    def __init__(self, planned_calls: int) -> None:
        self._planned = planned_calls

    def __enter__(self) -> Job:
        state = shared.state
        self._before = state.job, state.textinfo, state.job_no
        state.job_count = max(state.job_count, 0) + self._planned
        return self

    def __exit__(self, *told: object) -> None:
        state = shared.state
        state.job, state.textinfo, began = self._before
        # Every nested call counted itself; there may have been fewer or more than planned.
        state.job_count += (state.job_no - began) - self._planned


def show(event: Event) -> None:
    """Name the stage that runs in the host's job and progress bar, and there also the patch."""
    state = shared.state
    if isinstance(event, StageStarted):
        state.job = state.textinfo = f"Finisher: {event.label}"
    elif isinstance(event, BatchStarted):
        more = f" and {len(event.labels) - 1} more" if len(event.labels) > 1 else ""
        state.textinfo = f"{state.job}, {event.labels[0]}{more}"
