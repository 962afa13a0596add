"""The patches of repair: one for each region, with a canvas and a mask of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lib_finisher.hosts.port import Capabilities
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.fill import filled
from lib_finisher.imaging.geometry import Box, Size, cut, frame, round_to, size_of
from lib_finisher.imaging.masks import fading_to, feathered
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.patch import Gate, Patch, Prepare
from lib_finisher.stages.crop import Crop, crop_around, open_sides
from lib_finisher.stages.detail_care import not_found_again, sureness
from lib_finisher.stages.detail_choice import Finding
from lib_finisher.stages.frame import WHOLE_FRAME_LIMIT, Look, one_patch, whole_frame_fits
from lib_finisher.stages.repair_regions import blob_of, box_of, is_marked, searching
from lib_finisher.stages.repair_settings import FILL, ONLY_MASKED, RepairSettings
from lib_finisher.stages.stage import Finder, Tools

# Where less than this is redrawn, what is there shows anyway, and the fill may begin with it.
_KEPT = 0.1


def patches_of(chosen: Sequence[Finding], picture: Size, settings: RepairSettings, tools: Tools) -> list[Patch]:
    """A patch for each region of a picture, in their order."""
    native, limits = tools.model(settings.checkpoint).native_side, tools.host.capabilities
    patches = []
    for item in chosen:
        region = box_of(item, settings)
        inside = region.intersection(frame(picture))
        if inside is None:
            continue
        if settings.area == ONLY_MASKED:
            crop = crop_around(region, settings.padding, picture, native, limits)
        else:
            crop = crop_of_frame(inside.grown(2 * settings.mask_blur), picture, native, limits)
        patches.append(_patch(item, crop, picture, settings))
    return patches


def crop_of_frame(region: Box, picture: Size, native_side: int, capabilities: Capabilities) -> Crop:
    """The whole picture where a model of that native size draws it in one piece, else as much of it as it does.

    That much is cut about the region, at the picture's own resolution and with its aspect; a region that does not fit
    there is redrawn in the whole picture, reduced.
    """
    if whole_frame_fits(picture, native_side):
        box = one_patch(picture, Look(0.0), capabilities).box
        return Crop(box, box.size)
    shrink = math.sqrt(WHOLE_FRAME_LIMIT * native_side * native_side / picture.area)
    multiple = capabilities.canvas_multiple
    window = Size(*(round_to(side * shrink, multiple) for side in (picture.width, picture.height)))
    if region.width <= window.width and region.height <= window.height:
        return Crop(region.resized(window).shifted_inside(picture), window)
    return Crop(frame(picture), window)


def filling(settings: RepairSettings) -> Prepare | None:
    """What empties a region before its redraw, where that is wanted: its surroundings go on in its place."""
    if settings.content != FILL:
        return None

    def prepare(patch: Patch, crop: Pixels) -> Pixels:
        assert patch.mask is not None
        emptied = filled(crop, patch.mask <= _KEPT, patch.seed)
        return emptied if patch.unscaled else np.clip(resize(emptied, patch.canvas), 0.0, 1.0)

    return prepare


def judging(settings: RepairSettings, find: Finder) -> Gate | None:
    """Refuses the redraw of a finding of which the detector is not surer afterwards, or which it does not count any
    more; what the user drew is not judged. None where that is not asked for."""
    if not (settings.gate and settings.detector):
        return None
    one = searching(settings)

    def judge(patch: Patch, before: Pixels, after: Pixels) -> str:
        if patch.about is None:
            return ""
        place = patch.about.moved(-patch.box.left, -patch.box.top)
        # A whole picture would hide from the detector how the region looks.
        seen = place.grown(max(place.width, place.height)).intersection(frame(size_of(before)))
        if seen is None:
            return ""
        inside = place.moved(-seen.left, -seen.top)
        then, now = (np.clip(cut(crop, seen), 0.0, 1.0) for crop in (before, after))
        (was_sure,), (is_sure,) = (sureness(find, one, crop, [inside]) for crop in (then, now))
        if is_sure <= was_sure:
            return f"the detector is not surer than before ({was_sure:.2f} to {is_sure:.2f}); the old pixels stay"
        return not_found_again(find, one, now, [inside], [was_sure], [is_sure])

    return judge


def _patch(item: Finding, crop: Crop, picture: Size, settings: RepairSettings) -> Patch:
    inside = crop.box.intersection(frame(picture)) or crop.box
    blob = cut(blob_of(item, inside, settings), crop.box.moved(-inside.left, -inside.top))
    soft = feathered(blob, settings.mask_blur // 2, float(settings.mask_blur))
    soft = soft * fading_to(crop.box.height, crop.box.width, open_sides(crop.box, picture))
    return Patch(
        box=crop.box,
        canvas=crop.canvas,
        weight=lambda: soft,
        denoising_strength=settings.denoising_strength,
        mask=soft,
        prompt=item.prompt,
        negative_prompt=item.negative_prompt,
        seed=item.seed,
        another=item.added,
        label=item.label,
        about=None if is_marked(item) else item.detection.box,
    )
