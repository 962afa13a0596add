"""What is done to a crop before its redraw, after it, and before it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lib_finisher.detect.search import Search
from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, cut, frame, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.similarity import likeness
from lib_finisher.notes import LeftOut
from lib_finisher.redraw.patch import Gate, Patch, Polish, Prepare
from lib_finisher.stages.detail_patches import Choice
from lib_finisher.stages.detail_search import confidence_of, detectors_of, search_of
from lib_finisher.stages.detail_settings import AFTER, BEFORE, DetailPass
from lib_finisher.stages.model_check import restored, upscaled
from lib_finisher.stages.stage import Finder, Tools
from lib_finisher.stages.upscale_model import choose_upscaler

# A crop that grows by no more than this is interpolated: a model would invent what the redraw invents anyway.
_GROWS = 1.5
_GATE_SIDE = 320
_SAME_PLACE = 0.3
_UNSURE = 0.05
_INTERPOLATED, _UNRESTORED = "The crop was interpolated instead.", "The face was left as it was."


def preparing(one: DetailPass, tools: Tools, notes: list[str]) -> Prepare | None:
    """What makes the canvas of a crop: the upscaler model where it grows enough, then face restoration if wanted.

    What could not be done is told in `notes`, and the crop is taken without it.
    """
    model = choose_upscaler(one.enlarger, tools.host.upscalers(), notes) if one.enlarger else None
    restores = bool(one.restore) and one.restore_when == BEFORE
    if model is None and not restores:
        return None

    def prepare(patch: Patch, crop: Pixels) -> Pixels:
        pixels = crop
        if model is not None and patch.canvas.width > _GROWS * patch.box.width:
            pixels = _tried(lambda: upscaled(model.name, crop, tools), crop, _INTERPOLATED, notes)
        pixels = np.clip(resize(pixels, patch.canvas), 0.0, 1.0)
        return _restored(pixels, one, tools, notes) if restores else pixels

    return prepare


def polishing(one: DetailPass, tools: Tools, notes: list[str]) -> Polish | None:
    """Face restoration of what was redrawn, if wanted."""
    if not one.restore or one.restore_when != AFTER:
        return None
    return lambda patch, pixels: _restored(pixels, one, tools, notes)


def judging(one: DetailPass, choice: Choice, find: Finder) -> Gate | None:
    """Refuses a redraw that the detector is less sure of than before, by more than the gate's margin, or that is less
    alike than wanted. None where neither is asked for."""
    if one.gate >= 1 and one.likeness <= 0:
        return None

    def judge(patch: Patch, before: Pixels, after: Pixels) -> str:
        if patch.about is None:
            return ""
        regions = (patch.about,) if choice.judged is None else choice.judged
        places = [region.moved(-patch.box.left, -patch.box.top) for region in regions]
        return _unlike(one, before, after, places) or _less_sure(one, find, before, after, places)

    return judge


def _unlike(one: DetailPass, before: Pixels, after: Pixels, places: Sequence[Box]) -> str:
    if one.likeness <= 0:
        return ""
    for place in places:
        seen = place.intersection(frame(size_of(before)))
        alike = 1.0 if seen is None else likeness(cut(before, seen), cut(np.clip(after, 0.0, 1.0), seen))
        if alike < one.likeness:
            return f"it is less alike than wanted ({alike:.2f} of {one.likeness:.2f}); the old pixels stay"
    return ""


def _less_sure(one: DetailPass, find: Finder, before: Pixels, after: Pixels, places: Sequence[Box]) -> str:
    if one.gate >= 1:
        return ""
    was_sure, is_sure = (sureness(find, one, crop, places) for crop in (before, after))
    for was, now in zip(was_sure, is_sure):
        if was > 0 and now < was - one.gate:
            return f"the detector became less sure ({was:.2f} to {now:.2f}); the old pixels stay"
    return not_found_again(find, one, after, places, was_sure, is_sure)


def not_found_again(
    find: Finder,
    one: DetailPass,
    after: Pixels,
    places: Sequence[Box],
    was_sure: Sequence[float],
    is_sure: Sequence[float],
) -> str:
    """Why a redraw is refused in which a pass's detectors, as sure as it wants them, find one of the places no more.

    The scores (0..1) are those before and after; a place that was not seen before (0) is not judged. "" where nothing
    is lost.
    """
    for was, now, still in zip(was_sure, is_sure, finds_again(find, one, after, places)):
        if was > 0 and not still:
            return f"the detector does not find it any more ({was:.2f} to {now:.2f}); the old pixels stay"
    return ""


def sureness(find: Finder, one: DetailPass, crop: Pixels, regions: Sequence[Box]) -> list[float]:
    """The confidence of the finding at each region of a crop, 0 where there is none; small crops are enlarged first."""
    return _confidences(find, one, crop, regions, _UNSURE)


def finds_again(find: Finder, one: DetailPass, crop: Pixels, regions: Sequence[Box]) -> list[bool]:
    """Whether the pass's detectors, as sure as the pass wants them, find something at each region of a crop."""
    return [value > 0 for value in _confidences(find, one, crop, regions, confidence_of(one))]


def _confidences(find: Finder, one: DetailPass, crop: Pixels, regions: Sequence[Box], confidence: float) -> list[float]:
    factor = max(1.0, _GATE_SIDE / min(crop.shape[:2]))
    enlarged = np.clip(resize(crop, size_of(crop).scaled(factor), "bilinear"), 0.0, 1.0)
    search: Search = search_of(one, sliced=False)
    found = [item for name in detectors_of(one) for item in find(name, enlarged, confidence, search)]
    return [
        max((item.confidence for item in found if item.box.overlap_ratio(place) >= _SAME_PLACE), default=0.0)
        for place in (region.scaled(factor) for region in regions)
    ]


def _restored(pixels: Pixels, one: DetailPass, tools: Tools, notes: list[str]) -> Pixels:
    known = tools.host.face_restorers()
    if one.restore not in known:
        _say(notes, LeftOut(f"there is no face restoration {one.restore!r} here; it has {', '.join(known) or 'none'}"))
        return pixels
    better = _tried(lambda: restored(one.restore, pixels, tools), pixels, _UNRESTORED, notes)
    return np.asarray(pixels + np.float32(one.restore_blend) * (better - pixels), dtype=np.float32)


def _tried(act: Callable[[], Pixels], instead: Pixels, told: str, notes: list[str]) -> Pixels:
    try:
        return act()
    except HostError as error:
        _say(notes, LeftOut(f"{str(error).rstrip('.')}. {told}"))
        return instead


def _say(notes: list[str], text: str) -> None:
    if text not in notes:
        notes.append(text)
