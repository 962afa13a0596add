"""Skin grain: the fine detail of what an upscaler model makes of the picture, at the picture's own size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lib_finisher.hosts.port import HostError, UpscalerFacts
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Size, frame, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.strips import in_strips
from lib_finisher.imaging.texture import blend_detail, calm_detail_lost
from lib_finisher.notes import LeftOut
from lib_finisher.stages.model_check import upscaled
from lib_finisher.stages.stage import Tools
from lib_finisher.stages.texture_where import around
from lib_finisher.stages.upscaler_choices import AUTO_UPSCALER

_FOR_SKIN = re.compile(r"skin|face|portrait|pore", flags=re.IGNORECASE)
# A model that enlarges makes this many pixels at a time, with so many rows of its input as context on either side.
_STRIP_PIXELS = 32_000_000
_CONTEXT = 32
# A loss of fine detail that is told, judged by a square of that many pixels a side, without the border: small models
# see blackness beyond it.
_TOLD_LOSS, _JUDGED, _BORDER = 0.1, 1024, 8


class Grained(NamedTuple):
    """The picture with a model's detail, what was done in words, and whether a model that was asked for is missing."""

    pixels: Pixels
    how: str
    degraded: bool


def grained(pixels: Pixels, wanted: str, strength: float, mask: Mask | None, tools: Tools, notes: list[str]) -> Grained:
    """The picture with the fine detail that a model gives it, by `strength` (0..1), where `mask` is.

    A model that enlarges comes back to the picture's size by area. Only the part of the picture around the mask goes
    through the model. What cannot be done is told in `notes`. Raises Interrupted and Skipped.
    """
    model = _chosen(wanted.strip(), tools.host.upscalers(), notes)
    if model is None:
        return Grained(pixels, "", True)
    box = frame(size_of(pixels)) if mask is None else around(mask)
    if box is None:
        return Grained(pixels, "", False)
    place = (slice(box.top, box.bottom), slice(box.left, box.right))
    part = np.ascontiguousarray(pixels[place])
    try:
        made = tools.once(model, part, size_of(part), lambda: _at_own_size(part, model, tools))
    except HostError as error:
        notes.append(LeftOut(f"the model {model.name} could not be used, its detail is missing: {error}"))
        return Grained(pixels, "", True)
    within = None if mask is None else mask[place]
    blended = blend_detail(part, made, strength, within, own=True)
    lost = _lost(part, blended, within)
    result = blended
    if size_of(blended) != size_of(pixels):
        result = pixels.copy()
        result[place] = blended
    if lost > _TOLD_LOSS:
        notes.append(
            f"{model.name} smooths here instead of adding: the fine detail of calm parts fell by {lost:.0%}; "
            "a 1x model for skin adds"
        )
    back = f", {model.scale}x and back" if model.scale > 1 else ""
    return Grained(result, f"{model.name} ({strength:.0%}{back})", False)


def models_for(wanted: str, size: Size, there: Sequence[UpscalerFacts]) -> tuple[tuple[str, float], ...]:
    """The model that `grained` would take, with the megapixels given to it at most; none where it is missing."""
    model = _chosen(wanted.strip(), there, [])
    return () if model is None else ((model.name, size.megapixels),)


def _chosen(wanted: str, there: Sequence[UpscalerFacts], notes: list[str]) -> UpscalerFacts | None:
    """The model of that name; "auto" takes a 1x model, by preference one for skin."""
    keeping = [item for item in there if item.scale == 1 and not item.problem]
    if wanted == AUTO_UPSCALER:
        found = min(keeping, key=lambda item: not _FOR_SKIN.search(item.name), default=None)
        if found is None:
            notes.append(LeftOut("there is no 1x model here, so no detail was added; docs/texture.md names some"))
        return found
    for item in there:
        if item.name == wanted:
            return item
    names = ", ".join(item.name for item in keeping) or "none"
    notes.append(LeftOut(f"there is no model {wanted!r} here, so its detail is missing; 1x models here: {names}"))
    return None


def _lost(before: Pixels, after: Pixels, mask: Mask | None) -> float:
    """The share of the fine detail of calm parts that is gone, judged by the picture's middle; below 0 for more."""
    size = size_of(before)
    height, width = (max(1, min(_JUDGED, side - 2 * _BORDER)) for side in (size.height, size.width))
    top, left = (size.height - height) // 2, (size.width - width) // 2
    middle = (slice(top, top + height), slice(left, left + width))
    where = np.ones((height, width), dtype=np.bool_) if mask is None else mask[middle] > 0.5
    return calm_detail_lost(before[middle], after[middle], where)


def _at_own_size(pixels: Pixels, model: UpscalerFacts, tools: Tools) -> Pixels:
    """What the model makes of the pixels, at their size, in strips where that is large."""
    size = size_of(pixels)
    made = np.empty_like(pixels)
    for top, bottom in in_strips(size.height, max(_CONTEXT, _STRIP_PIXELS // (size.width * model.scale**2))):
        first, last = max(0, top - _CONTEXT), min(size.height, bottom + _CONTEXT)
        given = np.ascontiguousarray(pixels[first:last])
        back = upscaled(model.name, given, tools)
        if size_of(back) != size_of(given):
            back = resize(back, size_of(given), "area")
        made[top:bottom] = back[top - first : bottom - first]
    return made
