"""The patches of a pass: one for each finding, or one redraw of all findings together or of everything but them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib_finisher.detect.detection import Detection
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size, frame
from lib_finisher.imaging.masks import ellipse, fading_to
from lib_finisher.redraw.patch import Patch
from lib_finisher.stages.crop import crop_around, open_sides, worth_a_crop
from lib_finisher.stages.detail_choice import Finding, findings_of, strength_for
from lib_finisher.stages.detail_settings import APART, INVERTED, DetailPass
from lib_finisher.stages.frame import Look, one_patch, tile_overlap, tiles, whole_frame_fits
from lib_finisher.stages.stage import Base, Tools


@dataclass(frozen=True, eq=False)
class Choice:
    """What a pass does to a picture, and what it leaves alone.

    `together` says that the patches are tiles of one layout; `framed` that they stand on the whole picture, with no
    ring of untouched surroundings. `judged` is what a gate looks at, None where each patch has a finding of its own.
    """

    findings: tuple[Finding, ...] = ()
    patches: tuple[Patch, ...] = ()
    together: bool = False
    framed: bool = False
    judged: tuple[Box, ...] | None = None
    skipped: int = 0
    large: int = 0


def choose(found: Sequence[Detection], picture: Size, one: DetailPass, base: Base, tools: Tools) -> Choice:
    """What a pass does with what its detector found in a picture; the run and its estimate both ask this."""
    findings = tuple(findings_of(found, picture, one, base))
    wanted = [item for item in findings if not item.skipped]
    choice = Choice(findings, skipped=len(findings) - len(wanted))
    if not wanted or one.denoising_strength <= 0:
        return choice
    native = tools.model(one.checkpoint).native_side
    if one.merge != APART:
        return _merged(choice, wanted, picture, one, native, tools)
    worth = [item for item in wanted if worth_a_crop(item.detection.box, one.padding, one.resolution or native)]
    regions = [(item, _region(item, one)) for item in worth]
    patches = tuple(
        _patch(item, region, picture, one, native, tools)
        for item, region in regions
        if region.intersection(frame(picture))
    )
    return replace(choice, patches=patches, large=len(wanted) - len(worth))


def _patch(item: Finding, region: Box, picture: Size, one: DetailPass, native: int, tools: Tools) -> Patch:
    crop = crop_around(region, one.padding, picture, native, tools.host.capabilities, one.resolution)
    mask = _mask(region, crop.box, picture, one)
    return Patch(
        box=crop.box,
        canvas=crop.canvas,
        weight=lambda: mask,
        denoising_strength=strength_for(item.detection.box, native, one),
        mask=mask,
        prompt=item.prompt,
        negative_prompt=item.negative_prompt,
        seed=item.seed,
        label=item.label,
        about=item.detection.box,
    )


def _merged(
    choice: Choice, wanted: Sequence[Finding], picture: Size, one: DetailPass, native: int, tools: Tools
) -> Choice:
    """One redraw with the prompt, the seed and the plain strength of the first finding that is not skipped.

    Inverted, skipped findings are kept from it as well. What is too large for one canvas is redrawn in tiles.
    """
    first, side = wanted[0], one.resolution or native
    inverted = one.merge == INVERTED
    regions = [_region(item, one) for item in (choice.findings if inverted else wanted)]
    regions = [region for region in regions if region.intersection(frame(picture))]
    if not regions and not inverted:
        return choice
    look = Look(one.denoising_strength, first.prompt, first.negative_prompt, first.seed)
    if not inverted:
        union = _around(regions)
        if worth_a_crop(union, one.padding, side):
            crop = crop_around(union, one.padding, picture, native, tools.host.capabilities, one.resolution)
            fading = fading_to(crop.box.height, crop.box.width, open_sides(crop.box, picture))
            mask = _union(regions, crop.box, one) * fading
            patch = Patch(
                crop.box, crop.canvas, lambda: mask, look.denoising_strength, mask,
                look.prompt, look.negative_prompt, look.seed, _names(wanted), union,
            )  # fmt: skip
            return replace(choice, patches=(patch,), judged=tuple(item.detection.box for item in wanted))
    mask = _union(regions, frame(picture), one)
    if inverted:
        mask = 1.0 - mask
    if not mask.any():
        return choice
    limits = tools.host.capabilities
    if whole_frame_fits(picture, side):
        return replace(choice, patches=(one_patch(picture, look, limits, mask),), framed=True)
    overlap = tile_overlap(side, look.denoising_strength)
    return replace(choice, patches=tuple(tiles(picture, side, overlap, look, limits, mask)), together=True, framed=True)


def _region(item: Finding, one: DetailPass) -> Box:
    """Where a finding's mask goes: its box, moved by the offsets."""
    box = item.detection.box
    return box.moved(round(one.x_offset * box.width), -round(one.y_offset * box.height))


def _mask(region: Box, crop: Box, picture: Size, one: DetailPass) -> Mask:
    """An ellipse over the region, softly ended, as an array of the crop; 0 at its border, save at the picture's."""
    return _ellipse(region, crop, one) * fading_to(crop.height, crop.width, open_sides(crop, picture))


def _union(regions: Sequence[Box], area: Box, one: DetailPass) -> Mask:
    """The ellipses of several regions as one array of `area`: the largest of them at each pixel."""
    union = np.zeros((area.height, area.width), dtype=np.float32)
    for region in regions:
        # Clipped first: the softness of a thin region reaches far.
        reach = region.grown(_reach(region, one)).intersection(area)
        if reach is not None:
            place = (
                slice(reach.top - area.top, reach.bottom - area.top),
                slice(reach.left - area.left, reach.right - area.left),
            )
            union[place] = np.maximum(union[place], _ellipse(region, reach, one))
    return union


def _ellipse(region: Box, area: Box, one: DetailPass) -> Mask:
    centre = (region.centre[0] - area.left, region.centre[1] - area.top)
    return ellipse(area.height, area.width, centre, _radii(region, one), _blur(region, one))


def _radii(region: Box, one: DetailPass) -> tuple[float, float]:
    grown = 1.0 + one.dilation
    return max(1.0, region.width / 2 * grown), max(1.0, region.height / 2 * grown)


def _blur(region: Box, one: DetailPass) -> float:
    return one.mask_blur * max(region.width, region.height)


def _reach(region: Box, one: DetailPass) -> int:
    """By how many pixels more than the region, on every side, its mask may be above 0."""
    radii = _radii(region, one)
    return (
        max(0, math.ceil(max(radii) * (1.0 + _blur(region, one) / min(radii)) - min(region.width, region.height) / 2))
        + 1
    )


def _around(regions: Sequence[Box]) -> Box:
    return Box(
        min(region.left for region in regions),
        min(region.top for region in regions),
        max(region.right for region in regions),
        max(region.bottom for region in regions),
    )


def _names(findings: Sequence[Finding]) -> str:
    return f"{findings[0].label} and {len(findings) - 1} more" if len(findings) > 1 else findings[0].label
