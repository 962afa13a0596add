"""Refine: the whole picture once more through img2img, gently."""

from __future__ import annotations

from dataclasses import replace

from lib_finisher.controls import controls_of
from lib_finisher.imaging.geometry import Size
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Patch, Request
from lib_finisher.stages.diffusion import (
    estimated,
    prompts_of,
    sampling_of,
)
from lib_finisher.stages.frame import Look, one_patch, tile_overlap, tiles, whole_frame_fits
from lib_finisher.stages.refine_settings import RefineSettings
from lib_finisher.stages.stage import FADED, Base, Estimate, KeepsColours, Reads, Redraws, StageOutput, Tools, Work
from lib_finisher.stages.swap import style_advice

# Around a family's default: 0.3 to 0.5 where that is 0.35.
_BELOW, _ABOVE = 0.05, 0.15


class Refine(KeepsColours):
    """See the module."""

    name = "refine"
    label = "Refine"
    settings = RefineSettings
    borders = FADED
    maps = False

    def reads(self, settings: RefineSettings) -> Reads:
        """See `Stage.reads`."""
        return Reads(samples=True)

    def run(self, work: Work, settings: RefineSettings, tools: Tools) -> Redraws:
        """One request: the frame, or tiles where the picture is too large for the model."""
        output = StageOutput(work.pixels)
        if settings.denoising_strength <= 0:
            output.status, output.reason = "skipped", "the denoising strength is 0"
            return output
        output.notes += style_advice(settings, work.base, tools.host)
        patches = _patches(work.base, work.size, settings, tools)
        outcome = yield Request(
            picture=work.pixels,
            patches=tuple(patches),
            sampling=sampling_of(settings, work.base),
            noise_field=NoiseField(work.base.seed, self.name),
            colour_lock=ColourLock("tile", settings.colour_lock),
            together=True,
        )
        output.take(outcome)
        output.notes += _outside_band(settings, tools)
        if outcome.stopped:
            output.reason = "stopped before it was complete; the picture is as it was before"
            return output
        if not outcome.accepted:
            output.status, output.reason = "failed", "; ".join(item.reason for item in outcome.refusals)
            return output
        output.pixels = outcome.picture
        output.reason = patches[0].label if len(patches) == 1 else f"{len(patches)} tiles"
        return output

    def estimate(self, work: Work, size: Size, settings: RefineSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        if settings.denoising_strength <= 0:
            return Estimate(size)
        patches = _patches(work.base, size, settings, tools)
        total = estimated(size, patches, sampling_of(settings, work.base), tools.host)
        return replace(total, notes=tuple(_outside_band(settings, tools)))


def band(family: str) -> tuple[float, float]:
    """The denoising strengths (least, most) that refine a picture under a model family: 0.3 to 0.5 for most."""
    default = next(row for row in controls_of(RefineSettings) if row.name == "denoising_strength").default_for(family)
    return round(default - _BELOW, 2), round(default + _ABOVE, 2)


def _outside_band(settings: RefineSettings, tools: Tools) -> list[str]:
    strength, (least, most) = settings.denoising_strength, band(tools.model(settings.checkpoint).family)
    if strength > most:
        return [f"denoising strength {strength:g} is above {most:g}: it changes the picture"]
    if strength < least:
        return [f"denoising strength {strength:g} is below {least:g}: it hardly changes anything"]
    return []


def _patches(base: Base, size: Size, settings: RefineSettings, tools: Tools) -> list[Patch]:
    prompt, negative = prompts_of(settings, base)
    look = Look(settings.denoising_strength, prompt, negative, base.seed)
    native = tools.model(settings.checkpoint).native_side
    if whole_frame_fits(size, native):
        return [one_patch(size, look, tools.host.capabilities)]
    return tiles(size, native, tile_overlap(native, settings.denoising_strength), look, tools.host.capabilities)
