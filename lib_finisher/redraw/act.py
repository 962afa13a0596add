"""The redraw act: every patch of every request, in rounds and batches, through the engine and back into its picture."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence

import cv2

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
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.redraw.batches import even_chunks, rounds
from lib_finisher.redraw.gates import broken
from lib_finisher.redraw.job import Job, element_of, key_of, model_by_model, sampling_of
from lib_finisher.redraw.ladder import AreaBudget, smaller
from lib_finisher.redraw.networks import misfits
from lib_finisher.redraw.patch import Cost, Outcome, Request
from lib_finisher.redraw.results import Results
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
        self.results = Results(requests, outcomes, relieve)

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
                self.results.no_room(jobs, error)
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
            self.results.no_room(jobs, error)
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
                    self.results.accept(jobs[number], elements[number], found)

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
                self.results.refuse(jobs[0], str(error) or type(error).__name__, engine=True)
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
            self.results.accept(job, element, result)

    def relieve_device(self) -> None:
        if self.relieve is not None:
            self.relieve()
        self.host.free_memory()

    def make_room(self, jobs: list[Job], canvas: Size, sampling: Sampling, error: Exception) -> None:
        self.relieve_device()
        self.budget.failed(canvas, len(jobs))
        self.results.degrade(jobs)
        if len(jobs) > 1:
            self.results.note(jobs, f"out of memory with {len(jobs)} crops of {canvas} at once: went on with fewer")
            for chunk in even_chunks(range(len(jobs)), self.budget.elements(canvas)):
                self.one_batch([jobs[i] for i in chunk], canvas, sampling)
            return
        self.one_smaller(jobs[0], sampling, str(error))

    def one_smaller(self, job: Job, sampling: Sampling, why: str) -> None:
        canvas = job.patch.canvas
        pieces = smaller(job.patch, self.host.capabilities)
        if not pieces:
            self.results.refuse(
                job, f"out of memory even at {canvas}, the smallest size that could be tried ({why})", engine=True
            )
            return
        self.results.degrade([job])
        self.results.note([job], f"out of memory at {canvas}: went on with {pieces[0].canvas}")
        # The pieces overlap: all are cut from the picture as it was before the first of them.
        try:
            source = job.source if self.requests[job.request].together else job.source.copy()
        except MemoryError as error:
            self.results.no_room([job], error)
            return
        for piece in pieces:
            self.one_batch([job.piece(piece, source)], piece.sampled, sampling)

    def end(self, index: int) -> None:
        """A request's last patch is through, or none of it will be any more."""
        if index in self.ended:
            return
        self.ended.add(index)
        self.results.restore_detail(index)
        if self.through is not None:
            self.through(index, self.outcomes)

    def stop(self, why: str) -> None:
        for outcome, left in zip(self.outcomes, self.left):
            outcome.stopped = why if left else ""
