"""Enlarging with an upscaler model: which one, on what size, and how its picture becomes exactly the one asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL.Image import Resampling

from lib_finisher.hosts.port import HostError, UpscalerFacts
from lib_finisher.imaging.arrays import Pixels, from_uint16, to_uint16
from lib_finisher.imaging.content import content_of
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.strips import in_strips, resized_rows
from lib_finisher.notes import LeftOut
from lib_finisher.stages.model_check import upscaled
from lib_finisher.stages.stage import Tools
from lib_finisher.stages.upscaler_choices import AUTO_UPSCALER, LANCZOS
from lib_finisher.stages.upscaler_names import best_for, misfit

_MOST_RUNS = 2
# How small a picture may be made before a model that enlarges at least twice as much as is needed; measured in
# docs/upscaling.md. What a model itself has made holds less detail in a pixel.
_SOURCE_SHRINK, _MADE_SHRINK = 0.85, 0.7
# A model's picture of more pixels is made in strips, with so many rows of its input as context on either side.
_STRIP_PIXELS = 32_000_000
_CONTEXT = 32
_SLACK = 1e-6


class Enlarged(NamedTuple):
    """A picture at exactly the size asked for, how it was made, whether a model that is there could not be used, and
    whether one has made it larger."""

    pixels: Pixels
    how: str
    degraded: bool
    by_model: bool = False


class _OtherScale(Exception):
    """A model enlarges by another scale than its name tells."""

    def __init__(self, scale: int) -> None:
        super().__init__(scale)
        self.scale = scale


def choose_upscaler(
    wanted: str, there: Sequence[UpscalerFacts], notes: list[str], pixels: Pixels | None = None
) -> UpscalerFacts | None:
    """The model of that name; None for Lanczos. "auto" takes one that enlarges, by preference one made for `pixels`.

    Where there is none of that name, or it does not suit the picture, that is told in `notes`.
    """
    if wanted == LANCZOS:
        return None
    if wanted == AUTO_UPSCALER:
        known = [item for item in there if item.scale > 1 and not item.problem]
        return best_for(content_of(pixels), known) if pixels is not None and len(known) > 1 else next(iter(known), None)
    for item in there:
        if item.name == wanted:
            told = misfit(item.name, content_of(pixels), there) if pixels is not None else ""
            notes += [told] if told else []
            return item
    names = ", ".join([*(item.name for item in there if not item.problem), LANCZOS])
    notes.append(LeftOut(f"there is no upscaler {wanted!r} here, so {LANCZOS} was used; upscalers here: {names}"))
    return None


def enlarge(
    pixels: Pixels, target: Size, wanted: str, blend: float, tools: Tools, notes: list[str], fidelity: float = 0.0
) -> Enlarged:
    """The picture at exactly `target`, through the wanted upscaler model where it is there.

    `blend` (0..1) is how much of the model's picture is used; the rest is Lanczos. `fidelity` (0..1) is how firmly the
    model's picture is held to the draft (see `hold_to_draft`). A model that enlarges much more than
    is needed runs on a smaller picture; beyond its scale it runs twice; one that keeps the size (1x) runs once. What
    went otherwise than wanted is told in `notes`. Raises Interrupted and Skipped.
    """
    grows = _factor(pixels, target) > 1
    model = choose_upscaler(wanted, tools.host.upscalers(), notes, pixels if grows else None)
    if model is None or blend <= 0 or (model.scale > 1 and not grows):
        same = size_of(pixels) == target
        return Enlarged(pixels if same else _lanczos(pixels, target), "no enlargement" if same else LANCZOS, False)
    try:
        # Rounded as pictures between stages are, so that it is the same whether it was kept or not.
        rounded = tools.once(model, pixels, target, lambda: to_uint16(_by_model(pixels, target, model, tools)))
    except HostError as error:
        notes.append(LeftOut(f"the upscaler {model.name} could not be used, {LANCZOS} took its place: {error}"))
        return Enlarged(_lanczos(pixels, target), LANCZOS, True)
    made = from_uint16(rounded)
    _blend(made, pixels, blend)
    if model.scale > 1:
        hold_to_draft(made, pixels, fidelity)
    return Enlarged(made, model.name if blend >= 1 else f"{model.name} ({blend:.0%})", False, grows)


def model_work(size: Size, target: Size, wanted: str, blend: float, there: Sequence[UpscalerFacts]) -> float:
    """The megapixels that `enlarge` gives to the model `wanted`, as far as that can be said without the picture."""
    model = choose_upscaler(wanted, there, [])
    factor = max(target.height / size.height, target.width / size.width)
    if model is None or blend <= 0 or (model.scale > 1 and factor <= 1):
        return 0.0
    total, given, shrink = 0.0, size, _SOURCE_SHRINK
    if model.scale > 1 and factor > model.scale + _SLACK:
        total, given, factor, shrink = size.megapixels, size.scaled(model.scale), factor / model.scale, _MADE_SHRINK
    needed = factor / model.scale
    if needed <= 0.5 and model.scale > 1:
        given = given.scaled(max(shrink, needed))
    return total + given.megapixels


def _by_model(pixels: Pixels, target: Size, model: UpscalerFacts, tools: Tools) -> Pixels:
    scale = model.scale
    for _ in range(2):
        try:
            return _runs(pixels, target, model.name, scale, tools)
        except _OtherScale as other:
            scale = other.scale
    raise HostError(f"The upscaler {model.name} does not enlarge by one scale; choose another.")


def _runs(pixels: Pixels, target: Size, name: str, scale: int, tools: Tools) -> Pixels:
    current, shrink = pixels, _SOURCE_SHRINK
    for _ in range(_MOST_RUNS - 1):
        if scale <= 1 or _factor(current, target) <= scale + _SLACK:
            break
        size = size_of(current)
        current = upscaled(name, current, tools)
        _check_scale(current.shape[1], size.width, scale)
        shrink = _MADE_SHRINK
    ready = _shrunk(current, target, scale, shrink)
    made = _last_run(ready, target, name, scale, tools)
    if ready is not current and current is pixels:
        _restore(made, pixels, size_of(ready))
    return np.clip(made, 0.0, 1.0, out=made)


def _last_run(ready: Pixels, target: Size, name: str, scale: int, tools: Tools) -> Pixels:
    """The model's picture of `ready` at the target's size, in strips where it is large; may leave 0..1 a little."""
    size = size_of(ready)
    made = np.empty((target.height, target.width, 3), dtype=np.float32)
    for top, bottom in in_strips(size.height, max(_CONTEXT, _STRIP_PIXELS // (size.width * scale * scale))):
        first, last = max(0, top - _CONTEXT), min(size.height, bottom + _CONTEXT)
        enlarged = upscaled(name, ready[first:last], tools)
        _check_scale(enlarged.shape[1], size.width, scale)
        begin, end = (round(row * target.height / size.height) for row in (top, bottom))
        made[begin:end] = resized_rows(enlarged, first * scale, size.height * scale, target, begin, end)
    return made


def _check_scale(after: int, before: int, scale: int) -> None:
    real = max(1, round(after / before))
    if real != scale:
        raise _OtherScale(real)


def _shrunk(pixels: Pixels, target: Size, scale: int, most: float) -> Pixels:
    """The picture as small as the model needs it for the target, but no smaller than `most` of each side."""
    needed = _factor(pixels, target) / scale
    return pixels if needed > 0.5 or scale <= 1 else _lanczos(pixels, size_of(pixels).scaled(max(most, needed)))


def _restore(made: Pixels, source: Pixels, shrunk: Size) -> None:
    """Give `made`, in place, what the source has and a picture of the shrunk size cannot hold: its finest detail."""
    size = size_of(source)
    lost = source - resize(made, size)
    lost -= resize(resize(lost, shrunk), size)
    for top, bottom in _rows_of(made):
        made[top:bottom] += resized_rows(lost, 0, size.height, size_of(made), top, bottom)


def _blend(made: Pixels, source: Pixels, blend: float) -> None:
    """Move `made`, in place, towards the source enlarged by Lanczos."""
    if blend >= 1:
        return
    for top, bottom in _rows_of(made):
        plain = np.clip(resized_rows(source, 0, source.shape[0], size_of(made), top, bottom), 0.0, 1.0)
        made[top:bottom] = plain + np.float32(blend) * (made[top:bottom] - plain)


def hold_to_draft(made: Pixels, draft: Pixels, fidelity: float) -> None:
    """Give `made`, in place, the draft's structure and colours under its own finer detail.

    One step of back-projection (Irani and Peleg 1991): what `made`, reduced by the mean over each pixel of the draft,
    differs from the draft by is enlarged bilinearly and added, times `fidelity` (0..1). Then the same for what still
    lies beyond all nine pixels of the draft around it: the light or dark fringe that models draw along edges. Detail
    within a pixel of the draft, which no draft can hold, stays the model's.
    """
    if fidelity <= 0:
        return
    size = size_of(draft)
    _add(made, np.float32(fidelity) * (draft - resize(made, size, "area")))
    around = np.ones((3, 3), dtype=np.uint8)
    reduced = resize(made, size, "area")
    within = np.clip(reduced, cv2.erode(draft, around), cv2.dilate(draft, around))
    _add(made, np.float32(fidelity) * (within - reduced))
    np.clip(made, 0.0, 1.0, out=made)


def _add(made: Pixels, small: Pixels) -> None:
    """Add to `made`, in place, a smaller picture enlarged bilinearly."""
    for top, bottom in _rows_of(made):
        made[top:bottom] += resized_rows(small, 0, small.shape[0], size_of(made), top, bottom, Resampling.BILINEAR)


def _lanczos(pixels: Pixels, target: Size) -> Pixels:
    result = resize(pixels, target)
    return np.clip(result, 0.0, 1.0, out=result)


def _factor(pixels: Pixels, target: Size) -> float:
    return max(target.height / pixels.shape[0], target.width / pixels.shape[1])


def _rows_of(pixels: Pixels) -> list[tuple[int, int]]:
    return in_strips(pixels.shape[0], max(1, _STRIP_PIXELS // (8 * pixels.shape[1])))
