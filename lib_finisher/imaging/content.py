"""What a picture shows, as far as its statistics tell: a photograph, or a drawing in the manner of anime."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint8
from lib_finisher.imaging.geometry import size_of

PHOTOGRAPH, ANIME, GENERAL = "photograph", "anime", "general"

_LONG_SIDE = 512
# Standard deviations of 3 × 3 neighbourhoods, in 8-bit levels.
_FLAT, _TEXTURED, _TEXTURED_END, _EDGE = 1.0, 2.0, 12.0, 20.0
# Below this, what is no edge has no grain at all: no camera made it.
_NO_GRAIN = 0.3
# From a logistic regression on the pictures that docs/upscaling.md names.
_EDGE_WEIGHT, _FLAT_WEIGHT, _COLOUR_WEIGHT, _INTERCEPT = 2.18, 1.86, 1.57, -2.27
_SURE = 0.75


@dataclass(frozen=True)
class Content:
    """`kind` is "photograph", "anime" (drawings with clean lines and flat fills) or "general" (neither surely).

    `confidence` is 0..1; for "general" it says how sure it is that it is neither, and is low.
    """

    kind: str
    confidence: float


@dataclass(frozen=True)
class Statistics:
    """Shares of the picture (0..1) that are flat, textured and edges, and `colours`, how many of 4096 hold 90 % of it.

    `grain` is the median standard deviation of what lies away from edges, in 8-bit levels.
    """

    flat: float
    textured: float
    edges: float
    colours: int
    grain: float


def content_of(pixels: Pixels) -> Content:
    """What a picture (height, width, 3) shows, at any size; some milliseconds.

    Drawings have strong edges, flat fills and many saturated colours but little that lies between flat and edge;
    photographs have that texture. It is a guess: of photographs and drawings about one in five is left as "general",
    and about one in thirty taken for the other.
    """
    found = statistics_of(pixels)
    if found.edges + found.textured < 0.01:
        return Content(GENERAL, 0.0)
    score = (
        _EDGE_WEIGHT * math.log((found.edges + 0.003) / (found.textured + 0.003))
        + _FLAT_WEIGHT * math.log(found.flat + 0.02)
        + _COLOUR_WEIGHT * math.log(found.colours + 1)
        + _INTERCEPT
    )
    drawn = 1.0 / (1.0 + math.exp(-score))
    if drawn >= _SURE:
        return Content(ANIME, drawn)
    if drawn <= 1.0 - _SURE and found.grain >= _NO_GRAIN:
        return Content(PHOTOGRAPH, 1.0 - drawn)
    return Content(GENERAL, 1.0 - 2.0 * abs(drawn - 0.5))


def statistics_of(pixels: Pixels) -> Statistics:
    """The statistics that `content_of` judges by, of the picture reduced to 512 pixels on its longer side."""
    size = size_of(pixels)
    small = size.scaled(min(1.0, _LONG_SIDE / max(size.width, size.height)))
    reduced = pixels if small == size else cv2.resize(pixels, (small.width, small.height), interpolation=cv2.INTER_AREA)
    levels = to_uint8(reduced)
    spread = _spread(np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY), dtype=np.float32))
    away = cv2.dilate((spread > _TEXTURED_END).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    return Statistics(
        flat=float((spread < _FLAT).mean()),
        textured=float(((spread >= _TEXTURED) & (spread < _TEXTURED_END)).mean()),
        edges=float((spread >= _EDGE).mean()),
        colours=_colours(levels),
        grain=float(np.median(spread[away])) if float(away.mean()) > 0.02 else _TEXTURED_END,
    )


def _spread(grey: Mask) -> Mask:
    mean = cv2.blur(grey, (3, 3))
    return np.sqrt(np.maximum(cv2.blur(grey * grey, (3, 3)) - mean * mean, 0.0))


def _colours(levels: np.ndarray) -> int:
    coarse = (levels >> 4).astype(np.int32)
    counts = np.bincount((coarse[..., 0] * 256 + coarse[..., 1] * 16 + coarse[..., 2]).ravel(), minlength=4096)
    covered = np.cumsum(np.sort(counts)[::-1]) / counts.sum()
    return int(np.searchsorted(covered, 0.9)) + 1
