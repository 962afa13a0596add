"""What becomes of patches that an engine has redrawn: judged, blended into their pictures, and what is said of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from lib_finisher.hosts.port import Element
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.detail_transfer import Transferred, lost_detail
from lib_finisher.imaging.geometry import look, paste_region, size_of
from lib_finisher.redraw.fine_detail import FineDetail
from lib_finisher.redraw.fitting import change_in, locked_to, mix_in, turned, weigh
from lib_finisher.redraw.gates import broken
from lib_finisher.redraw.job import Job
from lib_finisher.redraw.ladder import NO_MEMORY, ran_out
from lib_finisher.redraw.layout import mixed_strips
from lib_finisher.redraw.patch import Gate, Outcome, Patch, Refusal, Request

logger = logging.getLogger(__name__)


class Results:
    """The outcomes of requests, one each, into which redrawn patches go. `relieve` gives back memory that others than
    the engine hold."""

    def __init__(
        self, requests: Sequence[Request], outcomes: list[Outcome], relieve: Callable[[], None] | None
    ) -> None:
        self._requests = requests
        self.outcomes = outcomes
        self._relieve = relieve
        self._redrawn: set[tuple[int, int]] = set()
        self._detail = [
            FineDetail(*request.picture.shape[:2]) if request.together and len(request.patches) > 1 else None
            for request in requests
        ]

    def accept(self, job: Job, element: Element, result: Pixels) -> None:
        """Blend what the engine made of an element into its picture, or say why not."""
        try:
            self._blend(job, element, result)
        except (MemoryError, cv2.error) as error:
            self.no_room([job], error)

    def _blend(self, job: Job, element: Element, result: Pixels) -> None:
        request, patch = self._requests[job.request], job.patch
        reason = broken(element.pixels, result)
        if reason:
            self.refuse(job, reason, engine=True)
            return
        result, sampled = turned(result, -patch.turn), turned(element.pixels, -patch.turn)
        if request.polish is not None:
            result = request.polish(patch, result)
        locked = locked_to(result, sampled, patch, request.colour_lock)
        before = look(job.source, patch.box)
        if patch.unscaled and request.gate is None and not self._restores(request, patch):
            self._mix_in(job, locked, before)
            return
        change = change_in(locked, None if request.prepare is not None else sampled, before, patch)
        weight, detail = patch.weight(), self._detail[job.request]
        kept, transferred = request.detail_transfer, Transferred()
        if kept is not None and self._restores(request, patch):
            where = None if kept.mask is None else np.asarray(look(kept.mask, patch.box))
            lost, transferred = lost_detail(before, before + change, kept.strength, kept.noise, where, weight)
            change += lost
            locked = before + change
        if detail is not None:
            tile = locked if patch.unscaled else before + change
        weigh(change, weight)
        if request.gate is not None:
            reason = self._judged(request.gate, job, before, change)
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
        self._was_redrawn(job)

    def _restores(self, request: Request, patch: Patch) -> bool:
        kept = request.detail_transfer
        return kept is not None and patch.denoising_strength <= kept.most

    def _mix_in(self, job: Job, locked: Pixels, before: Pixels) -> None:
        """What `_blend` does where nobody looks at the change by itself."""
        weight, detail, box = job.patch.weight(), self._detail[job.request], job.patch.box
        if detail is not None:
            detail.add(locked, weight, box)
        mix_in(self.outcomes[job.request].picture, box, locked, before, weight)
        self._was_redrawn(job)

    def _was_redrawn(self, job: Job) -> None:
        if (job.request, job.number) not in self._redrawn:
            self._redrawn.add((job.request, job.number))
            self.outcomes[job.request].redrawn.append(self._requests[job.request].patches[job.number].label)

    def restore_detail(self, index: int) -> None:
        """Give tiles of a finished request the fine detail back that mixing took."""
        outcome, detail = self.outcomes[index], self._detail[index]
        if detail is not None and outcome.accepted:
            boxes = [patch.box for patch in self._requests[index].patches]
            upright, lying = mixed_strips(boxes, size_of(outcome.picture))
            try:
                detail.restore(outcome.picture, upright, lying)
            except (MemoryError, cv2.error) as error:
                if not ran_out(error):
                    raise
                outcome.degraded = True
                outcome.notes.append("out of memory: detail was not restored where tiles are mixed")

    def _judged(self, gate: Gate, job: Job, before: Pixels, change: Pixels) -> str:
        try:
            return gate(job.patch, before, before + change)
        # A gate that cannot judge must not cost the redraw.
        except Exception as error:
            logger.exception("The gate failed on %s.", job.patch.label)
            self.note([job], f"{job.patch.label} was not judged: {error}")
            return ""

    def no_room(self, jobs: list[Job], error: Exception) -> None:
        """Memory was short not in the engine, but for the pictures themselves. Raises any other error again."""
        if not ran_out(error):
            raise error
        if self._relieve is not None:
            self._relieve()
        for job in jobs:
            self.refuse(job, NO_MEMORY, engine=True)

    def refuse(self, job: Job, reason: str, engine: bool = False) -> None:
        """The old pixels stay; `engine` says that nothing else could be done, not that a gate judged so."""
        self.outcomes[job.request].refusals.append(Refusal(job.patch.label, reason, engine))

    def degrade(self, jobs: list[Job]) -> None:
        """Their pictures' results are other ones than with enough memory."""
        for job in jobs:
            self.outcomes[job.request].degraded = True

    def note(self, jobs: list[Job], text: str) -> None:
        """Say something once of each picture that the jobs belong to."""
        for request in {job.request for job in jobs}:
            self.outcomes[request].notes.append(text)
