"""Upscale: enlarge with an upscaler model, then redraw the enlarged picture in tiles that share one noise field."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np

from lib_finisher.hosts.port import HostError, UpscalerFacts
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Size, cut, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.transparency import enlarged_by, transparent
from lib_finisher.imaging.wrap import Around, Wrap, margins_for, without
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Outcome, Patch, Request
from lib_finisher.stages.cover import covering, mend, told_of
from lib_finisher.stages.diffusion import estimated, prompts_of, sampling_of
from lib_finisher.stages.flat import told_of_flat, without_flat
from lib_finisher.stages.frame import Look
from lib_finisher.stages.keep_detail import restored_detail
from lib_finisher.stages.latent import latent_request
from lib_finisher.stages.regions import Region, moved
from lib_finisher.stages.stage import (
    MARGIN,
    OWN,
    Base,
    Estimate,
    KeepsColours,
    Reads,
    Redraws,
    StageOutput,
    Tools,
    Work,
)
from lib_finisher.stages.tile_prompts import by_findings
from lib_finisher.stages.touch_up import touch_ups
from lib_finisher.stages.upscale_model import choose_upscaler, enlarge, model_work
from lib_finisher.stages.upscale_settings import AUTO, HIRES, UpscalePass, UpscaleSettings
from lib_finisher.stages.upscale_targets import Target, targets_of
from lib_finisher.stages.upscaler_choices import LANCZOS

# How far a picture that goes on at its other side is carried on at least for the upscaler model, in its own pixels.
_CONTEXT = 32


class Upscale(KeepsColours):
    """See the module."""

    name = "upscale"
    label = "Upscale"
    settings = UpscaleSettings
    borders = OWN
    maps = False

    def reads(self, settings: UpscaleSettings) -> Reads:
        """See `Stage.reads`."""
        return Reads(samples=True, upscalers=True, regions=True)

    def run(self, work: Work, settings: UpscaleSettings, tools: Tools) -> Redraws:
        """Each pass: the upscaler model, then one request. A stopped pass leaves the picture as it was before it."""
        output = StageOutput(work.pixels)
        told = []
        done: list[Target] = []
        alpha, wrap = work.alpha, work.wrap
        targets = targets_of(work.size, settings.passes)
        for number, (one, target) in enumerate(zip(settings.passes, targets), 1):
            latent = one.redraws and one.upscaler in tools.host.capabilities.latent_upscalers
            around, source = _carried_on(output.pixels, target, wrap)
            whole, upscaler = target.enlarged if around is None else around.whole, LANCZOS if latent else one.upscaler
            enlarged, how, degraded, by_model = enlarge(
                source, whole, upscaler, one.upscaler_blend, tools, output.notes, one.fidelity
            )
            output.degraded = output.degraded or degraded
            if by_model:
                transferred, doubtful = restored_detail(enlarged, source, tools)
                output.transferred += transferred
                output.degraded = output.degraded or doubtful
            framed = None if alpha is None else _alpha(alpha, target, one, latent, wrap, tools)
            if around is not None and target.reframes:
                # What is cut off or added is not to be found at the other side any more.
                enlarged, around, source, wrap = around.inner(enlarged), None, output.pixels, Wrap()
            noise = NoiseField(work.base.seed, f"{self.name}/{number}", around)
            limit = _moved_mask(work, done) if around is None else _limit_around(work, target.enlarged, around)
            if _cut_first(target, work) and not latent:
                enlarged = cut(enlarged, target.box)
            if latent:
                request = latent_request(
                    source, enlarged, one.upscaler, _look(work.base, one), sampling_of(one, work.base),
                    noise, tools.host.capabilities,
                )  # fmt: skip
                outcome = yield replace(request, limit=limit)
                output.take(outcome)
                if outcome.stopped:
                    told.append("stopped before the whole frame was redrawn")
                    break
                enlarged, how = outcome.picture, f"{one.upscaler}, whole frame"
                if outcome.refusals and not outcome.accepted:
                    output.status = "failed"
                    how += ": " + "; ".join(sorted({item.reason for item in outcome.refusals}))
            elif one.redraws:
                try:
                    layout, why = _patches(work.base, size_of(enlarged), one, tools)
                except HostError as error:
                    # A checkpoint that is not there: what the passes before have made stays.
                    output.status = "failed"
                    told.append(f"pass {number}: {error}")
                    break
                if one.by_findings and len(layout) > 1:
                    layout = by_findings(layout, _before(work, done, target, enlarged, around), _empty(one, work.base))
                patches, flat = without_flat(layout, enlarged) if one.skip_flat else (layout, [])
                outcome = yield Request(
                    picture=enlarged,
                    patches=tuple(patches),
                    sampling=sampling_of(one, work.base),
                    noise_field=noise,
                    colour_lock=ColourLock("tile", one.colour_lock),
                    together=True,
                    limit=limit,
                )
                output.take(outcome)
                if outcome.stopped:
                    told.append(f"stopped after {outcome.accepted} of {len(patches)} tiles, which are not used")
                    break
                mends = mend(enlarged, outcome, layout)
                enlarged = outcome.picture
                how += f", {told_of(outcome, patches, layout)}{why}{mends}{told_of_flat(patches, flat)}"
                if outcome.refusals and not outcome.accepted:
                    output.status = "failed"
                    how += ": " + "; ".join(sorted({item.reason for item in outcome.refusals}))
            if around is not None:
                enlarged = around.folded(enlarged)
            if size_of(enlarged) != target.size:
                enlarged = cut(enlarged, target.box)
            told.append(f"{size_of(output.pixels)} to {target.size} by {how}{_reframed(target)}")
            output.pixels = enlarged
            output.alpha = alpha = framed
            done.append(target)
        regions = _regions(work, done)
        if not output.stopped and output.status == "ran":
            yield from self._touched_up(work, regions, output, _moved_mask(work, done), wrap, told, tools)
        if any(target.reframes for target in done):
            output.regions = tuple(regions)
            output.mask = _moved_mask(work, done)
            output.wrap = Wrap()
        output.reason = "; ".join(told)
        return output

    def _touched_up(
        self, work: Work, regions: Sequence[Region], output: StageOutput, limit: Mask | None, wrap: Wrap,
        told: list[str], tools: Tools,
    ) -> Generator[Request, Outcome, None]:  # fmt: skip
        size = size_of(output.pixels)
        around = Around.of(size, wrap, round(MARGIN * size.width / work.size.width)) if wrap else None
        if around is not None:
            regions = [moved(region, around.right, around.below) for region in regions]
            limit = _limit_around(work, size, around)
        groups = touch_ups(regions, size if around is None else around.whole, tools)
        count = 0
        for number, (sampling, patches) in enumerate(groups, 1):
            before = output.pixels
            outcome = yield Request(
                picture=before if around is None else around.carried_on(before),
                patches=patches,
                sampling=sampling,
                noise_field=NoiseField(work.base.seed, f"touch-up/{number}", around),
                colour_lock=ColourLock("ring"),
                limit=limit,
            )
            output.take(outcome)
            output.pixels = outcome.picture if around is None else around.changed(before, outcome.picture)
            count += outcome.accepted
            if outcome.stopped:
                break
        if count:
            told.append(f"{count} touched up")

    def estimate(self, work: Work, size: Size, settings: UpscaleSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        total = Estimate(size)
        there, wrap = tools.host.upscalers(), work.wrap
        # The transparency is enlarged as the picture is, by the same model.
        runs = 1 if transparent(work.alpha) is None else 2
        for one, target in zip(settings.passes, targets_of(size, settings.passes)):
            latent = one.upscaler in tools.host.capabilities.latent_upscalers
            redrawn = target.size if _cut_first(target, work) and not latent else target.enlarged
            small, large = _margins(target.before, target, wrap)
            if wrap and not target.reframes:
                redrawn = large.whole
            patches = _patches(work.base, redrawn, one, tools)[0] if one.redraws else []
            part = estimated(target.size, patches, sampling_of(one, work.base), tools.host)
            total = Estimate(
                target.size,
                total.patches + part.patches,
                total.host_calls + part.host_calls,
                total.megapixel_steps + part.megapixel_steps,
                models=(*total.models, *(() if latent else runs * _models(small.whole, large.whole, one, there))),
            )
            wrap = Wrap() if target.reframes else wrap
        return total


def _margins(before: Size, target: Target, wrap: Wrap) -> tuple[Around, Around]:
    """How far a picture of `before` is carried on for the model, and the enlarged one that comes of it."""
    small, large = margins_for(before, target.enlarged, _CONTEXT, MARGIN)
    return without(small, wrap), without(large, wrap)


def _carried_on(pixels: Pixels, target: Target, wrap: Wrap) -> tuple[Around | None, Pixels]:
    """The margins that the enlarged picture will have where it goes on at its other side; and what to enlarge."""
    if not wrap:
        return None, pixels
    small, large = _margins(size_of(pixels), target, wrap)
    return large, small.carried_on(pixels)


def _limit_around(work: Work, size: Size, around: Around) -> Mask | None:
    if work.mask is None:
        return None
    return around.carried_on(np.clip(resize(work.mask, size, "bilinear"), 0.0, 1.0))


def _alpha(alpha: Mask, target: Target, one: UpscalePass, latent: bool, wrap: Wrap, tools: Tools) -> Mask:
    """The transparency after a pass, enlarged as the picture is."""
    around, three = _carried_on(np.repeat(alpha[..., None], 3, axis=-1), target, wrap)
    size = target.enlarged if around is None else around.whole
    made = enlarge(three, size, LANCZOS if latent else one.upscaler, one.upscaler_blend, tools, []).pixels
    made = made if around is None else around.inner(made)
    whole = enlarged_by(made, alpha)
    return cut(whole, target.box) if target.reframes else whole


def _models(size: Size, enlarged: Size, one: UpscalePass, there: Sequence[UpscalerFacts]) -> list[tuple[str, float]]:
    """The model of a pass on a picture of that size, with the megapixels that it is given."""
    work = model_work(size, enlarged, one.upscaler, one.upscaler_blend, there)
    model = choose_upscaler(one.upscaler, there, [])
    return [(model.name, work)] if model is not None and work else []


def _cut_first(target: Target, work: Work) -> bool:
    """Whether what falls away is cut off before the redraw: not where a mask of the whole frame may limit that."""
    return target.cuts and work.mask is None


def _look(base: Base, one: UpscalePass) -> Look:
    prompt, negative = prompts_of(one, base)
    return Look(one.denoising_strength, prompt, negative, base.seed)


def _patches(base: Base, size: Size, one: UpscalePass, tools: Tools) -> tuple[list[Patch], str]:
    """The patches for a picture of `size`, and in words why there are tiles or not, where that was left open."""
    look = _look(base, one)
    native = tools.model(one.checkpoint).native_side
    capabilities = tools.host.capabilities
    whole = None if one.method == AUTO and not one.tiles_by_hand else one.method == HIRES
    if one.upscaler in capabilities.latent_upscalers:
        whole = True
    return covering(
        size, look, native, capabilities,
        whole=whole, tile=one.tile, overlap=one.overlap, columns=one.columns, rows=one.rows,
    )  # fmt: skip


def _reframed(target: Target) -> str:
    if not target.reframes:
        return ""
    return f", cropped from {target.enlarged}" if target.cuts else f", padded from {target.enlarged}"


def _regions(work: Work, targets: Sequence[Target]) -> list[Region]:
    """What detail has redrawn, where it lies after those passes."""
    regions = list(work.regions)
    for target in targets:
        regions = [placed for region in regions if (placed := target.region(region)) is not None]
    return regions


def _before(
    work: Work, done: Sequence[Target], target: Target, enlarged: Pixels, around: Around | None
) -> list[Region]:
    """Where the regions lie in the enlarged picture, before the target's frame is cut or padded."""
    regions = _regions(work, done)
    factor = target.enlarged.width / target.before.width
    if around is not None:
        return [moved(region.scaled(factor), around.right, around.below) for region in regions]
    if size_of(enlarged) == target.size:
        return [placed for region in regions if (placed := target.region(region)) is not None]
    width = done[-1].size.width if done else work.size.width
    return [region.scaled(target.enlarged.width / width) for region in regions]


def _empty(one: UpscalePass, base: Base) -> str:
    """The prompt for tiles without findings, with the base's networks and styles as any prompt of a stage's own."""
    return prompts_of(replace(one, prompt=one.empty_prompt), base)[0] if one.empty_prompt else ""


def _moved_mask(work: Work, done: Sequence[Target]) -> Mask | None:
    """The user's mask where those passes have taken it; None where there is none, or it only has to be stretched."""
    mask = work.mask
    if not any(target.reframes for target in done):
        return None
    for target in done:
        mask = None if mask is None else target.mask(mask)
    return mask
