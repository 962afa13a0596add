"""What becomes of a stage's output before it is the next stage's input: hue, measures, and why it is left out."""

from __future__ import annotations

from dataclasses import replace

from lib_finisher.imaging.arrays import Mask, Pixels, as_stored
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.one_hue import OneHue, one_hue_of
from lib_finisher.quality.measured import Quality, measured
from lib_finisher.quality.sampling import one_frame
from lib_finisher.recipe import Recipe
from lib_finisher.redraw.gates import broken
from lib_finisher.redraw.ladder import NO_MEMORY, ran_out
from lib_finisher.redraw.limit import fitted
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.stage import CHANGED, SATURATED, Stage, StageOutput, Work


def of_one_hue(
    before: Pixels, after: Pixels, stage: Stage, recipe: Recipe, known: OneHue | None
) -> tuple[Pixels, OneHue | None]:
    """What the stage made, without colours that a grey or one-hue picture did not have, unless they were asked for;
    and what is known of the hue of that. `known` is what is known of the hue before.

    `after` is the stage's own and nobody else's: it may be changed in place.

    Only grey is handed on: a toned picture's curve is measured anew on what each stage made, or it would not be that
    picture's to the last bit.
    """
    colours = stage.colours(recipe[stage.name])
    if colours == CHANGED or not recipe[BASE].one_hue:
        return after, None
    hue = one_hue_of(before, colours == SATURATED) if known is None else known
    if hue is None:
        return after, None
    return hue.kept(after, saturation=colours == SATURATED, own=True), hue if hue.grey else None


def with_measures(before: Pixels, output: StageOutput) -> tuple[StageOutput, Quality | None]:
    """The output and what the stage has gained and lost; the output of a failure where it is no picture."""
    after = output.pixels
    # What a crop leaves may well be black.
    reason = broken(before if one_frame(size_of(before), size_of(after)) else after, after, "the stage made")
    if reason:
        return replace(left_out(output, before, "failed", reason), degraded=True), None
    quality = measured(before, after)
    return output, None if quality is None else replace(quality, brought_back=output.transferred.share)


def next_work(work: Work, output: StageOutput) -> Work:
    """The next stage's input: pixels as they are stored, and mask, alpha and regions of their size."""
    mask: Mask | None = work.mask if output.mask is None else output.mask
    pixels = output.pixels
    if output.status != "reused" and pixels is not work.pixels:
        pixels = as_stored(pixels, own=True)
    mask = None if mask is None else fitted(mask, pixels)
    alpha = work.alpha if output.alpha is None else output.alpha
    alpha = None if alpha is None else fitted(alpha, pixels)
    factor = size_of(pixels).width / work.size.width
    inherited = work.regions if factor == 1 else tuple(region.scaled(factor) for region in work.regions)
    regions = inherited if output.regions is None else output.regions
    wrap = work.wrap if output.wrap is None else output.wrap
    return replace(work, pixels=pixels, mask=mask, regions=regions, alpha=alpha, wrap=wrap)


def left_out(output: StageOutput, pixels: Pixels, status: str, reason: str) -> StageOutput:
    """The output of a stage that is left out after all: what it cost is kept, what it drew is not."""
    return StageOutput(pixels, status, reason, cost=output.cost, notes=output.notes)


def reason_of(error: Exception) -> str:
    """What the user is told of an error that no stage expected."""
    return NO_MEMORY if ran_out(error) else f"{type(error).__name__}: {error}"
