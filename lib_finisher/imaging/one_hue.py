"""Pictures without colours, or of a single hue: grey, sepia, cyanotype, duotone. What models add is taken out again.

Colour is the pair (red - green, blue - green), beside the luma, all in the sRGB encoding. In grey both are 0; in a
toned picture they follow from the luma (a curve), or lie on one straight line, as in those whose saturation varies or
whose colours JPEG has blurred.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.colour import luminance
from lib_finisher.imaging.strips import in_strips

Pair = npt.NDArray[np.float32]

# So far may all pixels but a share, and any pixel, lie off a curve: 8-bit rounding. And off a line, along which JPEG's
# reduced chroma stays: two sepia photographs of quality 75 have up to 7.3 levels (99 %) and 17 (all), ten in colour at
# least 15 and 34.
_OFF_CURVE = (2.5 / 255.0, 0.001, 8.0 / 255.0)
_OFF_LINE = (9.0 / 255.0, 0.01, 24.0 / 255.0)
# By so much (deviations) a line is longer than what lies off it is wide; a pale colour picture is not so thin.
_THINNEST = 6.0
# A curve that stays within this of 0 is grey.
_GREY = 0.75 / 255.0
# A line shorter than this (a deviation) has no direction.
_LEAST_LENGTH = 3.0 / 255.0
_KNOTS, _LEAST_IN_KNOT = 33, 8
_PROBED = 1 << 15
_ROWS = 256


@dataclass(frozen=True, eq=False)
class OneHue:
    """The colours that a picture has: `curve` (knots, 2) at evenly spaced lumas, or a `line` (through a point, along a
    direction; both pairs). Neither means grey."""

    curve: Pair | None = None
    line: tuple[Pair, Pair] | None = None

    @property
    def grey(self) -> bool:
        """Whether there is no colour at all."""
        return self.curve is None and self.line is None

    def kept(self, pixels: Pixels, saturation: bool = False, own: bool = False) -> Pixels:
        """`pixels` (height, width, 3) with the luma that they have and the colours of this hue alone.

        With `saturation` a toned picture may have become more or less colourful, but of the same hue. In place where
        the pixels are the caller's `own` and nobody else's.
        """
        if saturation and self.line is None and not self.grey:
            return pixels
        result = pixels if own and pixels.flags.writeable else np.empty_like(pixels)
        for top, bottom in in_strips(len(pixels), _ROWS):
            part = pixels[top:bottom]
            luma = luminance(part)
            if self.grey:
                result[top:bottom] = luma[..., None]
            elif self.curve is not None and not saturation:
                result[top:bottom] = _coloured(luma, _on_curve(self.curve, luma))
            else:
                assert self.line is not None
                result[top:bottom] = _coloured(luma, _on_line(self.line, _pairs(part)))
        return np.clip(result, 0.0, 1.0, out=result)


GREY = OneHue()
"""No colour at all."""


def one_hue_of(pixels: Pixels, saturation: bool = False) -> OneHue | None:
    """The hue of a picture (height, width, 3) that has no other colours; None for colour pictures, which a look at
    some of their pixels tells.

    The line of a picture that follows a curve is only looked for where its saturation may change.
    """
    step = max(1, int((pixels.shape[0] * pixels.shape[1] / _PROBED) ** 0.5))
    if _told_by(np.ascontiguousarray(pixels[::step, ::step]), saturation) is None:
        return None
    return _told_by(pixels, saturation)


def _told_by(pixels: Pixels, saturation: bool) -> OneHue | None:
    if _is_grey(pixels):
        return GREY
    pairs = _pairs(pixels)
    luma = luminance(pixels)
    curve = _curve(luma, pairs)
    followed = _fits(_larger(pairs - _on_curve(curve, luma)), _OFF_CURVE)
    if followed and float(np.abs(curve).max()) <= _GREY:
        return GREY
    if followed and not saturation:
        return OneHue(curve)
    line = _line(pairs)
    straight = line is not None and _fits(_larger(pairs - _on_line(line, pairs)), _OFF_LINE)
    if followed or straight:
        return OneHue(curve if followed else None, line if straight else None)
    return None


def _is_grey(pixels: Pixels) -> bool:
    """As `_fits` of all colours, in strips: a large grey picture is told without arrays of its size."""
    nearly, share, most = _OFF_CURVE
    off = 0
    for top, bottom in in_strips(len(pixels), _ROWS):
        away = _larger(_pairs(pixels[top:bottom]))
        if float(away.max()) > most:
            return False
        off += int(np.count_nonzero(away > nearly))
    return off <= share * pixels.shape[0] * pixels.shape[1]


def _larger(pairs: Pair) -> npt.NDArray[np.float32]:
    """The larger magnitude of each pair."""
    away = np.abs(pairs)
    return np.maximum(away[..., 0], away[..., 1])


def _fits(away: npt.NDArray[np.float32], limits: tuple[float, float, float]) -> bool:
    nearly, share, most = limits
    return float(away.max()) <= most and float(np.mean(away > nearly)) <= share


def _pairs(pixels: Pixels) -> Pair:
    return np.stack([pixels[..., 0] - pixels[..., 1], pixels[..., 2] - pixels[..., 1]], axis=-1)


def _coloured(luma: npt.NDArray[np.float32], pairs: Pair) -> Pixels:
    green = luma - np.float32(0.2126) * pairs[..., 0] - np.float32(0.0722) * pairs[..., 1]
    return np.stack([green + pairs[..., 0], green, green + pairs[..., 1]], axis=-1)


def _curve(luma: npt.NDArray[np.float32], pairs: Pair) -> Pair:
    """The mean colour about each of evenly spaced lumas; between those that no pixel has, straight."""
    place = np.clip(luma.ravel() * (_KNOTS - 1), 0.0, _KNOTS - 1.0)
    lower = np.minimum(place.astype(np.int64), _KNOTS - 2)
    share = place - lower
    count = np.bincount(lower, 1.0 - share, _KNOTS) + np.bincount(lower + 1, share, _KNOTS)
    known = count >= min(_LEAST_IN_KNOT, count.max())
    made = np.empty((_KNOTS, 2), dtype=np.float32)
    for index in range(2):
        values = pairs[..., index].ravel()
        total = np.bincount(lower, values * (1.0 - share), _KNOTS) + np.bincount(lower + 1, values * share, _KNOTS)
        made[:, index] = np.interp(np.arange(_KNOTS), np.flatnonzero(known), total[known] / count[known])
    return made


def _on_curve(curve: Pair, luma: npt.NDArray[np.float32]) -> Pair:
    place = luma * np.float32(_KNOTS - 1)
    knots = np.arange(_KNOTS)
    return np.stack([np.interp(place, knots, curve[:, index]) for index in range(2)], axis=-1).astype(np.float32)


def _line(pairs: Pair) -> tuple[Pair, Pair] | None:
    flat = pairs.reshape(-1, 2).astype(np.float64)
    middle = flat.mean(axis=0)
    away = flat - middle
    values, vectors = np.linalg.eigh(away.T @ away / len(flat))
    if values[1] < _LEAST_LENGTH**2 or values[1] < _THINNEST**2 * values[0]:
        return None
    return middle.astype(np.float32), vectors[:, 1].astype(np.float32)


def _on_line(line: tuple[Pair, Pair], pairs: Pair) -> Pair:
    point, direction = line
    along = (pairs - point) @ direction
    return np.asarray(point + along[..., None] * direction, dtype=np.float32)
