"""One stage's turn on the pictures of a chunk: reuse of stored results, redraws together, interruption, reports."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np

from lib_finisher.assets import Assets
from lib_finisher.controls import write
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.repeated import once_each
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.events import Control, Listener, Meter, PictureStarted, StageFinished, StageStarted
from lib_finisher.finished import Finished, StageReport
from lib_finisher.hosts.port import Host, HostError, Interrupted, Skipped
from lib_finisher.imaging.arrays import Mask, Pixels, from_uint16, to_uint16
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.one_hue import one_hue_of
from lib_finisher.imaging.transparency import bled, transparent
from lib_finisher.imaging.wrap import Around, Wrap
from lib_finisher.notes import LeftOut
from lib_finisher.quality.measured import Quality, measured
from lib_finisher.quality.sampling import one_frame
from lib_finisher.recipe import Recipe
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.gates import broken
from lib_finisher.redraw.ladder import NO_MEMORY, AreaBudget, ran_out
from lib_finisher.redraw.limit import fitted, limited, within
from lib_finisher.redraw.mark import marked
from lib_finisher.redraw.patch import Outcome, Refusal, Request
from lib_finisher.redraw.watching import PatchMemory
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.base import RESTRICTS, TO_REPAIR, BaseSettings, wrap_of
from lib_finisher.stages.keep_detail import detectors_read, keeping_detail
from lib_finisher.stages.regions import moved, region_from
from lib_finisher.stages.stage import (
    CHANGED,
    CHANGES,
    FADED,
    MARGIN,
    OWN,
    SATURATED,
    Base,
    Finder,
    KeepDetail,
    Redraws,
    Stage,
    StageOutput,
    Tools,
    Work,
)
from lib_finisher.stages.texture import NAME as TEXTURE
from lib_finisher.store.results import PatchStore, ResultStore, digest

logger = logging.getLogger(__name__)

NOTHING_MARKED = "the mask marks nothing, and nothing else may change"
# What enlarges the canvas does so whatever a mask marks; it redraws nothing outside of it.
_ENLARGES = ("extend", "upscale")


@dataclass(frozen=True, eq=False)
class Means:
    """All that a run works with; see `pipeline.Pipeline`. `code` changes with the code that results are made by."""

    host: Host
    find: Finder
    recipe: Recipe
    store: ResultStore | None
    listener: Listener
    control: Control
    keep_stages: bool
    budget: AreaBudget
    identify: Callable[[str, Search], str]
    patches: PatchMemory | None
    free_detectors: Callable[[], None] | None
    code: str
    assets: Assets = Assets()

    def detectors(self, stage: Stage) -> list[str]:
        """What changes when a detector does that a stage's result depends on."""
        identities = []
        for name, search in detectors_read(stage.reads(self.recipe[stage.name]), self.recipe[TEXTURE].kept):
            try:
                identities.append(self.identify(name, search))
            except DetectorError:
                # The stage itself will say that it is not there.
                identities.append("")
        return identities


class InHand:
    """One picture of the chunk, between and during stages."""

    def __init__(self, work: Work, base: BaseSettings, number: int) -> None:
        self.number = number
        self.aside = False
        self.restricted = work.mask is not None and base.mask == RESTRICTS
        mask = work.mask if self.restricted or base.mask == TO_REPAIR else None
        pixels, alpha = from_uint16(to_uint16(work.pixels)), transparent(work.alpha)
        if alpha is not None:
            pixels = bled(pixels, alpha)
        draft = pixels if work.draft is None else work.draft
        self.work = replace(work, pixels=pixels, mask=mask, draft=draft, alpha=alpha)
        self.work = replace(self.work, wrap=wrap_of(base, work.base.tiling))
        self.around: Around | None = None
        self.done = Finished(self.work.pixels)
        self.key = ""
        self.running: Redraws | None = None
        self.request: Request | None = None
        self.doubtful = False
        self.quality: Quality | None = None
        self.seconds = 0.0
        self.outside = 0

    def without(self, stage: Stage) -> InHand:
        """The same picture, on which `stage` does not work: what it comes to beside this one shows what that does."""
        other = copy.copy(self)
        other.aside = True
        done = self.done
        left_out = StageReport(stage.name, stage.label, "skipped", "left out to compare", size=self.work.size)
        other.done = Finished(done.pixels, [*done.reports, left_out], dict(done.stages), dict(done.previews))
        return other


class Turn:
    """One stage's turn on the chunk."""

    def __init__(self, means: Means, stage: Stage, hands: Sequence[InHand], meter: Meter) -> None:
        self.means = means
        self.stage = stage
        self.hands = hands
        self.meter = meter
        self.settings: Any = means.recipe[stage.name]
        keep = means.recipe[TEXTURE].kept
        self.tools = Tools(means.host, means.find, meter, means.assets, meter.model_run, keep)
        self.reads = stage.reads(self.settings)
        own = PatchStore(means.store) if means.store is not None and self.reads.samples else None
        self.unfinished = own if means.patches is None else None
        self.memory: PatchMemory | None = means.patches or self.unfinished

    def run(self) -> None:
        """Work on all pictures; whatever becomes of one stands in its report."""
        waiting = [hand for hand in self.hands if not self.settled_without_work(hand)]
        if waiting:
            self.means.listener(StageStarted(self.stage.name, self.stage.label, len(waiting)))
        for hand in waiting:
            hand.outside = 0
            hand.running = self.stage.run(self.work_of(hand), self.settings, self.tools_for(hand))
            self.advance(hand, None)
        self.redraw_requests(waiting)
        if self.unfinished is not None and not self.means.control.interrupted:
            self.unfinished.clear()
        self.means.control.stage_ends()

    def settled_without_work(self, hand: InHand) -> bool:
        """Whether the stage is switched off, the run is interrupted, or its result is in the store."""
        hand.seconds = 0.0
        hand.doubtful, hand.quality = False, None
        if not self.settings.enabled:
            self.report(hand, StageOutput(hand.work.pixels, "skipped", "switched off"))
            return True
        if self.means.control.interrupted:
            hand.done.interrupted_in = hand.done.interrupted_in or self.stage.label.lower()
            self.report(hand, StageOutput(hand.work.pixels, "skipped", "the run was interrupted"))
            return True
        limit = self.limit(hand)
        if limit is not None and not (limit > 0).any() and self.stage.name not in _ENLARGES:
            self.report(hand, StageOutput(hand.work.pixels, "skipped", NOTHING_MARKED))
            return True
        began = time.perf_counter()
        hand.key = self.key(hand.work, hand.restricted)
        found = self.means.store.get(hand.key) if self.means.store is not None else None
        hand.seconds = time.perf_counter() - began
        if found is None:
            return False
        array, note = found
        output = StageOutput(from_uint16(array), "reused", str(note.get("reason", "")))
        lacking = set(map(str, note.get("left_out", ())))
        output.notes = [LeftOut(text) if text in lacking else text for text in map(str, note.get("notes", ()))]
        output.refusals = [Refusal(**item) for item in note.get("refusals", ())]
        output.prompts = {str(label): str(text) for label, text in note.get("prompts", {}).items()}
        if "wrap" in note:
            output.wrap = Wrap(*note["wrap"])
        if note.get("quality"):
            hand.quality = Quality(**note["quality"])
        if "regions" in note:
            output.regions = tuple(region_from(item) for item in note["regions"])
        if note.get("mask") is not None and self.means.store is not None:
            stored = self.means.store.get(note["mask"])
            if stored is None:
                return False
            output.mask = np.asarray(stored[0], dtype=np.float32)
        if note.get("alpha") is not None and self.means.store is not None:
            stored = self.means.store.get(note["alpha"])
            if stored is None:
                return False
            output.alpha = np.asarray(stored[0], dtype=np.float32)
        self.settle(hand, output)
        return True

    def work_of(self, hand: InHand) -> Work:
        """What the stage is given: a mask that restricts marks nothing for repair."""
        hidden = hand.restricted and self.stage.name == "repair"
        work, hand.around = replace(hand.work, mask=None) if hidden else hand.work, None
        if not work.wrap or self.stage.borders == OWN:
            return work
        around = hand.around = Around.of(work.size, work.wrap, MARGIN)
        return replace(
            work,
            pixels=around.carried_on(work.pixels),
            mask=None if work.mask is None else around.carried_on(work.mask),
            regions=tuple(moved(region, around.right, around.below) for region in work.regions),
            around=around,
        )

    def tools_for(self, hand: InHand) -> Tools:
        """The stage's tools. Of a picture that is carried on, a finding counts where it lies, not where it repeats."""
        around = hand.around
        if around is None or self.stage.borders != CHANGES:
            return self.tools

        def find(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
            found = self.tools.find(name, pixels, confidence, search)
            return once_each(found, around) if size_of(pixels) == around.whole else found

        return replace(self.tools, find=find)

    def limit(self, hand: InHand) -> Mask | None:
        """Where the stage may change the picture; None means everywhere. New borders are not for a mask to forbid."""
        if not hand.restricted or self.stage.name == "extend":
            return None
        moved = hand.request.limit if hand.request is not None else None
        return hand.work.mask if moved is None else moved

    def limit_of(self, hand: InHand, request: Request) -> Mask | None:
        """The same for a request, whose picture may be carried on beyond its borders."""
        limit = self.limit(hand)
        if limit is None or hand.around is None or request.limit is not None:
            return limit
        return hand.around.carried_on(limit)

    def redraw_requests(self, waiting: Sequence[InHand]) -> None:
        """Run what the pictures ask for, all of them together, until none asks any more."""
        while asking := [hand for hand in waiting if hand.request is not None]:
            requests = [hand.request for hand in asking if hand.request is not None]
            began = time.perf_counter()
            outcomes = self.outcomes(requests)
            seconds = time.perf_counter() - began
            work = sum(outcome.cost.megapixel_steps for outcome in outcomes if isinstance(outcome, Outcome))
            for hand, request, outcome in zip(asking, requests, outcomes):
                if isinstance(outcome, str):
                    self.finish(hand, StageOutput(hand.work.pixels, "failed", outcome))
                    continue
                share = outcome.cost.megapixel_steps / work if work > 0 else 1.0 / len(outcomes)
                hand.seconds += seconds * share
                limit = self.limit_of(hand, request)
                if limit is not None and not self.stage.maps:
                    try:
                        outcome.picture = within(request.picture, outcome.picture, limit)
                    except (MemoryError, cv2.error) as error:
                        self.finish(hand, StageOutput(hand.work.pixels, "failed", _why(error)))
                        continue
                self.advance(hand, outcome)

    def outcomes(self, requests: Sequence[Request]) -> list[Outcome | str]:
        """What becomes of each request, or why nothing does."""
        try:
            return [
                *redraw(
                    requests, self.means.host, self.means.budget, self.meter, self.memory, self.means.free_detectors
                )
            ]
        # One picture's surprise must not end the run of the others: what came of theirs is in the memory of patches.
        except Exception as error:
            if len(requests) > 1:
                return [self.outcomes([request])[0] for request in requests]
            if not ran_out(error):
                logger.exception("The redraw of the stage %s failed.", self.stage.name)
            return [_why(error)]

    def advance(self, hand: InHand, answer: Any) -> None:
        """Let the stage go on with one picture, to its next request or to its end."""
        assert hand.running is not None
        hand.request = None
        self.means.listener(PictureStarted(hand.number))
        began = time.perf_counter()
        try:
            hand.request = hand.running.send(answer)
            self.prepare(hand, hand.request)
            hand.seconds += time.perf_counter() - began
        except StopIteration as stop:
            hand.seconds += time.perf_counter() - began
            self.finish(hand, stop.value)
        except Interrupted:
            self.finish(hand, StageOutput(hand.work.pixels, stopped="interrupted"))
        except Skipped:
            self.finish(hand, StageOutput(hand.work.pixels, stopped="skipped"))
        except (HostError, DetectorError) as error:
            self.finish(hand, StageOutput(hand.work.pixels, "failed", str(error) or type(error).__name__))
        # One picture's surprise must not end the run of the others; the log has the traceback.
        except Exception as error:
            if not ran_out(error):
                logger.exception("The stage %s failed.", self.stage.name)
            self.finish(hand, StageOutput(hand.work.pixels, "failed", _why(error)))

    def prepare(self, hand: InHand, request: Request) -> None:
        """Hold a request to the user's mask, and mark what it redraws for whoever wants to see that."""
        if hand.around is not None:
            request = replace(request, noise_field=replace(request.noise_field, around=hand.around))
        request, doubtful = keeping_detail(request, self.tools)
        hand.doubtful = hand.doubtful or doubtful
        limit = self.limit_of(hand, request)
        if limit is not None:
            asked = len(request.patches)
            # What maps pixels too is held to the mask at its end; its soft edge must not count twice.
            request = limited(request, np.ceil(limit) if self.stage.maps else limit)
            if not request.together:
                hand.outside += asked - len(request.patches)
        if self.means.keep_stages and not request.together:
            # Of several passes each marks the preview further.
            before = hand.done.previews.get(self.stage.name)
            if hand.around is None:
                hand.done.previews[self.stage.name] = marked(request, before)
            else:
                before = None if before is None else hand.around.carried_on(before)
                hand.done.previews[self.stage.name] = hand.around.inner(marked(request, before))
        hand.request = request

    def finish(self, hand: InHand, output: StageOutput) -> None:
        """Take over what the stage made, and store it when it is complete."""
        hand.request = None
        try:
            self.take_over(hand, output)
        except (MemoryError, cv2.error) as error:
            if not ran_out(error):
                raise
            # The picture stays as it was before the stage, and the others go on.
            self.report(hand, StageOutput(hand.work.pixels, "failed", NO_MEMORY, cost=output.cost, notes=output.notes))

    def take_over(self, hand: InHand, output: StageOutput) -> None:
        """See `finish`. Raises MemoryError before it has changed anything in hand."""
        self.put_back(hand, output)
        output.degraded = output.degraded or hand.doubtful
        limit = self.limit(hand)
        if hand.outside:
            output.notes.append(f"{hand.outside} outside the mask, left as it was")
        if output.pixels is not hand.work.pixels:
            output.pixels = self.of_one_hue(hand.work.pixels, output.pixels)
        if limit is not None and self.stage.maps and output.status == "ran":
            output.pixels = within(hand.work.pixels, output.pixels, limit)
        if output.status == "ran":
            output = self.measured(hand, output)
        if output.stopped == "interrupted":
            hand.done.interrupted_in = self.stage.label.lower()
            output.reason = output.reason or "stopped before it was complete"
            if output.status == "ran":
                output.status = "skipped" if output.pixels is hand.work.pixels else "ran"
        elif output.stopped == "skipped":
            output = _left_out(output, hand.work.pixels, "skipped", "skipped by the user")
        elif output.status == "ran" and not output.degraded and self.means.store is not None:
            refusals = [asdict(item) for item in output.refusals]
            note: dict[str, Any] = {
                "reason": output.reason,
                "stage": self.stage.name,
                "notes": output.notes,
                "left_out": [text for text in output.notes if isinstance(text, LeftOut)],
                "prompts": output.prompts,
                "refusals": refusals,
                "quality": None if hand.quality is None else asdict(hand.quality),
            }
            if output.regions is not None:
                note["regions"] = [region.as_json() for region in output.regions]
            if output.wrap is not None:
                note["wrap"] = [output.wrap.across, output.wrap.down]
            if output.mask is not None:
                note["mask"] = digest(hand.key, "mask")
                self.means.store.put(note["mask"], output.mask, {})
            if output.alpha is not None:
                note["alpha"] = digest(hand.key, "alpha")
                self.means.store.put(note["alpha"], output.alpha, {})
            self.means.store.put(hand.key, to_uint16(output.pixels), note)
        self.settle(hand, output)

    def put_back(self, hand: InHand, output: StageOutput) -> None:
        """Make of a picture that was carried on beyond its borders one that goes on at its other side."""
        around = hand.around
        if around is None or size_of(output.pixels) != around.whole:
            return
        before = hand.work.pixels
        faded = self.stage.borders == FADED
        made = around.folded(output.pixels) if faded else around.changed(before, output.pixels)
        output.pixels = before if np.array_equal(made, before) else made
        if output.regions is not None:
            output.regions = tuple(moved(region, -around.right, -around.below) for region in output.regions)

    def of_one_hue(self, before: Pixels, after: Pixels) -> Pixels:
        """What the stage made, without colours that a grey or one-hue picture did not have, unless they were asked
        for."""
        colours = self.stage.colours(self.settings)
        hue = None if colours == CHANGED or not self.means.recipe[BASE].one_hue else one_hue_of(before)
        return after if hue is None else hue.kept(after, saturation=colours == SATURATED)

    def measured(self, hand: InHand, output: StageOutput) -> StageOutput:
        """Note what the stage has gained and lost; the output, or that of a failure where it is no picture."""
        before, after = hand.work.pixels, output.pixels
        if after is before:
            return output
        # What a crop leaves may well be black.
        reason = broken(before if one_frame(size_of(before), size_of(after)) else after, after, "the stage made")
        if reason:
            return replace(_left_out(output, before, "failed", reason), degraded=True)
        quality = measured(before, after)
        hand.quality = None if quality is None else replace(quality, brought_back=output.transferred.share)
        return output

    def settle(self, hand: InHand, output: StageOutput) -> None:
        """Report, and make the output the next stage's input."""
        if output.status in ("ran", "reused", "failed"):
            mask: Mask | None = hand.work.mask if output.mask is None else output.mask
            pixels = output.pixels if output.status == "reused" else from_uint16(to_uint16(output.pixels))
            mask = None if mask is None else fitted(mask, pixels)
            alpha = hand.work.alpha if output.alpha is None else output.alpha
            alpha = None if alpha is None else fitted(alpha, pixels)
            factor = size_of(pixels).width / hand.work.size.width
            inherited = hand.work.regions if factor == 1 else tuple(item.scaled(factor) for item in hand.work.regions)
            regions = inherited if output.regions is None else output.regions
            hand.work = replace(hand.work, pixels=pixels, mask=mask, regions=regions, alpha=alpha)
            if output.wrap is not None:
                hand.work = replace(hand.work, wrap=output.wrap)
            if self.means.keep_stages and output.status != "failed":
                hand.done.stages[self.stage.name] = pixels
        self.report(hand, output)

    def report(self, hand: InHand, output: StageOutput) -> None:
        """Note what became of the picture, and tell who listens."""
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
            quality=hand.quality,
        )
        hand.done.reports.append(told)
        if not hand.aside:
            self.means.listener(StageFinished(hand.number, told.stage, told.status, told.reason, told.seconds))

    def key(self, work: Work, restricted: bool) -> str:
        """The hash of all that the stage's result depends on."""
        reads = self.reads
        keep = self.tools.keep_detail if reads.keeps_detail else KeepDetail()
        told = {
            "stage": self.stage.name,
            "code": self.means.code,
            "settings": write(self.settings),
            "engine": self.means.host.identity if reads.samples else "",
            "base": asdict(work.base if reads.samples else Base(seed=work.base.seed)),
            "upscalers": [asdict(item) for item in self.means.host.upscalers()] if reads.upscalers else [],
            "regions": [item.as_json() for item in work.regions] if reads.regions else [],
            "detectors": self.means.detectors(self.stage),
            "assets": [self.means.assets.identity(kind, name) for kind, name in reads.assets],
            "restricted": restricted,
            "wrap": asdict(work.wrap),
            "one hue": self.means.recipe[BASE].one_hue,
            "keep_detail": asdict(keep) if keep.strength > 0 else None,
        }
        mask = work.mask if reads.mask or restricted else None
        draft = to_uint16(work.draft) if reads.draft and work.draft is not None else None
        # Only what moves the picture reads its transparency, but that is seldom there.
        arrays = {"mask": mask, "draft": draft, "alpha": work.alpha}
        told["arrays"] = [name for name, item in arrays.items() if item is not None]
        return digest(told, to_uint16(work.pixels), *(item for item in arrays.values() if item is not None))


def _why(error: Exception) -> str:
    """What the user is told of an error that no stage expected."""
    return NO_MEMORY if ran_out(error) else f"{type(error).__name__}: {error}"


def _left_out(output: StageOutput, pixels: Pixels, status: str, reason: str) -> StageOutput:
    """The output of a stage that is left out after all: what it cost is kept, what it drew is not."""
    return StageOutput(pixels, status, reason, cost=output.cost, notes=output.notes)
