"""A look at the borders of tiles after they are blended: where two tiles meet at different levels, the step is spread.

Only bands along the borders are read and written, so the cost is that of the bands, whatever the picture's size.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.masks import smoothstep
from lib_finisher.redraw.layout import transition
from lib_finisher.redraw.patch import Patch

# How far beside the overlap the levels of both tiles are taken from, and how far a step is spread.
_REACH = 32
_LEAST_REACH = 8
# A step shows from about a level and a half over few pixels; over many it must be larger to be seen.
_SEEN, _SEEN_EACH_PIXEL = 1.0 / 255.0, 1.0 / 255.0 / 16.0
# A border is no seam where the picture's change has steps half as high beside it.
_BESIDE = 2.0
# Every fourth row tells as much; along a border steps are smoothed over so many of those rows.
_EVERY = 4
_ALONG = 3.0


def mended(before: Pixels, after: Pixels, patches: Sequence[Patch]) -> tuple[int, int]:
    """Spread, in `after` itself, the steps that tiles have left at their borders; (borders mended, borders looked at).

    `before` is the picture that the tiles were cut from; both are (height, width, 3). What the tiles have changed is
    compared on both sides of each overlap, and with what lies further off. Pixels that no tile has changed stay as
    they are.
    """
    mended_borders = looked_at = 0
    for turned in (False, True):
        was, now = (before.swapaxes(0, 1), after.swapaxes(0, 1)) if turned else (before, after)
        for begin, end in _overlaps(patches, turned):
            looked_at += 1
            mended_borders += _mend(was, now, begin, end)
    return mended_borders, looked_at


def _overlaps(patches: Sequence[Patch], turned: bool) -> Iterator[tuple[int, int]]:
    """From where to where neighbouring tiles overlap, along the columns (`turned`: the rows)."""
    spans = {(one.box.top, one.box.bottom) if turned else (one.box.left, one.box.right) for one in patches}
    ordered = sorted(spans)
    for (_, end), (begin, _) in itertools.pairwise(ordered):
        yield min(begin, end), max(begin, end)


def _mend(before: Pixels, after: Pixels, begin: int, end: int) -> bool:
    """Mend the one border whose overlap has the columns `begin` to `end`; whether there was anything to mend."""
    width = after.shape[1]
    reach = min(_REACH, begin, width - end)
    if reach < _LEAST_REACH:
        return False
    shift = reach + end - begin
    left = max(0, begin - reach - shift)
    area = slice(left, min(width, end + reach + shift))
    change = after[::_EVERY, area] - before[::_EVERY, area]
    step = _step(change, begin - left, end - left, reach)
    beside = [
        np.abs(_step(change, begin + side - left, end + side - left, reach)).max(axis=1)
        for side in (-shift, shift)
        if begin + side - reach >= left and end + side + reach <= area.stop
    ]
    height = np.abs(step).max(axis=1)
    least = np.maximum(_SEEN + _SEEN_EACH_PIXEL * (end - begin), _BESIDE * np.max([height * 0, *beside], axis=0))
    share = smoothstep(height / np.maximum(least, 1e-9) - 1.0)
    if float(share.max()) < 0.5:
        return False
    band = slice(begin - reach, end + reach)
    place = np.arange(band.start, band.stop) + 0.5
    spread = smoothstep((place - band.start) / (band.stop - band.start))
    narrow = transition(place - begin, end - begin)
    by = cv2.resize((share[:, None] * step)[:, None, :], (1, after.shape[0]), interpolation=cv2.INTER_LINEAR)
    correction = by * (spread - narrow)[None, :, None]
    changed = (after[:, band] != before[:, band]).any(axis=-1, keepdims=True)
    after[:, band] += np.where(changed, correction, 0.0).astype(np.float32)
    return True


def _step(change: Pixels, begin: int, end: int, reach: int) -> Pixels:
    """By how much the change is higher right of an overlap than left of it, row by row (rows, 3), smoothed."""
    rows = change[:, end : end + reach].mean(axis=1) - change[:, begin - reach : begin].mean(axis=1)
    smooth = cv2.GaussianBlur(rows[:, None, :], (1, 0), 1e-6, sigmaY=_ALONG, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth, dtype=np.float32)[:, 0]
