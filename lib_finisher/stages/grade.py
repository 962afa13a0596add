"""Grade: colour, light and contrast, and grain as the very last thing that happens to a picture."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from lib_finisher.assets import LUT, REFERENCE, AssetError
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.cube import LutError
from lib_finisher.imaging.curves import CurveError, Curves, read_curves
from lib_finisher.imaging.files import PictureError, load_picture
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.hald import read_lut
from lib_finisher.imaging.lut import LutChain
from lib_finisher.notes import LeftOut
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import Patch, Request
from lib_finisher.stages.cover import covering, mend, told_of
from lib_finisher.stages.diffusion import estimated, sampling_of
from lib_finisher.stages.diffusion_settings import Diffusion
from lib_finisher.stages.frame import Look
from lib_finisher.stages.grade_settings import GradeSettings
from lib_finisher.stages.grade_strips import Extras, Grading
from lib_finisher.stages.stage import (
    CHANGED,
    FADED,
    KEPT,
    SATURATED,
    Base,
    Estimate,
    Reads,
    Redraws,
    StageOutput,
    Tools,
    Work,
)


class Grade:
    """See the module."""

    name = "grade"
    label = "Grade"
    settings = GradeSettings
    borders = FADED
    maps = True

    def reads(self, settings: GradeSettings) -> Reads:
        """See `Stage.reads`."""
        matches = settings.colour_match > 0
        named = [(LUT, settings.lut.strip())] if settings.lut_strength > 0 else []
        named += [(REFERENCE, settings.match_reference.strip())] if matches else []
        return Reads(
            samples=settings.colour_pass > 0,
            draft=matches and not settings.match_reference.strip(),
            assets=tuple((kind, name) for kind, name in named if name),
        )

    def colours(self, settings: GradeSettings) -> str:
        """See `Stage.colours`: what tints was asked for."""
        one = settings
        lut, curves = one.lut.strip() and one.lut_strength > 0, re.search("[rgb] *:", one.curves.lower())
        tints = (one.white_balance, one.colour_pass, one.colour_match, one.grain_colour)
        if lut or curves or any(value > 0 for value in tints):
            return CHANGED
        return SATURATED if one.saturation or one.vibrance else KEPT

    def run(self, work: Work, settings: GradeSettings, tools: Tools) -> Redraws:
        """The colour pass, if any, then everything else in one go; each control at 0 changes no bit."""
        output = StageOutput(work.pixels)
        told: list[str] = []
        if settings.colour_pass > 0:
            yield from self._redrawn(work, settings, output, told, tools)
            if output.stopped or output.status == "failed":
                output.reason = "; ".join(told)
                return output
        grading = Grading(output.pixels, settings, _extras(work, settings, output, tools), work.base.seed, work.around)
        if settings.white_balance > 0 and not grading.balanced:
            output.notes.append("white balance: too little of the picture tells of the light, so it was left as it is")
        if not grading.idle:
            output.pixels, clipping = grading.apply()
            told.append(clipping.told())
        output.reason = "; ".join(told)
        if output.pixels is work.pixels:
            output.status, output.reason = "skipped", "everything is at 0" if not output.notes else "nothing to do"
        return output

    def _redrawn(
        self, work: Work, settings: GradeSettings, output: StageOutput, told: list[str], tools: Tools
    ) -> Generator[Request, Any, None]:
        """The colour pass: the whole picture once, at a low strength, its colours left to the model."""
        patches, why = _patches(work.base, work.size, settings, tools)
        outcome = yield Request(
            picture=work.pixels,
            patches=tuple(patches),
            sampling=sampling_of(Diffusion(denoising_strength=settings.colour_pass), work.base),
            noise_field=NoiseField(work.base.seed, self.name),
            together=True,
        )
        output.take(outcome)
        if outcome.stopped:
            told.append("stopped before the colour pass was complete; the picture is as it was before")
        elif not outcome.accepted:
            output.status = "failed"
            told.append("; ".join(sorted({item.reason for item in outcome.refusals})))
        else:
            mends = mend(work.pixels, outcome, patches)
            output.pixels = outcome.picture
            told.append(f"colour pass, {told_of(outcome, patches, patches)}{why}{mends}")

    def estimate(self, work: Work, size: Size, settings: GradeSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        if settings.colour_pass <= 0:
            return Estimate(size)
        patches, _ = _patches(work.base, size, settings, tools)
        sampling = sampling_of(Diffusion(denoising_strength=settings.colour_pass), work.base)
        return estimated(size, patches, sampling, tools.host)


def _patches(base: Base, size: Size, settings: GradeSettings, tools: Tools) -> tuple[list[Patch], str]:
    words = settings.colour_words.strip()
    prompt = ", ".join(text for text in (base.prompt, words) if text)
    look = Look(settings.colour_pass, prompt, base.negative_prompt, base.seed)
    return covering(size, look, tools.model().native_side, tools.host.capabilities)


def _extras(work: Work, settings: GradeSettings, output: StageOutput, tools: Tools) -> Extras:
    """What the settings name; what cannot be used is left out with a note."""
    curves = Curves()
    try:
        curves = read_curves(settings.curves)
    except CurveError as error:
        output.notes.append(LeftOut(f"{error} The curves were left out."))
    return Extras(curves, _lut(settings, output, tools), _wanted(work, settings, output, tools))


def _lut(settings: GradeSettings, output: StageOutput, tools: Tools) -> LutChain | None:
    if not settings.lut.strip() or settings.lut_strength <= 0:
        return None
    try:
        file = read_lut(tools.assets.find(LUT, settings.lut))
    except (AssetError, LutError) as error:
        _left_out(output, str(error), "the LUT was left out")
        return None
    output.notes += file.notes
    return LutChain.of(file)


def _wanted(work: Work, settings: GradeSettings, output: StageOutput, tools: Tools) -> Pixels | None:
    if settings.colour_match <= 0:
        return None
    if not settings.match_reference.strip():
        return work.draft
    try:
        path = tools.assets.find(REFERENCE, settings.match_reference)
    except AssetError as error:
        _left_out(output, str(error), "the colours were not matched")
        return None
    try:
        return load_picture(path).pixels
    except PictureError as error:
        # Notes stand in the picture's infotext, which is no place for a path.
        _left_out(output, str(error).replace(str(path), path.name), "the colours were not matched")
        return None


def _left_out(output: StageOutput, why: str, what: str) -> None:
    output.notes.append(LeftOut(f"{why}{'' if why.endswith('.') else '.'} {what[0].upper()}{what[1:]}."))
    output.degraded = True
