"""Upscale: enlarge with an upscaler model, then redraw the enlarged picture in tiles that share one noise field."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib_finisher.controls import SettingsError, control, passes
from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Outcome, Patch, Request
from lib_finisher.stages.diffusion import Diffusion, estimated, prompts_of, sampling_of, strengths
from lib_finisher.stages.frame import Look, one_patch, tile_overlap, tiles, whole_frame_fits
from lib_finisher.stages.stage import Base, Estimate, Redraws, StageOutput, Tools, Work
from lib_finisher.stages.touch_up import touch_ups
from lib_finisher.stages.upscale_model import AUTO_UPSCALER, LANCZOS, choose_upscaler

AUTO, HIRES, TILED, MODEL_ONLY = "auto", "hires", "tiled", "upscaler only"
MOST_SIDE = 16384
_MOST_PASSES = 4
_MOST_MODEL_RUNS = 2


@dataclass(frozen=True)
class UpscalePass(Diffusion):
    """One enlargement."""

    factor: float = control(
        2.0, label="Upscale by", prominent=True, help="How many times larger each side becomes; 1 only redraws.",
        minimum=1.0, maximum=16.0, step=0.05,
    )  # fmt: skip
    method: str = control(
        AUTO, label="Method", help="hires redraws the whole frame, tiled in tiles; auto chooses by size.",
        choices=(AUTO, HIRES, TILED, MODEL_ONLY),
    )  # fmt: skip
    upscaler: str = control(
        AUTO_UPSCALER, label="Upscaler", help="The model that enlarges before the redraw; auto takes one that is there."
    )
    upscaler_blend: float = control(
        0.8, label="Upscaler blend",
        help="How much of the model's picture is used; the rest is Lanczos, with its skin.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    denoising_strength: float = control(
        0.3, label="Denoising strength", prominent=True,
        help="0.2–0.3 minimal, 0.3–0.45 sweet spot, 0.45–0.6 reinterprets, above regenerates.",
        minimum=0.0, maximum=1.0, step=0.01, families=strengths(flow=0.25, embedded=0.15),
    )  # fmt: skip
    tile: int = control(
        0, label="Tile size", help="Side of a tile in pixels; 0 is the model's native size.",
        minimum=0, maximum=2048, step=64,
    )  # fmt: skip
    overlap: int = control(
        0, label="Tile overlap", help="Pixels that neighbouring tiles share; 0 grows with the denoising strength.",
        minimum=0, maximum=512, step=8,
    )  # fmt: skip
    colour_lock: float = control(
        1.0, label="Colour lock", help="How firmly each tile keeps the colours of the enlarged picture.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip


@dataclass(frozen=True)
class UpscaleSettings:
    """Up to four enlargements in turn."""

    enabled: bool = control(True, label="Enable", help="Enlarge the picture.")
    passes: tuple[UpscalePass, ...] = passes(
        UpscalePass, (UpscalePass(),), label="Passes", help="Enlargements in turn.", most=_MOST_PASSES
    )


class Upscale:
    """See the module."""

    name = "upscale"
    label = "Upscale"
    settings = UpscaleSettings
    diffuses = True

    def run(self, work: Work, settings: UpscaleSettings, tools: Tools) -> Redraws:
        """Each pass: the upscaler model, then one request. A stopped pass leaves the picture as it was before it."""
        output = StageOutput(work.pixels)
        told = []
        targets = _targets(work.size, settings)
        for number, (one, target) in enumerate(zip(settings.passes, targets), 1):
            enlarged, how = _enlarge(output.pixels, target, one, tools, output)
            if _redraws(one):
                patches = _patches(work.base, target, one, tools)
                outcome = yield Request(
                    picture=enlarged,
                    patches=tuple(patches),
                    sampling=sampling_of(one, work.base),
                    noise_field=NoiseField(work.base.seed, f"{self.name}/{number}"),
                    colour_lock=ColourLock("tile", one.colour_lock) if one.colour_lock > 0 else ColourLock(),
                    together=True,
                )
                output.take(outcome)
                if outcome.stopped:
                    told.append(f"stopped after {outcome.accepted} of {len(patches)} tiles, which are not used")
                    break
                enlarged = outcome.picture
                how += ", " + _redrawn(outcome, patches)
                if not outcome.accepted:
                    output.status = "failed"
                    how += ": " + "; ".join(sorted({item.reason for item in outcome.refusals}))
            told.append(f"{size_of(output.pixels)} to {target} by {how}")
            output.pixels = enlarged
        if not output.stopped and output.status == "ran":
            yield from self._touched_up(work, output, told, tools)
        output.reason = "; ".join(told)
        return output

    def _touched_up(
        self, work: Work, output: StageOutput, told: list[str], tools: Tools
    ) -> Generator[Request, Outcome, None]:
        size = size_of(output.pixels)
        regions = [region.scaled(size.width / work.size.width) for region in work.regions]
        count = 0
        for number, (sampling, patches) in enumerate(touch_ups(regions, size, tools), 1):
            outcome = yield Request(
                picture=output.pixels,
                patches=patches,
                sampling=sampling,
                noise_field=NoiseField(work.base.seed, f"touch-up/{number}"),
                colour_lock=ColourLock("ring"),
            )
            output.take(outcome)
            output.pixels = outcome.picture
            count += outcome.accepted
            if outcome.stopped:
                break
        if count:
            told.append(f"{count} touched up")

    def estimate(self, work: Work, size: Size, settings: UpscaleSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        total = Estimate(size)
        for one, after in zip(settings.passes, _targets(size, settings)):
            patches = _patches(work.base, after, one, tools) if _redraws(one) else []
            part = estimated(after, patches, sampling_of(one, work.base), tools.host)
            total = Estimate(
                after,
                total.patches + part.patches,
                total.host_calls + part.host_calls,
                total.megapixel_steps + part.megapixel_steps,
            )
        return total


def scaled_to(settings: UpscaleSettings, factor: float) -> UpscaleSettings:
    """The settings with a total enlargement of `factor`: what the earlier passes leave over goes to the last one.

    Raises SettingsError where the earlier passes alone enlarge more.
    """
    before = float(np.prod([one.factor for one in settings.passes[:-1]]))
    if before > factor:
        raise SettingsError([f"upscale: the passes before the last enlarge {before:g} times already, over {factor:g}."])
    last = replace(settings.passes[-1], factor=factor / before)
    return replace(settings, enabled=True, passes=(*settings.passes[:-1], last))


def _targets(size: Size, settings: UpscaleSettings) -> list[Size]:
    """The size after each pass, always from the first one's input, so that rounding does not add up."""
    factors = np.cumprod([one.factor for one in settings.passes])
    targets = [size.scaled(float(factor)) for factor in factors]
    largest = targets[-1]
    if max(largest.width, largest.height) > MOST_SIDE and largest != size:
        raise HostError(f"The upscaled picture would be {largest}; at most {MOST_SIDE} pixels a side are supported.")
    return targets


def _redraws(one: UpscalePass) -> bool:
    return one.method != MODEL_ONLY and one.denoising_strength > 0


def _enlarge(pixels: Pixels, target: Size, one: UpscalePass, tools: Tools, output: StageOutput) -> tuple[Pixels, str]:
    """The picture at exactly `target`, through an upscaler model where one is there; and how it was done."""
    size = size_of(pixels)
    if target == size:
        return pixels, "no enlargement"
    plain = np.clip(resize(pixels, target), 0.0, 1.0)
    model = choose_upscaler(one.upscaler, tools.host.upscalers(), output.notes)
    if model is None or one.upscaler_blend <= 0:
        return plain, LANCZOS
    runs = 0
    current = pixels
    while size_of(current).width < target.width and runs < _MOST_MODEL_RUNS:
        try:
            current = tools.upscale(model.name, current)
        except HostError as error:
            output.degraded = True
            output.notes.append(f"the upscaler {model.name} could not be used, {LANCZOS} took its place: {error}")
            return plain, LANCZOS
        runs += 1
    enlarged = np.clip(resize(current, target), 0.0, 1.0)
    how = model.name if one.upscaler_blend >= 1 else f"{model.name} ({one.upscaler_blend:.0%})"
    return plain + np.float32(one.upscaler_blend) * (enlarged - plain), how


def _redrawn(outcome: Outcome, patches: Sequence[Patch]) -> str:
    if outcome.refusals:
        return f"{outcome.accepted} of {len(patches)} tiles redrawn"
    return patches[0].label if len(patches) == 1 else f"{len(patches)} tiles"


def _patches(base: Base, target: Size, one: UpscalePass, tools: Tools) -> list[Patch]:
    prompt, negative = prompts_of(one, base)
    look = Look(one.denoising_strength, prompt, negative, base.seed)
    native = tools.model(one.checkpoint).native_side
    capabilities = tools.host.capabilities
    if one.method == HIRES or (one.method == AUTO and not one.tile and whole_frame_fits(target, native)):
        return [one_patch(target, look, capabilities)]
    side = one.tile or native
    return tiles(target, side, one.overlap or tile_overlap(side, one.denoising_strength), look, capabilities)
