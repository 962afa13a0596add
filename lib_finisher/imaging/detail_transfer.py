"""Detail transfer: the fine texture that a picture had, and that a smoother version of it has lost, put back.

What retouchers do by frequency separation, made local. Two bands are finer than about three pixels. In each, with b the
band before, a the band after, and means over a neighbourhood of some pixels (E of b², A of a², C of ab),

    a + h·b   has the energy T for   h = (-C + sqrt(C² + E·(T - A))) / E

T is the energy of what was there, noise taken off: all of it where a is a weaker b (a = k·b becomes b again), less
where a is another texture. So what is as strong as before stays as it is. No more than the Wiener share of b comes
back (N. Wiener 1949), so noise does not. Where the structure below these bands has moved or gone, nothing comes back:
an edge must not appear twice. The result stays between the least and the largest values that either picture has
nearby, so no halo appears that neither has.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.masks import smoothstep
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.strips import in_strips, resized_rows

# Deviations of the blurs that bound the bands, and of the one below which structure is compared.
_BOUNDS = (0.8, 2.0)
_STRUCTURE = 6.0
# How the structure before and after must correlate for all detail to come back, and for none; and how much of it must
# be left. What is fainter than a level is none.
_SAME, _OTHER = 0.95, 0.75
_THERE, _GONE = 0.5, 0.15
_FAINT = np.float32((1.0 / 255.0) ** 2)
# Another texture of so much of the energy takes the place of what was there.
_NEW = np.float32(0.7)
# Neighbourhoods, at half the size.
_POOL = 1.4
_TINY = np.float32(1e-9)
_NEAR = np.ones((3, 3), dtype=np.uint8)
# Rows that are worked on at a time, and what those see beyond: three blurs after each other.
_STRIP_PIXELS = 2_000_000
_CONTEXT = 48

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Transferred:
    """What a transfer did, as sums over pixels, so that those of many patches add up.

    `energy` is that of the fine detail before; `kept` how much of it was left and `restored` how much is there now,
    both as projections on what was: noise and texture of other kinds do not count.
    """

    energy: float = 0.0
    kept: float = 0.0
    restored: float = 0.0

    def __add__(self, other: Transferred) -> Transferred:
        return Transferred(self.energy + other.energy, self.kept + other.kept, self.restored + other.restored)

    @property
    def share(self) -> float:
        """How much of the fine detail before came back, as a share of it."""
        return (self.restored - self.kept) / self.energy if self.energy > 0 else 0.0


def lost_detail(
    before: Pixels,
    after: Pixels,
    strength: float,
    noise: float = 0.0,
    where: Mask | None = None,
    counted: Mask | None = None,
) -> tuple[Pixels, Transferred]:
    """What to add to `after` (height, width, 3), and what that brings back.

    Both pictures are (height, width, 3), 0..1, of one size; `strength` is 0..1, `noise` the standard deviation of
    white noise in `before` (see `imaging.noise`). `where` (height, width), 0..1, limits what comes back, `counted` is
    the weight of each pixel in the sums. Where nothing was lost the result is 0 exactly; it leads no value out of 0..1.
    """
    height, width = before.shape[:2]
    added = np.empty((height, width, 3), dtype=np.float32)
    told = Transferred()
    for top, bottom in in_strips(height // 2 + 1, max(1, _STRIP_PIXELS // (2 * width))):
        # Strips begin at even rows, since neighbourhoods are looked at at half the size.
        top, bottom = 2 * top, min(2 * bottom, height)
        if top >= bottom:
            continue
        first, last = max(0, top - _CONTEXT), min(height, bottom + _CONTEXT)
        inner = slice(top - first, bottom - first)
        limit = np.float32(strength) if where is None else np.float32(strength) * where[first:last]
        weight = None if counted is None else counted[top:bottom]
        added[top:bottom], part = _lost(before[first:last], after[first:last], limit, noise, inner, weight)
        told += part
    return added, told


def give_back(
    made: Pixels, source: Pixels, strength: float, noise: float = 0.0, where: Mask | None = None
) -> Transferred:
    """Give `made`, in place, the fine detail of the picture that it was enlarged from; what that brings back.

    Compared at the size of `source`, where the bands are finest: `made` is reduced to it, and what it lost comes back
    enlarged. `where` has the size of `source`. `noise` as in `lost_detail`.
    """
    size, large = size_of(source), size_of(made)
    added, told = lost_detail(source, resize(made, size, "area"), strength, noise, where)
    for top, bottom in in_strips(large.height, max(1, _STRIP_PIXELS // large.width)):
        made[top:bottom] += resized_rows(added, 0, size.height, large, top, bottom)
        np.clip(made[top:bottom], 0.0, 1.0, out=made[top:bottom])
    return told


def _lost(
    before: Pixels, after: Pixels, limit: np.float32 | Mask, noise: float, inner: slice, weight: Mask | None
) -> tuple[Pixels, Transferred]:
    was, now = _grey(before), _grey(after)
    bands_was, bands_now = _bands(was), _bands(now)
    alike = _structure_kept(bands_was[-1], bands_now[-1])
    lost = np.zeros_like(was)
    for b, a, share in zip(bands_was[:-1], bands_now[:-1], _WHITE):
        lost += b * _enlarged(_share(b, a, noise * noise * share) * alike, b)
    lost *= limit
    lowest = np.minimum(cv2.erode(was, _NEAR), cv2.erode(now, _NEAR))
    highest = np.maximum(cv2.dilate(was, _NEAR), cv2.dilate(now, _NEAR))
    lost = np.clip(now + lost, lowest, highest) - now
    had, has = (bands[0][inner] + bands[1][inner] for bands in (bands_was, bands_now))
    counted = had if weight is None else had * weight
    back = (lost - _blur(lost, _BOUNDS[-1]))[inner]
    energy, kept, more = (float(np.vdot(counted, band)) for band in (had, has, back))
    told = Transferred(energy, kept, kept + more)
    added = (lost[..., None] * _colour_of(before, bands_was[0] + bands_was[1]))[inner]
    after = after[inner]
    return np.clip(added, np.minimum(-after, 0.0), np.maximum(1.0 - after, 0.0)), told


def _grey(pixels: Pixels) -> Plane:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels, dtype=np.float32), cv2.COLOR_RGB2GRAY))


def _blur(plane: Plane, deviation: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), deviation, borderType=cv2.BORDER_REFLECT))


def _bands(grey: Plane) -> list[Plane]:
    """From the finest to the structure below."""
    levels: list[Plane] = [grey, *(_blur(grey, bound) for bound in (*_BOUNDS, _STRUCTURE))]
    return [finer - coarser for finer, coarser in itertools.pairwise(levels)]


def _pooled(plane: Plane) -> Plane:
    """The mean of each pixel's neighbourhood, at half the size."""
    height, width = plane.shape[:2]
    even: Plane = np.asarray(plane)
    if height % 2 or width % 2:
        even = np.asarray(cv2.copyMakeBorder(plane, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE))
    half = cv2.resize(even, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    return _blur(np.asarray(half), _POOL)


def _enlarged(half: Plane, like: Plane) -> Plane:
    whole = cv2.resize(half, (2 * half.shape[1], 2 * half.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole[: like.shape[0], : like.shape[1]])


def _share(b: Plane, a: Plane, floor: float) -> Plane:
    """How much of the band before is to be added to the one after, at half the size."""
    energy, left, common = _pooled(b * b), _pooled(a * a), _pooled(a * b)
    signal = np.maximum(energy - np.float32(floor), 0.0)
    energy = np.maximum(energy, _TINY)
    same = np.minimum(common * common / (energy * np.maximum(left, _TINY)), 1.0)
    # What is nearly the same texture comes back wholly, even where something was drawn over it.
    wanted = signal * (_NEW + (1 - _NEW) * same) + same * (1 - same) * left
    missing = np.maximum(wanted - left, 0.0)
    share = (np.sqrt(common * common + energy * missing) - common) / energy
    return np.where(missing > 0, np.clip(share, 0.0, signal / energy), 0.0).astype(np.float32)


def _structure_kept(was: Plane, now: Plane) -> Plane:
    """1 where the structure is as it was, if weaker, 0 where it moved, went or is another; at half the size."""
    had, has, common = _pooled(was * was) + _FAINT, _pooled(now * now) + _FAINT, _pooled(was * now) + _FAINT
    in_place = smoothstep((common / np.sqrt(had * has) - _OTHER) / (_SAME - _OTHER))
    still_there = smoothstep((common / had - _GONE) / (_THERE - _GONE))
    return np.asarray(in_place * still_there, dtype=np.float32)


def _colour_of(before: Pixels, detail: Plane) -> Pixels:
    """Of which colour the detail before was, nearby: each channel's slope over its luma (height, width, 3).

    Grey detail has 1 in all three, and what has one hue keeps it.
    """
    energy = _pooled(detail * detail) + _TINY
    slopes = [
        (_pooled((plane - _blur(plane, _BOUNDS[-1])) * detail) + _TINY) / energy
        for plane in (np.ascontiguousarray(before[..., channel], dtype=np.float32) for channel in range(3))
    ]
    return _enlarged(np.asarray(cv2.merge(slopes)), detail)


def _white_shares() -> tuple[float, ...]:
    """The energy that white noise of deviation 1 has in each of the bands: that of their impulse responses."""
    impulse = np.zeros((65, 65), dtype=np.float32)
    impulse[32, 32] = 1.0
    return tuple(float(np.square(band).sum()) for band in _bands(impulse)[:-1])


_WHITE = _white_shares()
