"""Extend: more picture on any side, its edges carried on and then redrawn, in passes that always see mostly picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.fill import extended
from lib_finisher.imaging.geometry import Box, Size, cut, frame
from lib_finisher.imaging.wrap import Wrap
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Patch, Request
from lib_finisher.stages.diffusion import estimated, prompts_of, sampling_of
from lib_finisher.stages.extend_frames import border, checked, grown_to, pass_boxes
from lib_finisher.stages.extend_settings import ExtendSettings, aspect_of
from lib_finisher.stages.frame import Look, one_patch, tile_overlap, tiles, whole_frame_fits
from lib_finisher.stages.stage import OWN, Base, Estimate, KeepsColours, Reads, Redraws, StageOutput, Tools, Work


def extended_box(size: Size, settings: ExtendSettings) -> Box:
    """What a picture of `size` is extended to, in its own pixels: first by the sides' pixels, then to the aspect."""
    plain = Box(-settings.left, -settings.top, size.width + settings.right, size.height + settings.bottom)
    return grown_to(plain, aspect_of(settings.aspect), settings.anchor)


@dataclass(frozen=True, eq=False)
class _Pass:
    """One pass: the picture's size before it, and what it grows to in pixels of that."""

    before: Size
    box: Box
    patches: tuple[Patch, ...]


class Extend(KeepsColours):
    """See the module."""

    name = "extend"
    label = "Extend"
    settings = ExtendSettings
    borders = OWN
    maps = False

    def reads(self, settings: ExtendSettings) -> Reads:
        """See `Stage.reads`."""
        return Reads(samples=True, mask=True)

    def run(self, work: Work, settings: ExtendSettings, tools: Tools) -> Redraws:
        """A request for each pass: the edges are carried on, then the border is redrawn."""
        output = StageOutput(work.pixels)
        whole = checked(extended_box(work.size, settings))
        if whole == frame(work.size):
            there = settings.aspect.strip()
            output.status = "skipped"
            output.reason = f"the picture has the aspect {there} already" if there else "no side is to be extended"
            return output
        picture = work.pixels
        count = 0
        for count, one in enumerate(_passes(work.base, work.size, whole, settings, tools), 1):
            salt = self.name if count == 1 else f"{self.name}/{count}"
            outcome = yield Request(
                picture=extended(picture, one.box, work.base.seed + count),
                patches=one.patches,
                sampling=sampling_of(settings, work.base),
                noise_field=NoiseField(work.base.seed, salt),
                colour_lock=ColourLock("ring", settings.colour_lock),
                together=True,
                replaces=True,
            )
            output.take(outcome)
            if outcome.stopped:
                output.reason = "stopped before it was complete; the picture is as it was before"
                return output
            if not outcome.accepted and settings.denoising_strength > 0:
                output.status, output.reason = "failed", "; ".join(item.reason for item in outcome.refusals)
                return output
            picture = outcome.picture
        output.pixels = picture
        output.mask = None if work.mask is None else _moved_mask(work.mask, whole)
        output.wrap = Wrap()
        output.alpha = None if work.alpha is None else cut(work.alpha, whole)
        output.regions = tuple(replace(item, box=item.box.moved(-whole.left, -whole.top)) for item in work.regions)
        output.reason = f"{work.size} to {whole.size}" + (f" in {count} passes" if count > 1 else "")
        return output

    def estimate(self, work: Work, size: Size, settings: ExtendSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        whole = checked(extended_box(size, settings))
        sampling = sampling_of(settings, work.base)
        total = Estimate(whole.size)
        for one in _passes(work.base, size, whole, settings, tools):
            here = estimated(whole.size, one.patches, sampling, tools.host)
            total = Estimate(
                whole.size,
                total.patches + here.patches,
                total.host_calls + here.host_calls,
                total.megapixel_steps + here.megapixel_steps,
            )
        return total


def _passes(base: Base, size: Size, whole: Box, settings: ExtendSettings, tools: Tools) -> Iterator[_Pass]:
    prompt, negative = prompts_of(settings, base)
    look = Look(settings.denoising_strength, prompt, negative, base.seed)
    native, capabilities = tools.model(settings.checkpoint).native_side, tools.host.capabilities
    before = frame(size)
    for after in pass_boxes(size, whole, settings.most_per_pass, native):
        box = after.moved(-before.left, -before.top)
        mask = border(before.size, box, settings.overlap, settings.feather)
        if whole_frame_fits(after.size, native):
            patches = [one_patch(after.size, look, capabilities, mask)]
        else:
            shared = tile_overlap(native, settings.denoising_strength)
            patches = tiles(after.size, native, shared, look, capabilities, mask)
        yield _Pass(before.size, box, tuple(patches))
        before = after


def _moved_mask(mask: Mask, box: Box) -> Mask:
    moved = np.zeros((box.height, box.width), dtype=np.float32)
    moved[-box.top : -box.top + mask.shape[0], -box.left : -box.left + mask.shape[1]] = mask
    return moved
