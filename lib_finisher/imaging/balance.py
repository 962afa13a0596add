"""White balance: what light a picture was taken in, and the same picture in daylight.

Two estimates. Grey pixels (after Yang, Gao and Li, CVPR 2015): where the local contrast of all three channels is the
same, whatever the light, the surface is likely grey. Its weakness is shading on a coloured surface, which looks the
same; so what is found counts the more the nearer it lies to the colours that daylight and lamps have (as in Finlayson
and Schaefer, IJCV 2001), and the more the nearer to neutral. Shades of grey (Finlayson and Trezzi 2004, norm 6): the
mean of the picture, the brighter the more, is taken for grey.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.balance_methods import SHADES_OF_GREY
from lib_finisher.imaging.colour import mixed
from lib_finisher.imaging.linear import to_linear
from lib_finisher.imaging.masks import smoothstep

Vector = npt.NDArray[np.float64]

_LUMA = np.array([0.2126, 0.7152, 0.0722])
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# The linear light of 0.96 in the sRGB encoding.
_LINEAR_96 = 0.911
_FEWEST = 64
# Channels nearer than half an 8-bit level are one grey.
_NEUTRAL = 0.5 / 255.0
_NORM = 6.0
# Of the pixels that can be judged, this share is taken for grey.
_GREY_SHARE = 0.1
_NOISE = 1e-4
# Distances of logarithmic chromaticities, and what lights are likely, in reciprocal megakelvins.
_REACH = 0.07
_TO_LOCUS = 0.75
_DAYLIGHT_MIREDS, _LIKELY_MIREDS = 154.0, 60.0
_ROUNDS = 20


def light_of(pixels: Pixels, method: str) -> Vector:
    """The colour of the light (linear RGB, luminance 1) in a picture (height, width, 3); (1, 1, 1) is daylight.

    Clipped and black pixels are left out; where too little is left to judge by, the light is daylight. Meant for a
    picture of some hundred pixels a side.
    """
    if float(np.ptp(pixels, axis=-1).max()) < _NEUTRAL:
        # Black and white has no cast, but what is left of rounding would be taken for one.
        return np.ones(3)
    light = to_linear(pixels)
    usable = (pixels.max(axis=-1) < 0.97) & (light @ _LUMA.astype(np.float32) > 0.02)
    found = _shades_of_grey(light, usable) if method == SHADES_OF_GREY else _grey_pixels(light, usable)
    return np.ones(3) if found is None else found / float(found @ _LUMA)


def light_for(white: Vector, daylight: Vector) -> Vector:
    """The colour of a light (linear RGB, luminance 1) by its XYZ, where daylight has that of `daylight`."""
    tinted = np.linalg.inv(_BRADFORD @ _TO_XYZ) @ (
        (_BRADFORD @ white) / (_BRADFORD @ daylight) * (_BRADFORD @ _TO_XYZ @ np.ones(3))
    )
    return np.asarray(tinted / float(tinted @ _LUMA))


def adaptation(light: Vector, strength: float) -> npt.NDArray[np.float32]:
    """The matrix (3, 3) for linear RGB that takes out the cast of a light, by `strength` 0..1 (Bradford).

    The luminance of what is grey in that light is kept.
    """
    tinted = np.maximum(light, 1e-3) ** strength
    tinted = tinted / float(tinted @ _LUMA)
    seen, wanted = _BRADFORD @ _TO_XYZ @ tinted, _BRADFORD @ _TO_XYZ @ np.ones(3)
    to_cones = _BRADFORD @ _TO_XYZ
    return (np.linalg.inv(to_cones) @ np.diag(wanted / seen) @ to_cones).astype(np.float32)


def adapted(light: Pixels, matrix: npt.NDArray[np.float32]) -> Pixels:
    """Linear light through an adaptation, clipped to 0..1.

    A channel that was clipped is at least as bright as the darker of the other two: a white that was blown under the
    cast stays white.
    """
    result = mixed(light, matrix)
    near = np.maximum(np.maximum(light[..., 0], light[..., 1]), light[..., 2]) > _LINEAR_96
    if near.any():
        was, now = light[near], result[near]
        sure = smoothstep((was - _LINEAR_96) / (1.0 - _LINEAR_96)).astype(np.float32)
        others = np.minimum(now[:, [1, 2, 0]], now[:, [2, 0, 1]])
        result[near] = now + sure * np.maximum(others - now, 0.0)
    return np.clip(result, 0.0, 1.0, out=result)


def _shades_of_grey(light: Pixels, usable: npt.NDArray[np.bool_]) -> Vector | None:
    if int(usable.sum()) < _FEWEST:
        return None
    return np.asarray(np.mean(light[usable].astype(np.float64) ** _NORM, axis=0) ** (1.0 / _NORM))


def _grey_pixels(light: Pixels, usable: npt.NDArray[np.bool_]) -> Vector | None:
    smooth = np.asarray(cv2.GaussianBlur(light + np.float32(_NOISE), (0, 0), 0.7), dtype=np.float32)
    logs = np.log(smooth)
    mean = cv2.blur(logs, (5, 5))
    contrast = np.sqrt(np.maximum(cv2.blur(logs * logs, (5, 5)) - mean * mean, 1e-10))
    strength = contrast.mean(axis=-1)
    unlike: Mask = np.asarray(cv2.blur(contrast.std(axis=-1) / strength, (3, 3)), dtype=np.float32)
    usable = usable & (strength > 0.02)
    if int(usable.sum()) < _FEWEST:
        return None
    grey = usable & (unlike <= np.quantile(unlike[usable], _GREY_SHARE))
    weight = (smooth[grey] @ _LUMA.astype(np.float32)) / (unlike[grey] + 0.02)
    chromaticity = np.stack([logs[grey][:, 0] - logs[grey][:, 1], logs[grey][:, 2] - logs[grey][:, 1]], axis=-1)
    red, blue = _likeliest(chromaticity.astype(np.float64), weight.astype(np.float64))
    return np.exp(np.array([red, 0.0, blue]))


def _likeliest(points: Vector, weight: Vector) -> Vector:
    """The chromaticity that most of the points are near to, as far as a light may have it (mean shift)."""
    mireds, locus = _locus()
    away = np.stack([np.square(points - place).sum(axis=1) for place in locus], axis=1)
    votes = (np.exp(-0.5 * away / _REACH**2) * weight[:, None]).sum(axis=0)
    votes *= np.exp(-0.5 * ((mireds - _DAYLIGHT_MIREDS) / _LIKELY_MIREDS) ** 2)
    if votes.max() <= 0:
        return np.zeros(2)
    here = locus[int(np.argmax(votes))]
    for _ in range(_ROUNDS):
        near = np.exp(-0.5 * np.square(points - here).sum(axis=1) / _REACH**2) * weight
        if near.sum() <= 0:
            break
        there = (points * near[:, None]).sum(axis=0) / near.sum()
        closest = locus[int(np.argmin(np.square(locus - there).sum(axis=1)))]
        there = there + _TO_LOCUS * (closest - there)
        if float(np.abs(there - here).max()) < 1e-4:
            break
        here = there
    return here


@functools.cache
def _locus() -> tuple[Vector, Vector]:
    """Lights from 15000 K to 2500 K: their reciprocal megakelvins, and log (R/G, B/G) in linear sRGB."""
    mireds = np.arange(66.0, 401.0, 2.0)
    colours = np.maximum(np.stack([white_of(1e6 / mired) for mired in mireds]) @ np.linalg.inv(_TO_XYZ).T, 1e-3)
    logs = np.log(colours)
    return mireds, np.stack([logs[:, 0] - logs[:, 1], logs[:, 2] - logs[:, 1]], axis=1)


def white_of(kelvin: float) -> Vector:
    """XYZ (Y = 1) of daylight from 4500 K up (CIE D series), of a black body up to 3500 K, between them of both."""
    share = float(np.clip((kelvin - 3500.0) / 1000.0, 0.0, 1.0))
    return share * _daylight(max(kelvin, 4000.0)) + (1.0 - share) * _black_body(min(kelvin, 4500.0))


def _daylight(kelvin: float) -> Vector:
    low = kelvin <= 7000.0
    terms = (-4.6070e9, 2.9678e6, 99.11, 0.244063) if low else (-2.0064e9, 1.9018e6, 247.48, 0.237040)
    x = _cubic(terms, 1.0 / kelvin)
    return _xyz(x, -3.0 * x * x + 2.870 * x - 0.275)


def _black_body(kelvin: float) -> Vector:
    """Kim et al. 2002, US 7024034; 1667 K to 25000 K."""
    low = kelvin < 4000.0
    terms = (-0.2661239e9, -0.2343589e6, 877.6956, 0.179910) if low else (-3.0258469e9, 2.1070379e6, 222.6347, 0.240390)
    x = _cubic(terms, 1.0 / kelvin)
    if kelvin < 2222.0:
        return _xyz(x, _cubic((-1.1063814, -1.34811020, 2.18555832, -0.20219683), x))
    if low:
        return _xyz(x, _cubic((-0.9549476, -1.37418593, 2.09137015, -0.16748867), x))
    return _xyz(x, _cubic((3.0817580, -5.87338670, 3.75112997, -0.37001483), x))


def _cubic(terms: tuple[float, ...], at: float) -> float:
    return float(np.polyval(np.array(terms), at))


def _xyz(x: float, y: float) -> Any:
    return np.array([x / y, 1.0, (1.0 - x - y) / y])
