"""One stage's run on the pictures of a chunk: reuse of stored results, redraws together, interruption, reports."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from lib_finisher.detect.detection import DetectorError
from lib_finisher.events import Meter, PictureStarted, StageFinished, StageStarted
from lib_finisher.finished import StageReport
from lib_finisher.hosts.port import HostError, Interrupted, Skipped
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import size_of
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import NO_MEMORY, ran_out
from lib_finisher.redraw.limit import limited, within
from lib_finisher.redraw.mark import marked
from lib_finisher.redraw.patch import Outcome, Request
from lib_finisher.redraw.watching import PatchMemory
from lib_finisher.run.context import RunContext
from lib_finisher.run.model_outputs import ModelOutputs
from lib_finisher.run.picture_state import PictureState
from lib_finisher.run.stored_stage import key_of, read_output, store_output
from lib_finisher.run.taking_over import left_out, next_work, of_one_hue, reason_of, with_measures
from lib_finisher.run.turns import Turns
from lib_finisher.run.wrap_around import carried_on, finding_once, put_back
from lib_finisher.stages.keep_detail import keeping_detail
from lib_finisher.stages.stage import CHANGED, Stage, StageOutput, Tools, Work
from lib_finisher.stages.texture import NAME as TEXTURE
from lib_finisher.store.results import PatchStore

logger = logging.getLogger(__name__)

NOTHING_MARKED = "the mask marks nothing, and nothing else may change"
# What enlarges the canvas does so whatever a mask marks; it redraws nothing outside of it.
_ENLARGES = ("extend", "upscale")


class StageRun:
    """One stage's run on the chunk."""

    def __init__(
        self, context: RunContext, stage: Stage, states: Sequence[PictureState], meter: Meter,
        settled: Callable[[Stage, PictureState], None] | None = None,
    ) -> None:  # fmt: skip
        """`settled` is called with each picture that is through with the stage, before the others are."""
        self.context = context
        self.settled = settled
        self.stage = stage
        self.states = states
        self.meter = meter
        self.settings: Any = context.recipe[stage.name]
        keep = context.recipe[TEXTURE].kept
        outputs = None
        if context.store is not None:
            outputs = ModelOutputs(context.store, context.host.capabilities.engine, context.code)
        self.tools = Tools(context.host, context.find, meter, context.assets, meter.model_run, keep, outputs)
        samples = stage.reads(self.settings).samples
        own = PatchStore(context.store, context.code) if context.store is not None and samples else None
        self.unfinished = own if context.patches is None else None
        self.memory: PatchMemory | None = context.patches or self.unfinished

    def run(self) -> None:
        """Work on all pictures; whatever becomes of one stands in its report."""
        waiting = []
        for state in self.states:
            if self.settled_without_work(state):
                self.through(state)
            else:
                waiting.append(state)
        if waiting:
            self.context.listener(StageStarted(self.stage.name, self.stage.label, len(waiting)))
        for state in waiting:
            self.begin(state)
            self.advance(state, None)
        self.redraw_requests(waiting)
        if self.unfinished is not None and not self.context.control.interrupted:
            self.unfinished.clear()
        self.context.control.stage_ends()

    def begin(self, state: PictureState) -> None:
        """Let the stage begin with one picture; from now on it alone holds what it is given."""
        state.outside = 0
        work = carried_on(self.work_of(state), self.stage)
        state.around = work.around
        state.running = self.stage.run(work, self.settings, finding_once(self.tools, self.stage, state.around))

    def settled_without_work(self, state: PictureState) -> bool:
        """Whether the stage is switched off, the run is interrupted, or its result is in the store."""
        state.seconds = 0.0
        state.doubtful, state.quality = False, None
        if not self.settings.enabled:
            self.report(state, StageOutput(state.work.pixels, "skipped", "switched off"))
            return True
        if self.context.control.interrupted:
            state.done.interrupted_in = state.done.interrupted_in or self.stage.label.lower()
            self.report(state, StageOutput(state.work.pixels, "skipped", "the run was interrupted"))
            return True
        limit = self.limit(state)
        if limit is not None and not (limit > 0).any() and self.stage.name not in _ENLARGES:
            self.report(state, StageOutput(state.work.pixels, "skipped", NOTHING_MARKED))
            return True
        began = time.perf_counter()
        state.key = key_of(self.context, self.stage, state.work, state.restricted)
        stored = read_output(self.context.store, state.key) if self.context.store is not None else None
        state.seconds = time.perf_counter() - began
        if stored is None:
            return False
        output, state.quality = stored
        self.settle(state, output)
        return True

    def work_of(self, state: PictureState) -> Work:
        """What the stage is given: a mask that restricts marks nothing for repair."""
        hidden = state.restricted and self.stage.name == "repair"
        return replace(state.work, mask=None) if hidden else state.work

    def limit(self, state: PictureState) -> Mask | None:
        """Where the stage may change the picture; None means everywhere. New borders are not for a mask to forbid."""
        if not state.restricted or self.stage.name == "extend":
            return None
        moved = state.request.limit if state.request is not None else None
        return state.work.mask if moved is None else moved

    def limit_of(self, state: PictureState, request: Request) -> Mask | None:
        """The same for a request, whose picture may be carried on beyond its borders."""
        limit = self.limit(state)
        if limit is None or state.around is None or request.limit is not None:
            return limit
        return state.around.carried_on(limit)

    def redraw_requests(self, waiting: Sequence[PictureState]) -> None:
        """Run what the pictures ask for, all of them together, until none asks any more."""
        while asking := [state for state in waiting if state.request is not None]:
            self.redraw_together(asking)

    def redraw_together(self, asking: Sequence[PictureState]) -> None:
        """Redraw what those pictures ask for; each goes on as soon as its own patches are through."""
        context, turns = self.context, Turns(asking)
        requests = [state.request for state in asking if state.request is not None]

        def through(index: int, outcomes: Sequence[Outcome]) -> None:
            with turns.of(index, outcomes) as state:
                self.go_on(state, requests[index], outcomes[index])

        try:
            redraw(requests, context.host, context.budget, self.meter, self.memory, context.free_detectors, through)
        # One picture's surprise must not end the run of the others: what came of theirs is in the memory of patches.
        except Exception as error:
            if turns.surprised:
                raise
            left = turns.left()
            for state in left if len(left) > 1 else []:
                self.redraw_together([state])
            if len(left) == 1:
                if not ran_out(error):
                    logger.exception("The redraw of the stage %s failed.", self.stage.name)
                self.finish(left[0], StageOutput(left[0].work.pixels, "failed", reason_of(error)))

    def go_on(self, state: PictureState, request: Request, outcome: Outcome) -> None:
        """Give a picture what became of its request."""
        limit = self.limit_of(state, request)
        if limit is not None and not self.stage.maps:
            try:
                outcome.picture = within(request.picture, outcome.picture, limit, own=True)
            except (MemoryError, cv2.error) as error:
                self.finish(state, StageOutput(state.work.pixels, "failed", reason_of(error)))
                return
        self.advance(state, outcome)

    def advance(self, state: PictureState, answer: Any) -> None:
        """Let the stage go on with one picture, to its next request or to its end."""
        assert state.running is not None
        state.request = None
        self.context.listener(PictureStarted(state.number))
        began = time.perf_counter()
        try:
            state.request = state.running.send(answer)
            self.prepare(state, state.request)
            state.seconds += time.perf_counter() - began
        except StopIteration as stop:
            state.seconds += time.perf_counter() - began
            self.finish(state, stop.value)
        except Interrupted:
            self.finish(state, StageOutput(state.work.pixels, stopped="interrupted"))
        except Skipped:
            self.finish(state, StageOutput(state.work.pixels, stopped="skipped"))
        except (HostError, DetectorError) as error:
            self.finish(state, StageOutput(state.work.pixels, "failed", str(error) or type(error).__name__))
        # One picture's surprise must not end the run of the others; the log has the traceback.
        except Exception as error:
            if not ran_out(error):
                logger.exception("The stage %s failed.", self.stage.name)
            self.finish(state, StageOutput(state.work.pixels, "failed", reason_of(error)))

    def prepare(self, state: PictureState, request: Request) -> None:
        """Hold a request to the user's mask, and mark what it redraws for whoever wants to see that."""
        if state.around is not None:
            request = replace(request, noise_field=replace(request.noise_field, around=state.around))
        request, doubtful = keeping_detail(request, self.tools)
        state.doubtful = state.doubtful or doubtful
        limit = self.limit_of(state, request)
        if limit is not None:
            asked = len(request.patches)
            # What maps pixels too is held to the mask at its end; its soft edge must not count twice.
            request = limited(request, np.ceil(limit) if self.stage.maps else limit)
            if not request.together:
                state.outside += asked - len(request.patches)
        if self.context.keep_stages and not request.together:
            # Of several passes each marks the preview further.
            before, around = state.done.previews.get(self.stage.name), request.noise_field.around
            if around is None:
                state.done.previews[self.stage.name] = marked(request, before)
            else:
                before = None if before is None else around.carried_on(before)
                state.done.previews[self.stage.name] = around.inner(marked(request, before))
        state.request = request

    def finish(self, state: PictureState, output: StageOutput) -> None:
        """Take over what the stage made, and store it when it is complete."""
        state.request = None
        try:
            self.take_over(state, output)
        except (MemoryError, cv2.error) as error:
            if not ran_out(error):
                raise
            # The picture stays as it was before the stage, and the others go on.
            self.report(
                state, StageOutput(state.work.pixels, "failed", NO_MEMORY, cost=output.cost, notes=output.notes)
            )
        self.through(state)

    def through(self, state: PictureState) -> None:
        """Nothing more becomes of the picture in this stage."""
        if self.settled is not None:
            self.settled(self.stage, state)

    def take_over(self, state: PictureState, output: StageOutput) -> None:
        """See `finish`. Raises MemoryError before it has changed the state."""
        put_back(output, state.work.pixels, self.stage, state.around)
        output.degraded = output.degraded or state.doubtful
        limit = self.limit(state)
        if state.outside:
            output.notes.append(f"{state.outside} outside the mask, left as it was")
        if output.pixels is not state.work.pixels:
            before, recipe = state.work.pixels, self.context.recipe
            output.pixels, state.hue = of_one_hue(before, output.pixels, self.stage, recipe, state.hue)
        if limit is not None and self.stage.maps and output.status == "ran":
            output.pixels = within(state.work.pixels, output.pixels, limit, own=True)
        if output.status == "ran" and output.pixels is not state.work.pixels:
            output, state.quality = with_measures(state.work.pixels, output)
        if output.stopped == "interrupted":
            state.done.interrupted_in = self.stage.label.lower()
            output.reason = output.reason or "stopped before it was complete"
            if output.status == "ran":
                output.status = "skipped" if output.pixels is state.work.pixels else "ran"
        elif output.stopped == "skipped":
            output = left_out(output, state.work.pixels, "skipped", "skipped by the user")
        elif output.status == "ran" and not output.degraded and self.context.store is not None:
            store_output(self.context.store, state.key, self.stage, output, state.quality)
        self.settle(state, output)

    def settle(self, state: PictureState, output: StageOutput) -> None:
        """Report, and make the output the next stage's input."""
        if self.stage.colours(self.settings) == CHANGED:
            state.hue = None
        if output.status in ("ran", "reused", "failed"):
            state.work = next_work(state.work, output)
            state.done.pixels = state.work.pixels
            if self.context.keep_stages and output.status != "failed":
                state.done.stages[self.stage.name] = state.work.pixels
        self.report(state, output)

    def report(self, state: PictureState, output: StageOutput) -> None:
        """Note what became of the picture, and tell who listens."""
        report = StageReport(
            stage=self.stage.name,
            label=self.stage.label,
            status=output.status,
            reason=output.reason,
            seconds=state.seconds,
            cost=output.cost,
            size=size_of(state.work.pixels),
            notes=tuple(output.notes),
            prompts=dict(output.prompts),
            refusals=tuple(f"{refusal.label}: {refusal.reason}" for refusal in output.refusals),
            quality=state.quality,
        )
        state.done.reports.append(report)
        if not state.is_comparison:
            self.context.listener(
                StageFinished(state.number, report.stage, report.status, report.reason, report.seconds)
            )
