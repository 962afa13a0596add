"""How alike two pictures are."""

from __future__ import annotations

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import luminance
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.resize import resize

_SIDE = 96
_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def likeness(one: Pixels, other: Pixels) -> float:
    """The mean structural similarity of two pictures of one size, -1..1; 1 where they are equal.

    SSIM of the luma (Wang et al. 2004, a Gaussian window of 1.5 pixels), with the longer side reduced to 96 pixels
    first: it is about features and where they are, not about skin.
    """
    first, second = _reduced(one), _reduced(other)
    mean1, mean2 = _blur(first), _blur(second)
    spread1 = _blur(first * first) - mean1 * mean1
    spread2 = _blur(second * second) - mean2 * mean2
    common = _blur(first * second) - mean1 * mean2
    light = (2 * mean1 * mean2 + _C1) / (mean1**2 + mean2**2 + _C1)
    structure = (2 * common + _C2) / (spread1 + spread2 + _C2)
    return float((light * structure).mean())


def _reduced(pixels: Pixels) -> Mask:
    size = size_of(pixels)
    factor = min(1.0, _SIDE / max(size.width, size.height))
    return luminance(resize(pixels, size.scaled(factor), "bilinear"))


def _blur(values: Mask) -> Mask:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), _SIGMA, borderType=cv2.BORDER_REFLECT), dtype=np.float32)
