"""Detail: find faces (or anything a detector finds) and redraw each at the model's full resolution."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.hosts.port import HostError, Sampling
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.redraw.batches import rounds
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Outcome, Patch, Request
from lib_finisher.stages.detail_care import judging, polishing, preparing
from lib_finisher.stages.detail_choice import Finding
from lib_finisher.stages.detail_masks import shape_of
from lib_finisher.stages.detail_patches import Choice, choose
from lib_finisher.stages.detail_search import detectors_of, find_for, scores_of, search_of, where_of, without
from lib_finisher.stages.detail_settings import DetailPass, DetailSettings
from lib_finisher.stages.diffusion import estimated, sampling_of
from lib_finisher.stages.regions import Region
from lib_finisher.stages.stage import CHANGES, Base, Estimate, KeepsColours, Reads, Redraws, StageOutput, Tools, Work

__all__ = ["Detail", "DetailPass", "DetailSettings"]


class Detail(KeepsColours):
    """See the module."""

    name = "detail"
    label = "Detail"
    settings = DetailSettings
    borders = CHANGES
    maps = False

    def reads(self, settings: DetailSettings) -> Reads:
        """See `Stage.reads`."""
        looks = ((name, search_of(one)) for one in settings.passes for name in detectors_of(one))
        enlarged = any(one.enlarger for one in settings.passes)
        return Reads(samples=True, upscalers=enlarged, detectors=tuple(looks))

    def run(self, work: Work, settings: DetailSettings, tools: Tools) -> Redraws:
        """A request for each pass that finds something, on the picture as the pass before left it."""
        output = StageOutput(work.pixels)
        told: list[str] = []
        redrawn: list[Detection] = []
        regions: list[Region] = []
        accepted = found_in_all = 0
        failures: list[str] = []
        for number, one in enumerate(settings.passes, 1):
            if not one.active:
                continue
            try:
                found = find_for(one, output.pixels, tools.find)
                fresh = without(found, redrawn, one)
                where = where_of(one, number, settings.passes, output.pixels, work.base, tools.find)
                choice = choose(fresh, size_of(output.pixels), one, work.base, tools, where)
            # A detector or a checkpoint that is not there: what the other passes do stays.
            except (DetectorError, HostError) as error:
                failures.append(f"pass {number}: {error}")
                continue
            told += _told(one, found, fresh, choice)
            found_in_all += len(choice.findings)
            if not choice.patches:
                continue
            notes: list[str] = []
            sampling = _sampling(one, work.base)
            outcome = yield Request(
                picture=output.pixels,
                patches=choice.patches,
                sampling=sampling,
                noise_field=NoiseField(work.base.seed, f"{self.name}/{number}"),
                colour_lock=ColourLock("tile" if choice.framed else "ring", one.colour_lock),
                gate=judging(one, choice, tools.find),
                together=choice.together,
                prepare=preparing(one, tools, notes),
                polish=polishing(one, tools, notes),
            )
            output.take(outcome)
            output.notes += notes
            output.degraded = output.degraded or bool(notes)
            # Finished findings stay when the stage is stopped; half a layout of tiles does not.
            if outcome.accepted and not (outcome.stopped and choice.together):
                output.pixels = outcome.picture
                accepted += outcome.accepted
                done = _done(choice, outcome)
                redrawn += [item.detection for item in done]
                regions += [_region(item, one, sampling, settings.touch_up) for item in done]
            if outcome.stopped:
                break
        output.regions = tuple(regions)
        output.reason = "; ".join(failures + told + ([f"{accepted} redrawn"] if found_in_all else []))
        engine = sorted({item.reason for item in output.refusals if item.engine})
        if failures or (engine and not accepted and not output.stopped):
            output.status = "failed"
            output.reason += "".join(f"; {reason}" for reason in engine)
        elif not found_in_all:
            output.status = "skipped"
        return output

    def estimate(self, work: Work, size: Size, settings: DetailSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`. Looks for the findings in the picture as it is now, at its present size."""
        total, notes = Estimate(size), []
        factor = size.width / work.size.width
        redrawn: list[Detection] = []
        for number, one in enumerate(settings.passes, 1):
            if not one.active:
                continue
            try:
                found = find_for(one, work.pixels, tools.find)
                fresh = without(found, redrawn, one)
                where = where_of(one, number, settings.passes, work.pixels, work.base, tools.find)
                # Where a pass may draw is told for the picture as it is: at another size it only lowers the cost.
                scaled = [item.scaled(factor) for item in fresh]
                choice = choose(scaled, size, one, work.base, tools, where if factor == 1 else None)
            except (DetectorError, HostError) as error:
                notes.append(str(error))
                continue
            redrawn += [item for item in fresh if item.scaled(factor) in {one.detection for one in choice.redrawn}]
            notes += _told(one, found, fresh, choice)
            for patches in _grouped(choice):
                total = _sum(total, estimated(size, patches, _sampling(one, work.base), tools.host))
        return replace(total, notes=tuple(notes))


def _sampling(one: DetailPass, base: Base) -> Sampling:
    return replace(sampling_of(one, base), differential=one.differential)


def _done(choice: Choice, outcome: Outcome) -> list[Finding]:
    """The findings whose redraw was accepted: all or none of them where they share patches."""
    if choice.framed or choice.judged is not None:
        return list(choice.redrawn) if outcome.accepted else []
    return [item for item in choice.redrawn if item.label in outcome.redrawn]


def _region(item: Finding, one: DetailPass, sampling: Sampling, touch_up: float) -> Region:
    return Region(
        box=shape_of(item.detection, one).box,
        label=item.label,
        prompt=item.prompt,
        negative_prompt=item.negative_prompt,
        seed=item.seed,
        sampling=sampling,
        padding=one.padding,
        dilation=one.dilation,
        mask_blur=one.mask_blur,
        # A region does not know where its pass was not to draw.
        touch_up=0.0 if one.within or one.minus else touch_up,
    )


def _grouped(choice: Choice) -> list[list[Patch]]:
    """The patches that can share engine calls: those of one round and of one strength."""
    groups: list[list[Patch]] = []
    for numbers in rounds(choice.patches, choice.together):
        patches = [choice.patches[number] for number in numbers]
        strengths = dict.fromkeys(patch.denoising_strength for patch in patches)
        groups += [[patch for patch in patches if patch.denoising_strength == value] for value in strengths]
    return groups


def _sum(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(
        one.size,
        one.patches + other.patches,
        one.host_calls + other.host_calls,
        one.megapixel_steps + other.megapixel_steps,
    )


def _told(one: DetailPass, found: list[Detection], fresh: list[Detection], choice: Choice) -> list[str]:
    """What was found and what is left alone, in words."""
    detectors = " and ".join(detectors_of(one))
    findings = [item.detection for item in choice.findings]
    if not found:
        return [f"{detectors} found nothing"]
    again = len(found) - len(fresh)
    earlier = [f"{again} redrawn already by an earlier pass"] if again else []
    dropped = len(fresh) - len(findings)
    if not findings:
        return [f"{detectors} found {dropped}, filtered out", *earlier] if dropped else earlier
    kinds = sorted(Counter(item.label for item in findings).items())
    # A detector's labels are any words: no plural is made of them.
    counted = " and ".join(f"1 {label}" if number == 1 else f"{number} × {label}" for label, number in kinds)
    told = [f"{detectors} found {counted} ({scores_of(findings)})", *earlier]
    if dropped:
        told.append(f"{dropped} more filtered out")
    if choice.skipped:
        told.append(f"{choice.skipped} skipped by the prompt")
    if choice.large:
        told.append(f"{choice.large} large enough already, left alone")
    if choice.outside:
        told.append(f"{choice.outside} outside where this pass may draw")
    if choice.empty:
        told.append(f"{choice.empty} left alone: the mask is empty, its dilation shrank it to nothing")
    if choice.away:
        told.append(f"{choice.away} left alone: its offset moved the mask outside the picture")
    return told
