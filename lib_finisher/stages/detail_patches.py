"""The patches of a pass: one for each finding, or one redraw of all findings together or of everything but them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib_finisher.detect.detection import Detection
from lib_finisher.hosts.port import Capabilities
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size, frame, round_to
from lib_finisher.imaging.masks import fading_to
from lib_finisher.redraw.patch import Patch
from lib_finisher.stages.crop import Crop, crop_around, open_sides, whole_on, worth_a_crop
from lib_finisher.stages.detail_choice import Finding, findings_of, strength_for
from lib_finisher.stages.detail_masks import Shape, Where, mask_of, shape_of, union_of
from lib_finisher.stages.detail_settings import APART, INVERTED, DetailPass
from lib_finisher.stages.frame import WHOLE_FRAME_LIMIT, Look, one_patch, tile_overlap, tiles, whole_frame_fits
from lib_finisher.stages.stage import Base, Tools


@dataclass(frozen=True, eq=False)
class Choice:
    """What a pass does to a picture, and what it leaves alone.

    `redrawn` are the findings that the patches are about, in the order of the patches where each has one of its own.
    `together` says that the patches are tiles of one layout; `framed` that they stand on the whole picture, with no
    ring of untouched surroundings. `judged` is what a gate looks at, None where each patch has a finding of its own.
    Of what is left alone, `large` many gain nothing from a redraw, `outside` many lie where the pass may not draw, the
    masks of `empty` many were shrunk to nothing, and those of `away` many were moved out of the picture.
    """

    findings: tuple[Finding, ...] = ()
    patches: tuple[Patch, ...] = ()
    redrawn: tuple[Finding, ...] = ()
    together: bool = False
    framed: bool = False
    judged: tuple[Box, ...] | None = None
    skipped: int = 0
    large: int = 0
    outside: int = 0
    empty: int = 0
    away: int = 0


def choose(
    found: Sequence[Detection],
    picture: Size,
    one: DetailPass,
    base: Base,
    tools: Tools,
    where: Where | None = None,
) -> Choice:
    """What a pass does with what its detector found in a picture; the run and its estimate both ask this.

    `where` keeps the pass to a part of the picture; None means everywhere.
    """
    findings = tuple(findings_of(found, picture, one, base))
    wanted = [item for item in findings if not item.skipped]
    choice = Choice(findings, skipped=len(findings) - len(wanted))
    if not wanted or one.denoising_strength <= 0:
        return choice
    layout = _Layout(picture, one, tools.model(one.checkpoint).native_side, tools.host.capabilities, where)
    return layout.merged(choice, wanted) if one.merge != APART else layout.apart(choice, wanted)


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where and on which canvases a pass redraws."""

    picture: Size
    one: DetailPass
    native: int
    limits: Capabilities
    where: Where | None

    @property
    def canvas(self) -> Size | None:
        """The canvas that was chosen by hand, if both its sides were."""
        return Size(self.one.width, self.one.height) if self.one.width and self.one.height else None

    @property
    def side(self) -> int:
        """The side of the square that has as many pixels as the canvas."""
        if self.canvas is not None:
            return round(math.sqrt(self.canvas.area))
        return self.one.width or self.one.height or self.native

    def apart(self, choice: Choice, wanted: Sequence[Finding]) -> Choice:
        """A patch for each finding."""
        patches, redrawn, left = [], [], Counter[str]()
        for item in wanted:
            shape = shape_of(item.detection, self.one)
            if not shape.box.intersection(frame(self.picture)):
                left["away"] += 1
                continue
            if self.one.only_masked and self.one.skip_large and not self.worth(item.detection.box):
                left["large"] += 1
                continue
            patch = self.patch(item, shape)
            if patch is None:
                left["empty" if self.vanishes([shape]) else "outside"] += 1
                continue
            patches.append(patch)
            redrawn.append(item)
        return replace(
            choice, patches=tuple(patches), redrawn=tuple(redrawn),
            large=left["large"], outside=left["outside"], empty=left["empty"], away=left["away"],
        )  # fmt: skip

    def worth(self, region: Box) -> bool:
        """Whether a redraw of its own gains a region anything."""
        return worth_a_crop(region, self.one.padding, self.side)

    def crop(self, region: Box) -> Crop:
        """Where a region is cut from the picture, and its canvas."""
        if self.one.only_masked:
            return crop_around(region, self.one.padding, self.picture, self.side, self.limits, self.canvas)
        if self.canvas is not None:
            # As many pixels as were asked for, in the picture's aspect.
            wanted = self.picture.scaled(math.sqrt(self.canvas.area / self.picture.area))
            return whole_on(wanted, self.picture, self.limits)
        if whole_frame_fits(self.picture, self.side):
            box = one_patch(self.picture, Look(0.0), self.limits).box
            return Crop(box, box.size)
        shrink = math.sqrt(WHOLE_FRAME_LIMIT * self.side * self.side / self.picture.area)
        multiple = self.limits.canvas_multiple
        sides = (round_to(side * shrink, multiple) for side in (self.picture.width, self.picture.height))
        return Crop(frame(self.picture), Size(*sides))

    def vanishes(self, shapes: Sequence[Shape]) -> bool:
        """Whether the masks of these shapes are empty by themselves, wherever the pass may draw."""
        return not union_of(shapes, frame(self.picture), self.one).any()

    def nothing_left(self, choice: Choice, shapes: Sequence[Shape]) -> Choice:
        """The choice where the mask of these shapes together is empty."""
        if shapes and self.vanishes(shapes):
            return replace(choice, redrawn=(), empty=len(shapes))
        return replace(choice, redrawn=(), outside=len(shapes))

    def limited(self, mask: Mask, area: Box) -> Mask:
        """A mask of `area`, kept to the part of the picture that the pass may change."""
        return mask if self.where is None else np.asarray(mask * self.where(area), dtype=np.float32)

    def patch(self, item: Finding, shape: Shape) -> Patch | None:
        """The patch of a finding; None where it may change nothing."""
        crop = self.crop(shape.box)
        fading = fading_to(crop.box.height, crop.box.width, open_sides(crop.box, self.picture))
        mask = self.limited(mask_of(shape, crop.box, self.one) * fading, crop.box)
        if not mask.any():
            return None
        return Patch(
            box=crop.box,
            canvas=crop.canvas,
            weight=lambda: mask,
            denoising_strength=strength_for(item.detection.box, self.native, self.one),
            mask=mask,
            prompt=item.prompt,
            negative_prompt=item.negative_prompt,
            seed=item.seed,
            another=item.added,
            label=item.label,
            about=item.detection.box,
            turn=_quarters(item.detection.roll) if self.one.upright and self.one.only_masked else 0,
        )

    def merged(self, choice: Choice, wanted: Sequence[Finding]) -> Choice:
        """One redraw with the prompt, the seed and the plain strength of the first finding that is not skipped.

        Inverted, skipped findings are kept from it as well. What is too large for one canvas is redrawn in tiles.
        """
        first = wanted[0]
        inverted = self.one.merge == INVERTED
        shapes = [shape_of(item.detection, self.one) for item in (choice.findings if inverted else wanted)]
        there = [shape for shape in shapes if shape.box.intersection(frame(self.picture))]
        choice, shapes = replace(choice, away=len(shapes) - len(there)), there
        if not shapes and not inverted:
            return choice
        choice = replace(choice, redrawn=() if inverted else tuple(wanted))
        look = Look(self.one.denoising_strength, first.prompt, first.negative_prompt, first.seed)
        around = None if inverted or not self.one.only_masked else _around([shape.box for shape in shapes])
        if around is not None and (not self.one.skip_large or self.worth(around)):
            crop = self.crop(around)
            fading = fading_to(crop.box.height, crop.box.width, open_sides(crop.box, self.picture))
            mask = self.limited(union_of(shapes, crop.box, self.one) * fading, crop.box)
            if not mask.any():
                return self.nothing_left(choice, shapes)
            patch = Patch(
                crop.box, crop.canvas, lambda: mask, look.denoising_strength, mask,
                look.prompt, look.negative_prompt, look.seed, _names(wanted), around, another=first.added,
            )  # fmt: skip
            return replace(choice, patches=(patch,), judged=tuple(item.detection.box for item in wanted))
        mask = union_of(shapes, frame(self.picture), self.one)
        mask = self.limited(1.0 - mask if inverted else mask, frame(self.picture))
        if not mask.any():
            return self.nothing_left(choice, () if inverted else shapes)
        if whole_frame_fits(self.picture, self.side):
            return replace(choice, patches=(one_patch(self.picture, look, self.limits, mask),), framed=True)
        overlap = tile_overlap(self.side, look.denoising_strength)
        patches = tuple(tiles(self.picture, self.side, overlap, look, self.limits, mask))
        return replace(choice, patches=patches, together=True, framed=True)


def _quarters(roll: float | None) -> int:
    """By how many quarters, counter-clockwise, a face has to be turned to stand upright."""
    return 0 if roll is None else round(roll / 90.0) % 4


def _around(regions: Sequence[Box]) -> Box:
    return Box(
        min(region.left for region in regions),
        min(region.top for region in regions),
        max(region.right for region in regions),
        max(region.bottom for region in regions),
    )


def _names(findings: Sequence[Finding]) -> str:
    return f"{findings[0].label} and {len(findings) - 1} more" if len(findings) > 1 else findings[0].label
