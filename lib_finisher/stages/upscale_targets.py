"""How large each pass makes the picture, to the pixel, and where everything in it comes to lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size, frame, paste_region
from lib_finisher.imaging.limits import MOST_SIDE
from lib_finisher.imaging.resize import resize
from lib_finisher.stages.regions import Region
from lib_finisher.stages.upscale_settings import (
    CROP,
    EXACT,
    FIT,
    LONG_SIDE,
    MEGAPIXELS,
    MOST_FACTOR,
    SHORT_SIDE,
    UpscalePass,
)


@dataclass(frozen=True)
class Target:
    """Where a pass takes a picture of the size `before`: all of it is made `enlarged`, and `box` of that is kept,
    mirrored where it reaches beyond."""

    before: Size
    enlarged: Size
    box: Box

    @property
    def size(self) -> Size:
        """What comes out."""
        return self.box.size

    @property
    def reframes(self) -> bool:
        """Whether anything is cut off or added."""
        return self.box != frame(self.enlarged)

    @property
    def cuts(self) -> bool:
        """Whether something is cut off and nothing added."""
        return self.reframes and self.box.intersection(frame(self.enlarged)) == self.box

    def region(self, region: Region) -> Region | None:
        """The region in what comes out, None where it is cut off."""
        scaled = region.scaled(self.enlarged.width / self.before.width)
        box = scaled.box.moved(-self.box.left, -self.box.top)
        return replace(scaled, box=box) if box.intersection(frame(self.size)) else None

    def mask(self, mask: Mask) -> Mask:
        """A mask of the picture, for what comes out; nothing is marked in what was added."""
        moved = np.zeros((self.size.height, self.size.width), dtype=np.float32)
        lands = paste_region(self.size, frame(self.enlarged).moved(-self.box.left, -self.box.top))
        if lands is not None:
            moved[lands[0]] = np.clip(resize(mask, self.enlarged, "bilinear"), 0.0, 1.0)[lands[1]]
        return moved


def targets_of(size: Size, passes: Sequence[UpscalePass]) -> list[Target]:
    """The target of each pass for a picture of `size`. Sizes are never rounded but to the nearest pixel, once.

    Raises HostError where a picture would be too large, enlarged too much, or no size is given.
    """
    targets = []
    # The size without any rounding, so that the rounding of several passes does not add up.
    exact: tuple[float, float] = (size.width, size.height)
    before = size
    for one in passes:
        target, exact = _target(before, exact, one)
        largest = max(target.enlarged.width, target.enlarged.height, target.size.width, target.size.height)
        if largest > MOST_SIDE and target.size != before:
            beyond = target.enlarged if target.cuts else target.size
            raise HostError(f"The upscaled picture would be {beyond}; at most {MOST_SIDE} pixels a side are supported.")
        targets.append(target)
        before = target.size
    return targets


def _target(before: Size, exact: tuple[float, float], one: UpscalePass) -> tuple[Target, tuple[float, float]]:
    factor = _factor(exact, one)
    if factor > MOST_FACTOR * (1 + 1e-9):
        raise HostError(f"{before} would be enlarged {factor:.3g} times; at most {MOST_FACTOR:g} times are supported.")
    scaled = exact[0] * factor, exact[1] * factor
    enlarged = Size(max(1, round(scaled[0])), max(1, round(scaled[1])))
    if one.target != EXACT or one.aspect == FIT or not (one.width and one.height):
        return Target(before, enlarged, frame(enlarged)), scaled
    left, top = (enlarged.width - one.width) // 2, (enlarged.height - one.height) // 2
    return Target(before, enlarged, Box(left, top, left + one.width, top + one.height)), (one.width, one.height)


def _factor(exact: tuple[float, float], one: UpscalePass) -> float:
    width, height = exact
    if one.target == LONG_SIDE:
        return one.side / max(width, height)
    if one.target == SHORT_SIDE:
        return one.side / min(width, height)
    if one.target == MEGAPIXELS:
        return math.sqrt(one.megapixels * 1e6 / (width * height))
    if one.target == EXACT:
        factors = [wanted / side for wanted, side in ((one.width, width), (one.height, height)) if wanted]
        if not factors:
            raise HostError("The target width and height of the upscale are both 0; give at least one of them.")
        return max(factors) if one.aspect == CROP else min(factors)
    return one.factor
