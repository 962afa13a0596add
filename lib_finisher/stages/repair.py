"""Repair: regions the user has marked or a detector finds, each redrawn by itself at its own best size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.repeated import once_each
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.redraw.batches import rounds
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Patch, Request
from lib_finisher.stages.detail_search import detectors_of, scores_of
from lib_finisher.stages.diffusion import estimated, sampling_of
from lib_finisher.stages.repair_patches import filling, judging, patches_of
from lib_finisher.stages.repair_regions import (
    SPECK,
    found_beside,
    marked_in,
    numbered,
    reads_of,
    regions,
    searching,
)
from lib_finisher.stages.repair_settings import FILL, RepairSettings
from lib_finisher.stages.stage import CHANGES, Base, Estimate, KeepsColours, Reads, Redraws, StageOutput, Tools, Work

__all__ = ["Repair", "RepairSettings", "regions"]

_MOST_OF_THE_FRAME = 0.6


class Repair(KeepsColours):
    """See the module."""

    name = "repair"
    label = "Repair"
    settings = RepairSettings
    borders = CHANGES
    maps = False

    def reads(self, settings: RepairSettings) -> Reads:
        """See `Stage.reads`."""
        return reads_of(settings)

    def run(self, work: Work, settings: RepairSettings, tools: Tools) -> Redraws:
        """One request; each region is a patch, and what overlaps is redrawn one after the other."""
        output = StageOutput(work.pixels)
        seen = _look(work, settings, tools)
        if not seen.patches:
            output.status, output.reason = "failed" if seen.failure else "skipped", "; ".join(seen.told)
            return output
        output.notes += _warnings(work.mask)
        outcome = yield Request(
            picture=work.pixels,
            patches=seen.patches,
            sampling=sampling_of(settings, work.base),
            noise_field=NoiseField(work.base.seed, self.name),
            colour_lock=ColourLock("ring", settings.colour_lock),
            gate=judging(settings, tools.find),
            prepare=filling(settings),
            replaces=settings.content == FILL,
        )
        output.take(outcome)
        if outcome.accepted:
            output.pixels = outcome.picture
        output.reason = "; ".join([f"{outcome.accepted} of {len(seen.patches)} regions redrawn", *seen.told])
        if seen.failure:
            output.status = "failed"
        if not outcome.accepted and outcome.failures and not outcome.stopped:
            output.status = "failed"
            output.reason += ": " + "; ".join(sorted({item.reason for item in outcome.failures}))
        return output

    def estimate(self, work: Work, size: Size, settings: RepairSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`. Looks at the picture as it is now, at its present size."""
        seen, sampling = _look(work, settings, tools), sampling_of(settings, work.base)
        total = Estimate(size)
        for numbers in rounds(seen.patches, together=False):
            here = estimated(size, [seen.patches[number] for number in numbers], sampling, tools.host)
            total = Estimate(
                size,
                total.patches + here.patches,
                total.host_calls + here.host_calls,
                total.megapixel_steps + here.megapixel_steps,
            )
        return replace(total, notes=(*seen.told, *_warnings(work.mask)))


@dataclass(frozen=True, eq=False)
class _Seen:
    """What there is to repair, and what there is to say of it; `failure` is why the detectors could not look."""

    patches: tuple[Patch, ...]
    told: tuple[str, ...]
    failure: str


def _look(work: Work, settings: RepairSettings, tools: Tools) -> _Seen:
    marked, found, told, failure = marked_in(work.mask), [], [], ""
    if work.around is not None:
        # A mark that is cut off at the end of the margin is whole elsewhere, or both are drawn.
        marked = once_each(marked, work.around, same=1.0)
    detectors = " and ".join(detectors_of(searching(settings)))
    try:
        found = found_beside(marked, work.pixels, settings, tools.find)
        if detectors:
            counted = f"{len(found)} ({scores_of(found)})" if found else "nothing"
            told.append(f"{detectors} found {counted}" + (" beside the mask" if marked else ""))
    except DetectorError as error:
        failure = str(error)
        told.append(failure)
    if not marked and not detectors:
        nothing = "nothing is marked for repair and no detector is named"
        told.append(nothing if work.mask is None else f"no region of at least {SPECK} pixels is marked")
    named = numbered([*marked, *found], work.size, settings, work.base)
    if named.skipped:
        told.append(f"{named.skipped} skipped by the prompt")
    if settings.denoising_strength <= 0:
        return _Seen((), (*told, "the denoising strength is 0"), failure)
    return _Seen(tuple(patches_of(named.chosen, work.size, settings, tools)), tuple(told), failure)


def _warnings(mask: Mask | None) -> list[str]:
    share = 0.0 if mask is None else float(np.mean(mask > 0.5))
    return [f"the mask covers {share:.0%} of the frame: refine may be what you want"] * (share > _MOST_OF_THE_FRAME)


def _patches(base: Base, mask: Mask, settings: RepairSettings, tools: Tools) -> list[Patch]:
    """The patches of what is marked."""
    picture = size_of(mask)
    return patches_of(numbered(marked_in(mask), picture, settings, base).chosen, picture, settings, tools)
