"""The redraw act: every patch of every request, in rounds and batches, through the engine and back into its picture."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from lib_finisher.hosts.port import (
    Batch,
    Element,
    Host,
    HostError,
    Interrupted,
    NoRoomForModel,
    OutOfMemory,
    Sampling,
    Skipped,
)
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.detail_transfer import Transferred, lost_detail
from lib_finisher.imaging.geometry import Size, look, paste_region, size_of
from lib_finisher.redraw.batches import even_chunks, rounds
from lib_finisher.redraw.fine_detail import FineDetail
from lib_finisher.redraw.fitting import change_in, locked_to, mix_in, turned, weigh
from lib_finisher.redraw.gates import broken
from lib_finisher.redraw.job import Job, element_of, key_of, model_by_model, sampling_of
from lib_finisher.redraw.ladder import NO_MEMORY, AreaBudget, ran_out, smaller
from lib_finisher.redraw.layout import mixed_strips
from lib_finisher.redraw.networks import misfits
from lib_finisher.redraw.patch import Cost, Gate, Outcome, Patch, Refusal, Request
from lib_finisher.redraw.unused import unused
from lib_finisher.redraw.watching import BatchProgress, PatchMemory, Watcher

Through = Callable[[int, Sequence[Outcome]], None]

logger = logging.getLogger(__name__)


def redraw(
    requests: Sequence[Request],
    host: Host,
    budget: AreaBudget,
    watcher: Watcher,
    memory: PatchMemory | None = None,
    relieve: Callable[[], None] | None = None,
    through: Through | None = None,
) -> list[Outcome]:
    """Redraw the patches of all requests; one outcome a request, in order.

    Patches of different pictures that have one canvas and the same settings share batches. Never raises for a patch
    that fails, for too little memory or for an interruption: the outcome says so, and old pixels stay. `relieve` gives
    back memory that others than the engine hold; it is called where memory was short. `through` is called for each
    request once, with its index and all outcomes, as soon as its own last patch is through; what it raises is raised.
    """
    outcomes = [Outcome(request.picture) for request in requests]
    for request, outcome, strange in zip(requests, outcomes, misfits(requests, host)):
        outcome.notes += [*unused(request, host.capabilities), *strange]
    run = _Run(requests, outcomes, host, budget, watcher, memory, relieve, through)
    try:
        run.all_rounds()
    except Interrupted:
        run.stop("interrupted")
    except Skipped:
        run.stop("skipped")
    for index in range(len(requests)):
        run.end(index)
    return outcomes


class _Run:
    def __init__(
        self,
        requests: Sequence[Request],
        outcomes: list[Outcome],
        host: Host,
        budget: AreaBudget,
        watcher: Watcher,
        memory: PatchMemory | None,
        relieve: Callable[[], None] | None,
        through: Through | None,
    ) -> None:
        self.requests = requests
        self.outcomes = outcomes
        self.host = host
        self.budget = budget
        self.watcher = watcher
        self.memory = memory
        self.relieve = relieve
        self.through = through
        self.ended: set[int] = set()
        self.left = [len(request.patches) for request in requests]
        self.redrawn: set[tuple[int, int]] = set()
        self.detail = [
            FineDetail(*request.picture.shape[:2]) if request.together and len(request.patches) > 1 else None
            for request in requests
        ]

    def all_rounds(self) -> None:
        plans = [rounds(request.patches, request.together) for request in self.requests]
        for number in range(max((len(plan) for plan in plans), default=0)):
            jobs = []
            for index, plan in enumerate(plans):
                if number < len(plan):
                    jobs += self.jobs(index, plan[number], number == 0)
            self.one_round(jobs)

    def jobs(self, index: int, numbers: Sequence[int], first: bool) -> list[Job]:
        request, outcome = self.requests[index], self.outcomes[index]
        source = outcome.picture
        jobs = [Job(index, number, request.patches[number], source) for number in numbers]
        # Overlapping tiles are all cut from the picture as it was; patches apart may share one array.
        if request.together or first:
            try:
                outcome.picture = source.copy()
            except MemoryError as error:
                self.no_room(jobs, error)
                return []
            for job in jobs:
                job.source = source if request.together else outcome.picture
        return jobs

    def one_round(self, jobs: list[Job]) -> None:
        groups: dict[tuple[Size, Sampling], list[Job]] = {}
        for job in jobs:
            groups.setdefault((job.patch.sampled, sampling_of(job, self.requests[job.request], self.host)), []).append(
                job
            )
        for (canvas, sampling), members in model_by_model(groups):
            waiting = members
            while waiting:
                count = self.budget.elements(canvas)
                first = [waiting[i] for i in even_chunks(range(len(waiting)), count)[0]]
                waiting = waiting[len(first) :]
                self.one_batch(first, canvas, sampling)
                for job in first:
                    self.left[job.request] -= 1
                for index in dict.fromkeys(job.request for job in first):
                    if not self.left[index]:
                        self.end(index)

    def one_batch(self, jobs: list[Job], canvas: Size, sampling: Sampling) -> None:
        self.watcher.check()
        if self.budget.too_large(canvas):
            for job in jobs:
                self.one_smaller(job, sampling, "it did not fit before")
            return
        try:
            elements = [element_of(job, self.requests[job.request]) for job in jobs]
            keys = [key_of(element, sampling, self.host) if self.memory is not None else "" for element in elements]
        except (MemoryError, cv2.error) as error:
            self.no_room(jobs, error)
            return
        kept = [self.memory.recall(key) if self.memory is not None else None for key in keys]
        kept = [found if found is not None and size_of(found) == canvas else None for found in kept]
        # In the order of the patches, whatever is kept: sums of floats depend on it.
        for fresh, numbers in itertools.groupby(range(len(jobs)), key=lambda number: kept[number] is None):
            members = list(numbers)
            if fresh:
                self.sample(
                    [jobs[i] for i in members], [elements[i] for i in members], [keys[i] for i in members], sampling
                )
                continue
            for number in members:
                self.outcomes[jobs[number].request].recalled += 1
                found = kept[number]
                if found is not None:
                    self.accept(jobs[number], elements[number], found)

    def sample(self, jobs: list[Job], elements: list[Element], keys: list[str], sampling: Sampling) -> None:
        canvas = jobs[0].patch.sampled
        self.watcher.begin([job.patch.label for job in jobs])
        watch = BatchProgress(self.watcher, canvas.megapixels * len(jobs))
        began = time.perf_counter()
        try:
            results = self.host.redraw(Batch(sampling, tuple(elements)), watch)
        except (Interrupted, Skipped):
            raise
        except NoRoomForModel:
            self.relieve_device()
            self.sample(jobs, elements, keys, sampling)
            return
        except (OutOfMemory, MemoryError) as error:
            self.make_room(jobs, canvas, sampling, error)
            return
        # Whatever an engine raises is the misfortune of these crops alone; the log has the traceback.
        except Exception as error:
            if not isinstance(error, HostError):
                logger.exception("The engine failed on a batch of %d.", len(jobs))
            if len(jobs) > 1:
                for job, element, key in zip(jobs, elements, keys):
                    self.sample([job], [element], [key], sampling)
            else:
                self.refuse(jobs[0], str(error) or type(error).__name__, engine=True)
            return
        seconds = (time.perf_counter() - began) / len(jobs)
        each = canvas.megapixels * self.host.sampled_steps(sampling)
        for request in {job.request for job in jobs}:
            mine = sum(job.request == request for job in jobs)
            self.outcomes[request].cost += Cost(mine, 1, mine * each, mine * seconds)
        for number, prompt in watch.prompts.items():
            self.outcomes[jobs[number].request].prompts[jobs[number].patch.label] = prompt
        for job, element, key, result in zip(jobs, elements, keys, results):
            if self.memory is not None and not broken(element.pixels, result):
                self.memory.keep(key, result)
            self.accept(job, element, result)

    def relieve_device(self) -> None:
        if self.relieve is not None:
            self.relieve()
        self.host.free_memory()

    def make_room(self, jobs: list[Job], canvas: Size, sampling: Sampling, error: Exception) -> None:
        self.relieve_device()
        self.budget.failed(canvas, len(jobs))
        self.degrade(jobs)
        if len(jobs) > 1:
            self.note(jobs, f"out of memory with {len(jobs)} crops of {canvas} at once: went on with fewer")
            for chunk in even_chunks(range(len(jobs)), self.budget.elements(canvas)):
                self.one_batch([jobs[i] for i in chunk], canvas, sampling)
            return
        self.one_smaller(jobs[0], sampling, str(error))

    def one_smaller(self, job: Job, sampling: Sampling, why: str) -> None:
        canvas = job.patch.canvas
        pieces = smaller(job.patch, self.host.capabilities)
        if not pieces:
            self.refuse(
                job, f"out of memory even at {canvas}, the smallest size that could be tried ({why})", engine=True
            )
            return
        self.degrade([job])
        self.note([job], f"out of memory at {canvas}: went on with {pieces[0].canvas}")
        # The pieces overlap: all are cut from the picture as it was before the first of them.
        try:
            source = job.source if self.requests[job.request].together else job.source.copy()
        except MemoryError as error:
            self.no_room([job], error)
            return
        for piece in pieces:
            self.one_batch([job.piece(piece, source)], piece.sampled, sampling)

    def no_room(self, jobs: list[Job], error: Exception) -> None:
        """Memory was short not in the engine, but for the pictures themselves. Raises any other error again."""
        if not ran_out(error):
            raise error
        if self.relieve is not None:
            self.relieve()
        for job in jobs:
            self.refuse(job, NO_MEMORY, engine=True)

    def accept(self, job: Job, element: Element, result: Pixels) -> None:
        try:
            self.blend(job, element, result)
        except (MemoryError, cv2.error) as error:
            self.no_room([job], error)

    def blend(self, job: Job, element: Element, result: Pixels) -> None:
        request, patch = self.requests[job.request], job.patch
        reason = broken(element.pixels, result)
        if reason:
            self.refuse(job, reason, engine=True)
            return
        result, sampled = turned(result, -patch.turn), turned(element.pixels, -patch.turn)
        if request.polish is not None:
            result = request.polish(patch, result)
        locked = locked_to(result, sampled, patch, request.colour_lock)
        before = look(job.source, patch.box)
        if patch.unscaled and request.gate is None and not self.restores(request, patch):
            self.mix_in(job, locked, before)
            return
        change = change_in(locked, None if request.prepare is not None else sampled, before, patch)
        weight, detail = patch.weight(), self.detail[job.request]
        kept, transferred = request.detail_transfer, Transferred()
        if kept is not None and self.restores(request, patch):
            where = None if kept.mask is None else np.asarray(look(kept.mask, patch.box))
            lost, transferred = lost_detail(before, before + change, kept.strength, kept.noise, where, weight)
            change += lost
            locked = before + change
        if detail is not None:
            tile = locked if patch.unscaled else before + change
        weigh(change, weight)
        if request.gate is not None:
            reason = self.judged(request.gate, job, before, change)
            if reason:
                self.refuse(job, reason)
                return
        self.outcomes[job.request].transferred += transferred
        if detail is not None:
            detail.add(tile, weight, patch.box)
        picture = self.outcomes[job.request].picture
        region = paste_region(size_of(picture), patch.box)
        if region is not None:
            picture[region[0]] += change[region[1]]
        self.was_redrawn(job)

    def restores(self, request: Request, patch: Patch) -> bool:
        kept = request.detail_transfer
        return kept is not None and patch.denoising_strength <= kept.most

    def mix_in(self, job: Job, locked: Pixels, before: Pixels) -> None:
        """What `blend` does where nobody looks at the change by itself."""
        weight, detail, box = job.patch.weight(), self.detail[job.request], job.patch.box
        if detail is not None:
            detail.add(locked, weight, box)
        mix_in(self.outcomes[job.request].picture, box, locked, before, weight)
        self.was_redrawn(job)

    def was_redrawn(self, job: Job) -> None:
        if (job.request, job.number) not in self.redrawn:
            self.redrawn.add((job.request, job.number))
            self.outcomes[job.request].redrawn.append(self.requests[job.request].patches[job.number].label)

    def end(self, index: int) -> None:
        """A request's last patch is through, or none of it will be any more."""
        if index in self.ended:
            return
        self.ended.add(index)
        self.restore_detail(index)
        if self.through is not None:
            self.through(index, self.outcomes)

    def restore_detail(self, index: int) -> None:
        outcome, detail = self.outcomes[index], self.detail[index]
        if detail is not None and outcome.accepted:
            boxes = [patch.box for patch in self.requests[index].patches]
            upright, lying = mixed_strips(boxes, size_of(outcome.picture))
            try:
                detail.restore(outcome.picture, upright, lying)
            except (MemoryError, cv2.error) as error:
                if not ran_out(error):
                    raise
                outcome.degraded = True
                outcome.notes.append("out of memory: detail was not restored where tiles are mixed")

    def judged(self, gate: Gate, job: Job, before: Pixels, change: Pixels) -> str:
        try:
            return gate(job.patch, before, before + change)
        # A gate that cannot judge must not cost the redraw.
        except Exception as error:
            logger.exception("The gate failed on %s.", job.patch.label)
            self.note([job], f"{job.patch.label} was not judged: {error}")
            return ""

    def refuse(self, job: Job, reason: str, engine: bool = False) -> None:
        self.outcomes[job.request].refusals.append(Refusal(job.patch.label, reason, engine))

    def degrade(self, jobs: list[Job]) -> None:
        for job in jobs:
            self.outcomes[job.request].degraded = True

    def note(self, jobs: list[Job], text: str) -> None:
        for request in {job.request for job in jobs}:
            self.outcomes[request].notes.append(text)

    def stop(self, why: str) -> None:
        for outcome, left in zip(self.outcomes, self.left):
            outcome.stopped = why if left else ""
