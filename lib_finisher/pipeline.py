"""Runs a recipe over one or many pictures, stage by stage: reuse of stored results, events, interruption.

Stage-major: a stage works on all pictures of a chunk before the next begins, so that a checkpoint is swapped twice a
chunk and patches of all its pictures share batches.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lib_finisher.controls import write
from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.search import Search
from lib_finisher.events import Control, Listener, Meter, StageFinished, StageStarted, ignore
from lib_finisher.hosts.port import Host, HostError, Interrupted, Skipped
from lib_finisher.imaging.arrays import Mask, Pixels, from_uint16, to_uint16
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.plan.plan import make_plan
from lib_finisher.plan.rates import Rates
from lib_finisher.recipe import Recipe
from lib_finisher.redraw.act import PatchMemory, redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.limit import fitted, limited, within
from lib_finisher.redraw.mark import marked
from lib_finisher.redraw.patch import Cost, Refusal, Request
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.base import RESTRICTS, TO_REPAIR
from lib_finisher.stages.detail_search import detectors_of, search_of
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.regions import region_from
from lib_finisher.stages.stage import Base, Finder, Redraws, Stage, StageOutput, Tools, Work
from lib_finisher.store.results import PatchStore, ResultStore, digest, digest_of_files

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageReport:
    """What one stage did to one picture. `status` is "ran", "skipped", "reused" or "failed".

    `prompts` are those that wildcards were expanded in, by what they were for.
    """

    stage: str
    label: str
    status: str
    reason: str
    seconds: float = 0.0
    cost: Cost = Cost()
    size: Size = Size(1, 1)
    notes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Finished:
    """A picture after its run. `error` is empty when every stage did its part.

    Where they are kept: `stages` holds the picture after each stage, `previews` the picture before detail or repair
    with what is redrawn marked.
    """

    pixels: Pixels
    reports: list[StageReport] = field(default_factory=list)
    stages: dict[str, Pixels] = field(default_factory=dict)
    previews: dict[str, Pixels] = field(default_factory=dict)
    interrupted_in: str = ""

    @property
    def error(self) -> str:
        """What went wrong, "" if nothing."""
        failed = [f"{item.label.lower()} failed: {item.reason}" for item in self.reports if item.status == "failed"]
        if self.interrupted_in:
            failed.append(f"interrupted in {self.interrupted_in}; the last complete stage was kept")
        return "; ".join(failed)


class _InHand:
    """One picture of the chunk, between and during stages."""

    def __init__(self, work: Work, mask_use: str) -> None:
        marked = work.mask is not None and bool((work.mask > 0).any())
        self.restricted = marked and mask_use == RESTRICTS
        mask = work.mask if self.restricted or mask_use == TO_REPAIR else None
        self.work = replace(work, pixels=from_uint16(to_uint16(work.pixels)), mask=mask)
        self.done = Finished(self.work.pixels)
        self.key = ""
        self.running: Redraws | None = None
        self.request: Request | None = None
        self.seconds = 0.0


def _checkpoints(settings: Any) -> bool:
    """Whether a stage that is on swaps the checkpoint."""
    return settings.enabled and any(one.checkpoint for one in getattr(settings, "passes", (settings,)))


def _by_name(name: str, search: Search) -> str:
    return f"{name}/{search.identity}"


class Pipeline:
    """A recipe and all it needs to run. One object may run many chunks; it keeps what it learns about the device.

    `identify` gives a text that changes when the detector of a name does, or the search; `free_detectors` gives back
    the memory that loaded ones hold. `patches` is where finished patches are kept for later runs; without it they are
    kept in the store, and only until their stage is complete. `rates` learns how fast the engine was.
    """

    def __init__(
        self,
        host: Host,
        find: Finder,
        recipe: Recipe,
        store: ResultStore | None = None,
        listener: Listener = ignore,
        control: Control | None = None,
        keep_stages: bool = False,
        budget: AreaBudget | None = None,
        identify: Callable[[str, Search], str] = _by_name,
        patches: PatchMemory | None = None,
        free_detectors: Callable[[], None] | None = None,
        rates: Rates | None = None,
    ) -> None:
        self._host = host
        self._find = find
        self._recipe = recipe
        self._store = store
        self._listener = listener
        self._control = control or Control()
        self._keep_stages = keep_stages
        self._identify = identify
        self._patches = patches
        self._free_detectors = free_detectors
        self._rates = rates
        self._budget = budget or AreaBudget(host.capabilities)
        self._code = _code_identity() if store is not None else ""

    def run(self, works: Sequence[Work]) -> list[Finished]:
        """Finish the pictures of a chunk; one result each, in order. A picture that fails does not touch the others."""
        meter = Meter(self._control, self._listener, lambda: sum(map(self._expected, works)))
        hands = [_InHand(work, self._recipe[BASE].mask) for work in works]
        for stage in STAGES:
            _Turn(self, stage, hands, meter).run()
        if self._rates is not None:
            self._learn(self._rates, [report.cost for hand in hands for report in hand.done.reports])
        for hand in hands:
            hand.done.pixels = hand.work.pixels
        return [hand.done for hand in hands]

    def _learn(self, rates: Rates, costs: Sequence[Cost]) -> None:
        """A run in which stages have checkpoints of their own tells nothing of a single one."""
        if not any(_checkpoints(self._recipe[stage.name]) for stage in STAGES if stage.diffuses):
            rates.record(self._host, "", sum(costs, Cost()))

    def _expected(self, work: Work) -> float:
        tools = Tools(self._host, self._find, Meter(self._control))
        try:
            return make_plan(work, self._recipe, tools).total.megapixel_steps
        # An estimate is only for the progress bar: whatever is wrong, the stage itself will say it better.
        except Exception:
            logger.debug("The cost cannot be estimated.", exc_info=True)
            return 0.0


class _Turn:
    """One stage's turn on the chunk."""

    def __init__(self, pipeline: Pipeline, stage: Stage, hands: Sequence[_InHand], meter: Meter) -> None:
        self.pipeline = pipeline
        self.stage = stage
        self.hands = hands
        self.meter = meter
        self.settings: Any = pipeline._recipe[stage.name]
        self.tools = Tools(pipeline._host, pipeline._find, meter)
        own = PatchStore(pipeline._store) if pipeline._store is not None and stage.diffuses else None
        self.unfinished = own if pipeline._patches is None else None
        self.memory: PatchMemory | None = pipeline._patches or self.unfinished

    def run(self) -> None:
        waiting = [hand for hand in self.hands if not self.settled_without_work(hand)]
        if waiting:
            self.pipeline._listener(StageStarted(self.stage.name, self.stage.label, len(waiting)))
        for hand in waiting:
            hand.running = self.stage.run(self.work_of(hand), self.settings, self.tools)
            self.advance(hand, None)
        self.redraw_requests(waiting)
        if self.unfinished is not None and not self.pipeline._control.interrupted:
            self.unfinished.clear()
        self.pipeline._control.stage_ends()

    def settled_without_work(self, hand: _InHand) -> bool:
        """Whether the stage is switched off, the run is interrupted, or its result is in the store."""
        hand.seconds = 0.0
        if not self.settings.enabled:
            self.report(hand, StageOutput(hand.work.pixels, "skipped", "switched off"))
            return True
        if self.pipeline._control.interrupted:
            hand.done.interrupted_in = hand.done.interrupted_in or self.stage.label.lower()
            self.report(hand, StageOutput(hand.work.pixels, "skipped", "the run was interrupted"))
            return True
        began = time.perf_counter()
        hand.key = self.key(hand.work, hand.restricted)
        found = self.pipeline._store.get(hand.key) if self.pipeline._store is not None else None
        hand.seconds = time.perf_counter() - began
        if found is None:
            return False
        array, note = found
        output = StageOutput(from_uint16(array), "reused", str(note.get("reason", "")))
        output.notes = [str(text) for text in note.get("notes", ())]
        output.refusals = [Refusal(**item) for item in note.get("refusals", ())]
        output.prompts = {str(label): str(text) for label, text in note.get("prompts", {}).items()}
        if "regions" in note:
            output.regions = tuple(region_from(item) for item in note["regions"])
        if note.get("mask") is not None and self.pipeline._store is not None:
            stored = self.pipeline._store.get(note["mask"])
            if stored is None:
                return False
            output.mask = np.asarray(stored[0], dtype=np.float32)
        self.settle(hand, output)
        return True

    def work_of(self, hand: _InHand) -> Work:
        """What the stage is given: a mask that restricts marks nothing for repair."""
        hidden = hand.restricted and self.stage.name == "repair"
        return replace(hand.work, mask=None) if hidden else hand.work

    def limit(self, hand: _InHand) -> Mask | None:
        """Where the stage may change the picture; None means everywhere. New borders are not for a mask to forbid."""
        return hand.work.mask if hand.restricted and self.stage.name != "extend" else None

    def redraw_requests(self, waiting: Sequence[_InHand]) -> None:
        """Run what the pictures ask for, all of them together, until none asks any more."""
        while asking := [hand for hand in waiting if hand.request is not None]:
            requests = [hand.request for hand in asking if hand.request is not None]
            began = time.perf_counter()
            outcomes = redraw(
                requests,
                self.pipeline._host,
                self.pipeline._budget,
                self.meter,
                self.memory,
                self.pipeline._free_detectors,
            )
            seconds = time.perf_counter() - began
            work = sum(outcome.cost.megapixel_steps for outcome in outcomes)
            for hand, request, outcome in zip(asking, requests, outcomes):
                limit = self.limit(hand)
                if limit is not None:
                    outcome.picture = within(request.picture, outcome.picture, limit)
                share = outcome.cost.megapixel_steps / work if work > 0 else 1.0 / len(outcomes)
                hand.seconds += seconds * share
                self.advance(hand, outcome)

    def advance(self, hand: _InHand, answer: Any) -> None:
        """Let the stage go on with one picture, to its next request or to its end."""
        assert hand.running is not None
        hand.request = None
        began = time.perf_counter()
        try:
            hand.request = hand.running.send(answer)
        except StopIteration as stop:
            hand.seconds += time.perf_counter() - began
            self.finish(hand, stop.value)
            return
        except Interrupted:
            self.finish(hand, StageOutput(hand.work.pixels, stopped="interrupted"))
            return
        except Skipped:
            self.finish(hand, StageOutput(hand.work.pixels, stopped="skipped"))
            return
        except (HostError, DetectorError, MemoryError) as error:
            self.finish(hand, StageOutput(hand.work.pixels, "failed", str(error) or "out of memory"))
            return
        # One picture's surprise must not end the run of the others; the log has the traceback.
        except Exception as error:
            logger.exception("The stage %s failed.", self.stage.name)
            self.finish(hand, StageOutput(hand.work.pixels, "failed", f"{type(error).__name__}: {error}"))
            return
        limit = self.limit(hand)
        if limit is not None and hand.request is not None:
            hand.request = limited(hand.request, limit)
        if self.pipeline._keep_stages and hand.request is not None and not hand.request.together:
            # Of several passes each marks the preview further.
            before = hand.done.previews.get(self.stage.name)
            hand.done.previews[self.stage.name] = marked(hand.request, before)
        hand.seconds += time.perf_counter() - began

    def finish(self, hand: _InHand, output: StageOutput) -> None:
        """Take over what the stage made, and store it when it is complete."""
        limit = self.limit(hand)
        if limit is not None and not self.stage.diffuses and output.status == "ran":
            output.pixels = within(hand.work.pixels, output.pixels, limit)
        if output.stopped == "interrupted":
            hand.done.interrupted_in = self.stage.label.lower()
            output.reason = output.reason or "stopped before it was complete"
            if output.status == "ran":
                output.status = "skipped" if output.pixels is hand.work.pixels else "ran"
        elif output.stopped == "skipped":
            output = replace_output(output, hand.work.pixels, "skipped", "skipped by the user")
        elif output.status == "ran" and not output.degraded and self.pipeline._store is not None:
            refusals = [asdict(item) for item in output.refusals]
            note: dict[str, Any] = {
                "reason": output.reason,
                "stage": self.stage.name,
                "notes": output.notes,
                "prompts": output.prompts,
                "refusals": refusals,
            }
            if output.regions is not None:
                note["regions"] = [region.as_json() for region in output.regions]
            if output.mask is not None:
                note["mask"] = digest(hand.key, "mask")
                self.pipeline._store.put(note["mask"], output.mask, {})
            self.pipeline._store.put(hand.key, to_uint16(output.pixels), note)
        self.settle(hand, output)

    def settle(self, hand: _InHand, output: StageOutput) -> None:
        """Report, and make the output the next stage's input."""
        if output.status in ("ran", "reused", "failed"):
            mask: Mask | None = hand.work.mask if output.mask is None else output.mask
            pixels = output.pixels if output.status == "reused" else from_uint16(to_uint16(output.pixels))
            mask = None if mask is None else fitted(mask, pixels)
            factor = size_of(pixels).width / hand.work.size.width
            inherited = hand.work.regions if factor == 1 else tuple(item.scaled(factor) for item in hand.work.regions)
            regions = inherited if output.regions is None else output.regions
            hand.work = replace(hand.work, pixels=pixels, mask=mask, regions=regions)
            if self.pipeline._keep_stages and output.status != "failed":
                hand.done.stages[self.stage.name] = pixels
        self.report(hand, output)

    def report(self, hand: _InHand, output: StageOutput) -> None:
        told = StageReport(
            stage=self.stage.name,
            label=self.stage.label,
            status=output.status,
            reason=output.reason,
            seconds=hand.seconds,
            cost=output.cost,
            size=size_of(hand.work.pixels),
            notes=tuple(output.notes),
            prompts=dict(output.prompts),
            refusals=tuple(f"{item.label}: {item.reason}" for item in output.refusals),
        )
        hand.done.reports.append(told)
        number = next(index for index, item in enumerate(self.hands) if item is hand)
        self.pipeline._listener(StageFinished(number, told.stage, told.status, told.reason, told.seconds))

    def key(self, work: Work, restricted: bool) -> str:
        """The hash of all that the stage's result depends on."""
        base = work.base if self.stage.diffuses else Base(seed=work.base.seed)
        enlarges = self.stage.name == "upscale"
        upscalers = [asdict(item) for item in self.pipeline._host.upscalers()] if enlarges else []
        told = {
            "stage": self.stage.name,
            "code": self.pipeline._code,
            "settings": write(self.settings),
            "engine": self.pipeline._host.identity if self.stage.diffuses else "",
            "base": asdict(base),
            "upscalers": upscalers,
            "touched up": [item.as_json() for item in work.regions if item.touch_up] if enlarges else [],
            "detectors": self.detectors(),
            "restricted": restricted,
        }
        mask = work.mask if self.stage.name in ("repair", "extend") or restricted else None
        return digest(told, to_uint16(work.pixels), *([] if mask is None else [mask]))

    def detectors(self) -> list[str]:
        """What changes when a detector of the stage does."""
        told = []
        for one in self.settings.passes if self.stage.name == "detail" else ():
            for name in detectors_of(one):
                try:
                    told.append(self.pipeline._identify(name, search_of(one)))
                except DetectorError:
                    # The stage itself will say that it is not there.
                    told.append("")
        return told


def _code_identity() -> str:
    """Changes with the code and the models that results are made by: no stored result outlives its recipe's meaning."""
    rooms = ("imaging", "redraw", "stages", "detect", "hosts")
    return digest(*(digest_of_files(Path(__file__).parent / room, ("*.py", "*.onnx")) for room in rooms))


def replace_output(output: StageOutput, pixels: Pixels, status: str, reason: str) -> StageOutput:
    """The output of a stage that is left out after all: what it cost is kept, what it drew is not."""
    return StageOutput(pixels, status, reason, cost=output.cost, notes=output.notes)
