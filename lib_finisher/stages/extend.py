"""Extend: more picture on any side, filled from its edges and redrawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lib_finisher.controls import control
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, Size, cut
from lib_finisher.imaging.masks import rounded_box
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import Patch, Request
from lib_finisher.stages.diffusion import Diffusion, estimated, prompts_of, sampling_of
from lib_finisher.stages.frame import Look, one_patch, tile_overlap, tiles, whole_frame_fits
from lib_finisher.stages.stage import Base, Estimate, Reads, Redraws, StageOutput, Tools, Work

_MOST_PIXELS = 2048


def _side(label: str) -> int:
    value: int = control(
        0, label=label, prominent=True, help="Pixels to add on this side.", minimum=0, maximum=_MOST_PIXELS, step=8
    )
    return value


@dataclass(frozen=True)
class ExtendSettings(Diffusion):
    """Outpainting."""

    enabled: bool = control(False, label="Enable", help="Add picture beyond its borders.")
    denoising_strength: float = control(
        0.75, label="Denoising strength", help="How freely the new border is drawn; 0.7 to 0.9 is usual.",
        minimum=0.0, maximum=1.0, step=0.01,
    )  # fmt: skip
    left: int = _side("Left")
    top: int = _side("Top")
    right: int = _side("Right")
    bottom: int = _side("Bottom")
    overlap: int = control(
        32, label="Overlap", help="How far the redraw reaches into the old picture, in pixels.",
        minimum=0, maximum=256, step=4,
    )  # fmt: skip

    def extended(self, size: Size) -> Size:
        """The size afterwards."""
        return Size(size.width + self.left + self.right, size.height + self.top + self.bottom)


class Extend:
    """See the module."""

    name = "extend"
    label = "Extend"
    settings = ExtendSettings
    maps = False

    def reads(self, settings: ExtendSettings) -> Reads:
        """See `Stage.reads`."""
        return Reads(samples=True, mask=True)

    def run(self, work: Work, settings: ExtendSettings, tools: Tools) -> Redraws:
        """Mirrors the edges outwards, then redraws the border."""
        output = StageOutput(work.pixels)
        size = settings.extended(work.size)
        if size == work.size:
            output.status, output.reason = "skipped", "no side is to be extended"
            return output
        box = Box(-settings.left, -settings.top, size.width - settings.left, size.height - settings.top)
        mask = _border(size, settings)
        draft = _draft(cut(work.pixels, box), mask)
        outcome = yield Request(
            picture=draft,
            patches=tuple(_patches(work.base, size, mask, settings, tools)),
            sampling=sampling_of(settings, work.base),
            noise_field=NoiseField(work.base.seed, self.name),
            together=True,
        )
        output.take(outcome)
        if outcome.stopped:
            output.reason = "stopped before it was complete; the picture is as it was before"
            return output
        if not outcome.accepted and settings.denoising_strength > 0:
            output.status, output.reason = "failed", "; ".join(item.reason for item in outcome.refusals)
            return output
        output.pixels = outcome.picture
        output.mask = None if work.mask is None else _moved_mask(work.mask, box)
        output.reason = f"{work.size} to {size}"
        return output

    def estimate(self, work: Work, size: Size, settings: ExtendSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        after = settings.extended(size)
        if after == size:
            return Estimate(size)
        patches = _patches(work.base, after, _border(after, settings), settings, tools)
        return estimated(after, patches, sampling_of(settings, work.base), tools.host)


def _border(size: Size, settings: ExtendSettings) -> Mask:
    """1 in the new border, fading to 0 over the overlap inside the old picture."""
    sides = (settings.left, settings.top, settings.right, settings.bottom)
    inset = tuple(side + settings.overlap if side else -settings.overlap for side in sides)
    old = rounded_box(size.height, size.width, (inset[0], inset[1], inset[2], inset[3]), max(settings.overlap, 1))
    return np.asarray(1.0 - old, dtype=np.float32)


def _draft(mirrored: Pixels, mask: Mask) -> Pixels:
    """The mirrored picture, blurred where it is only a mirror image, so that nothing is recognised twice."""
    blurred = cv2.GaussianBlur(mirrored, (0, 0), 12.0, borderType=cv2.BORDER_REFLECT)
    weight = (mask >= 1.0).astype(np.float32)[..., None]
    return np.asarray(mirrored * (1.0 - weight) + blurred * weight, dtype=np.float32)


def _moved_mask(mask: Mask, box: Box) -> Mask:
    moved = np.zeros((box.height, box.width), dtype=np.float32)
    moved[-box.top : -box.top + mask.shape[0], -box.left : -box.left + mask.shape[1]] = mask
    return moved


def _patches(base: Base, size: Size, mask: Mask, settings: ExtendSettings, tools: Tools) -> list[Patch]:
    prompt, negative = prompts_of(settings, base)
    look = Look(settings.denoising_strength, prompt, negative, base.seed)
    native = tools.model(settings.checkpoint).native_side
    capabilities = tools.host.capabilities
    if whole_frame_fits(size, native):
        return [one_patch(size, look, capabilities, mask)]
    return tiles(size, native, tile_overlap(native, settings.denoising_strength), look, capabilities, mask)
