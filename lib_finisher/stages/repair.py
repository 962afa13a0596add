"""Repair: regions the user has marked, each redrawn by itself at its own best size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.controls import control
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size, cut, size_of
from lib_finisher.imaging.masks import fading_to, feathered
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Patch, Request
from lib_finisher.stages.crop import crop_around, open_sides
from lib_finisher.stages.diffusion import Diffusion, estimated, prompts_of, sampling_of
from lib_finisher.stages.stage import Base, Estimate, Reads, Redraws, StageOutput, Tools, Work

_SPECK = 16
_MOST_OF_THE_FRAME = 0.6


@dataclass(frozen=True)
class RepairSettings(Diffusion):
    """Inpainting of marked regions."""

    enabled: bool = control(False, label="Enable", help="Redraw the regions marked by a mask.")
    denoising_strength: float = control(
        0.5, label="Denoising strength", prominent=True, help="0.4 to 0.7: higher draws something new in the region.",
        minimum=0.0, maximum=1.0, step=0.01,
    )  # fmt: skip
    mask_blur: int = control(
        8,
        label="Mask blur",
        prominent=True,
        help="How softly the region's edge is blended, in pixels.",
        minimum=0,
        maximum=64,
        step=1,
    )
    padding: float = control(
        0.35, label="Padding", help="Context around the region, as a share of its longer side.",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    colour_lock: float = control(
        1.0, label="Colour lock", help="How firmly colours are held to the surroundings of the region.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip


class Repair:
    """See the module."""

    name = "repair"
    label = "Repair"
    settings = RepairSettings
    maps = False

    def reads(self, settings: RepairSettings) -> Reads:
        """See `Stage.reads`."""
        return Reads(samples=True, mask=True)

    def run(self, work: Work, settings: RepairSettings, tools: Tools) -> Redraws:
        """One request; each separate blob of the mask is a patch."""
        output = StageOutput(work.pixels)
        patches = [] if work.mask is None else _patches(work.base, work.mask, settings, tools)
        if work.mask is None or not patches:
            output.status, output.reason = "skipped", f"no region of at least {_SPECK} pixels is marked"
            return output
        marked = float((work.mask > 0.5).mean())
        if marked > _MOST_OF_THE_FRAME:
            output.notes.append(f"the mask covers {marked:.0%} of the frame: refine may be what you want")
        outcome = yield Request(
            picture=work.pixels,
            patches=tuple(patches),
            sampling=sampling_of(settings, work.base),
            noise_field=NoiseField(work.base.seed, self.name),
            colour_lock=ColourLock("ring", settings.colour_lock),
        )
        output.take(outcome)
        if outcome.accepted:
            output.pixels = outcome.picture
        output.reason = f"{outcome.accepted} of {len(patches)} regions redrawn"
        if not outcome.accepted and outcome.failures and not outcome.stopped:
            output.status = "failed"
            output.reason += ": " + "; ".join(sorted({item.reason for item in outcome.failures}))
        return output

    def estimate(self, work: Work, size: Size, settings: RepairSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        if work.mask is None:
            return Estimate(size)
        patches = _patches(work.base, work.mask, settings, tools)
        return estimated(size, patches, sampling_of(settings, work.base), tools.host)


def regions(mask: Mask) -> tuple[list[tuple[int, Box]], npt.NDArray[np.int32]]:
    """The separate blobs of a mask (above 0.5), specks left out: (number, box) each, and the map of numbers."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8), connectivity=8)
    found = []
    for index in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[index])
        if area >= _SPECK:
            found.append((index, Box(left, top, left + width, top + height)))
    return found, np.asarray(labels, dtype=np.int32)


def _patches(base: Base, mask: Mask, settings: RepairSettings, tools: Tools) -> list[Patch]:
    prompt, negative = prompts_of(settings, base)
    native = tools.model(settings.checkpoint).native_side
    picture = size_of(mask)
    found, labels = regions(mask)
    patches = []
    for number, (index, region) in enumerate(found):
        crop = crop_around(region, settings.padding, picture, native, tools.host.capabilities)
        blob = (cut(labels, crop.box) == index).astype(np.float32)
        soft = feathered(blob, settings.mask_blur // 2, float(settings.mask_blur))
        soft = soft * fading_to(crop.box.height, crop.box.width, open_sides(crop.box, picture))
        patches.append(
            Patch(
                box=crop.box,
                canvas=crop.canvas,
                weight=lambda soft=soft: soft,  # type: ignore[misc]
                denoising_strength=settings.denoising_strength,
                mask=soft,
                prompt=prompt,
                negative_prompt=negative,
                seed=base.seed + number,
                label=f"region {number + 1}",
            )
        )
    return patches
