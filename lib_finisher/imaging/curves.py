"""Curves given as text: points of the lightness and of single channels, with smooth lines between."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask

CHANNELS = ("l", "r", "g", "b")
_MOST = 255.0
_ENTRIES = 4096
_MOST_POINTS = 64
_POINT = re.compile(r"\s*(\d{1,4}(?:\.\d{1,6})?)\s*,\s*(\d{1,4}(?:\.\d{1,6})?)\s*")
_HOW = 'write points as "0,0; 64,58; 255,255", more channels after "|" as "r: 0,0; 255,250"'

Table = npt.NDArray[np.float32]


class CurveError(ValueError):
    """A text that is no curves. The message says which part is wrong."""


@dataclass(frozen=True, eq=False)
class Curves:
    """A table for each channel that has a curve: "l" of the lightness, "r", "g" and "b" of the encoded channels."""

    tables: dict[str, Table] = field(default_factory=dict)

    @property
    def colour(self) -> bool:
        """Whether a single channel has a curve."""
        return bool(self.tables.keys() - {"l"})


def read_curves(text: str) -> Curves:
    """Curves from points like "0,0; 64,58; 255,255 | r: 0,0; 255,240", each 0..255. Raises CurveError.

    Without a letter a part is for the lightness. Between the points runs a monotone cubic (Fritsch and Carlson 1980),
    beyond the outermost it is level.
    """
    tables: dict[str, Table] = {}
    for part in re.split(r"[|\n]", text):
        if not part.strip():
            continue
        name, colon, rest = part.partition(":")
        channel = name.strip().lower() if colon else "l"
        if channel not in CHANNELS:
            raise CurveError(f"curves: {name.strip()[:40]!r} is no channel; it must be one of l, r, g, b.")
        if channel in tables:
            raise CurveError(f"curves: the channel {channel!r} has two curves.")
        tables[channel] = _table(_points(rest if colon else part))
    return Curves(tables)


def through(values: Mask, table: Table) -> Mask:
    """Values (0..1, clipped) through a table of evenly spaced entries, with straight lines between them."""
    place = np.clip(values, 0.0, 1.0) * np.float32(len(table) - 1)
    lower = np.minimum(place.astype(np.int32), len(table) - 2)
    below = table.take(lower)
    return np.asarray(below + (place - lower.astype(np.float32)) * (table.take(lower + 1) - below), dtype=np.float32)


def _points(text: str) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for item in text.split(";"):
        if not item.strip():
            continue
        found = _POINT.fullmatch(item)
        if found is None:
            raise CurveError(f"curves: {item.strip()[:40]!r} is no point; {_HOW}.")
        x, y = float(found[1]), float(found[2])
        if x > _MOST or y > _MOST:
            raise CurveError(f"curves: the point {item.strip()} lies outside 0 to 255.")
        if points and x <= points[-1][0]:
            raise CurveError(f"curves: the point {item.strip()} does not lie to the right of the one before.")
        points.append((x, y))
    if not 2 <= len(points) <= _MOST_POINTS:
        raise CurveError(f"curves: a curve has 2 to {_MOST_POINTS} points, this one {len(points)}; {_HOW}.")
    return points


def _table(points: list[tuple[float, float]]) -> Table:
    x, y = (np.array(values) / _MOST for values in zip(*points))
    slopes = _slopes(x, y)
    at = np.clip(np.arange(_ENTRIES + 1) / _ENTRIES, x[0], x[-1])
    left = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    wide = x[left + 1] - x[left]
    t = (at - x[left]) / wide
    one, two = t * t * (3.0 - 2.0 * t), t * (1.0 - t) ** 2
    three = t * t * (t - 1.0)
    result = y[left] * (1.0 - one) + y[left + 1] * one + wide * (slopes[left] * two + slopes[left + 1] * three)
    return np.clip(result, 0.0, 1.0).astype(np.float32)


def _slopes(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slopes at the points with which a cubic between them never goes beyond them."""
    wide = np.diff(x)
    secant = np.diff(y) / wide
    slopes = np.concatenate([secant[:1], np.zeros(len(x) - 2), secant[-1:]])
    for index in range(1, len(x) - 1):
        before, after = secant[index - 1], secant[index]
        if before * after > 0:
            one, two = 2 * wide[index] + wide[index - 1], wide[index] + 2 * wide[index - 1]
            slopes[index] = (one + two) / (one / before + two / after)
    return slopes
