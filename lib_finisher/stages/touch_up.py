"""Touch-up: what detail has redrawn once more, very lightly, in the enlarged picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lib_finisher.hosts.port import Sampling
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.masks import ellipse, fading_to
from lib_finisher.redraw.patch import Patch
from lib_finisher.stages.crop import crop_around, open_sides, worth_a_crop
from lib_finisher.stages.regions import Region
from lib_finisher.stages.stage import Tools


def touch_ups(regions: Sequence[Region], picture: Size, tools: Tools) -> Iterator[tuple[Sampling, tuple[Patch, ...]]]:
    """The patches of the regions that are to be touched up, by the sampling they share.

    `regions` are in pixels of `picture`. What is so large by now that a crop would have to be reduced is left out.
    """
    groups: dict[Sampling, list[Patch]] = {}
    for region in regions:
        if region.touch_up > 0:
            native = tools.model(region.sampling.checkpoint).native_side
            if worth_a_crop(region.box, region.padding, native):
                sampling = replace(region.sampling, denoising_strength=region.touch_up)
                groups.setdefault(sampling, []).append(_patch(region, picture, native, tools))
    for sampling, patches in groups.items():
        yield sampling, tuple(patches)


def _patch(region: Region, picture: Size, native: int, tools: Tools) -> Patch:
    crop = crop_around(region.box, region.padding, picture, native, tools.host.capabilities)
    centre = (region.box.centre[0] - crop.box.left, region.box.centre[1] - crop.box.top)
    grown = 1.0 + region.dilation
    radii = max(1.0, region.box.width / 2 * grown), max(1.0, region.box.height / 2 * grown)
    feather = region.mask_blur * max(region.box.width, region.box.height)
    mask = ellipse(crop.box.height, crop.box.width, centre, radii, feather)
    mask = mask * fading_to(crop.box.height, crop.box.width, open_sides(crop.box, picture))
    return Patch(
        box=crop.box,
        canvas=crop.canvas,
        weight=lambda: mask,
        denoising_strength=region.touch_up,
        mask=mask,
        prompt=region.prompt,
        negative_prompt=region.negative_prompt,
        seed=region.seed,
        label=f"touch-up of {region.label}",
        about=region.box,
    )
