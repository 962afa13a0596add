"""Detail: find faces (or anything a detector finds) and redraw each at the model's full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.batches import rounds
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Gate, Patch, Request
from lib_finisher.stages.detail_patches import Choice, choose
from lib_finisher.stages.detail_settings import DetailPass, DetailSettings
from lib_finisher.stages.diffusion import estimated, sampling_of
from lib_finisher.stages.stage import Estimate, Finder, Redraws, StageOutput, Tools, Work

__all__ = ["Detail", "DetailPass", "DetailSettings"]

_GATE_SIDE = 320
_SAME_PLACE = 0.3
_UNSURE = 0.05


class Detail:
    """See the module."""

    name = "detail"
    label = "Detail"
    settings = DetailSettings
    diffuses = True

    def run(self, work: Work, settings: DetailSettings, tools: Tools) -> Redraws:
        """A request for each pass that finds something, on the picture as the pass before left it."""
        output = StageOutput(work.pixels)
        told: list[str] = []
        redrawn = found_in_all = 0
        failures: list[str] = []
        for number, one in enumerate(settings.passes, 1):
            try:
                found = _find(one, output.pixels, tools.find)
            except DetectorError as error:
                failures.append(f"pass {number}: {error}")
                continue
            choice = choose(found, size_of(output.pixels), one, work.base, tools)
            told += _told(one.detector, len(found), choice)
            found_in_all += len(choice.findings)
            if not choice.patches:
                continue
            outcome = yield Request(
                picture=output.pixels,
                patches=choice.patches,
                sampling=sampling_of(one, work.base),
                noise_field=NoiseField(work.base.seed, f"{self.name}/{number}"),
                colour_lock=ColourLock("tile" if choice.framed else "ring", one.colour_lock),
                gate=_gate(one, choice, tools.find) if one.gate < 1 else None,
                together=choice.together,
            )
            output.take(outcome)
            # Finished findings stay when the stage is stopped; half a layout of tiles does not.
            if outcome.accepted and not (outcome.stopped and choice.together):
                output.pixels = outcome.picture
                redrawn += outcome.accepted
            if outcome.stopped:
                break
        output.reason = "; ".join(failures + told + ([f"{redrawn} redrawn"] if found_in_all else []))
        engine = sorted({item.reason for item in output.refusals if item.engine})
        if failures or (engine and not redrawn and not output.stopped):
            output.status = "failed"
            output.reason += "".join(f"; {reason}" for reason in engine)
        elif not found_in_all:
            output.status = "skipped"
        return output

    def estimate(self, work: Work, size: Size, settings: DetailSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`. Looks for the findings in the picture as it is now, at its present size."""
        total, notes = Estimate(size), []
        for one in settings.passes:
            try:
                found = _find(one, work.pixels, tools.find)
            except DetectorError as error:
                notes.append(str(error))
                continue
            factor = size.width / work.size.width
            grown = [item.scaled(factor) for item in found]
            choice = choose(grown, size, one, work.base, tools)
            notes += _told(one.detector, len(found), choice)
            for patches in _grouped(choice):
                total = _sum(total, estimated(size, patches, sampling_of(one, work.base), tools.host))
        return replace(total, notes=tuple(notes))


def _find(one: DetailPass, pixels: Pixels, find: Finder) -> list[Detection]:
    return find(one.detector, pixels, max(one.confidence, _UNSURE))


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


def _told(detector: str, found: int, choice: Choice) -> list[str]:
    """What was found and what is left alone, in words."""
    findings = [item.detection for item in choice.findings]
    if not found:
        return [f"{detector} found nothing"]
    dropped = found - len(findings)
    if not findings:
        return [f"{detector} found {dropped}, filtered out"]
    sure = ", ".join(f"{item.confidence:.2f}" for item in findings)
    kinds = {item.label for item in findings}
    told = [f"{detector} found {len(findings)} {'/'.join(sorted(kinds))} ({sure})"]
    if dropped:
        told.append(f"{dropped} more filtered out")
    if choice.skipped:
        told.append(f"{choice.skipped} skipped by the prompt")
    if choice.large:
        told.append(f"{choice.large} large enough already, left alone")
    return told


def _gate(one: DetailPass, choice: Choice, find: Finder) -> Gate:
    """Refuses a redraw in which the detector is less sure of what it found than before, by more than the margin."""

    def judge(patch: Patch, before: Pixels, after: Pixels) -> str:
        if patch.about is None:
            return ""
        regions = (patch.about,) if choice.judged is None else choice.judged
        places = [region.moved(-patch.box.left, -patch.box.top) for region in regions]
        for was, now in zip(*(_sureness(find, one.detector, crop, places) for crop in (before, after))):
            if was > 0 and now < was - one.gate:
                return f"the detector became less sure ({was:.2f} to {now:.2f}); the old pixels stay"
        return ""

    return judge


def _sureness(find: Finder, detector: str, crop: Pixels, regions: Sequence[Box]) -> list[float]:
    """The confidence of the finding at each region of a crop, 0 where there is none; small crops are enlarged first."""
    factor = max(1.0, _GATE_SIDE / min(crop.shape[:2]))
    enlarged = np.clip(resize(crop, size_of(crop).scaled(factor), "bilinear"), 0.0, 1.0)
    found = find(detector, enlarged, _UNSURE)
    return [
        max((item.confidence for item in found if item.box.overlap_ratio(place) >= _SAME_PLACE), default=0.0)
        for place in (region.scaled(factor) for region in regions)
    ]
