"""Colour profiles made of curves and primaries, read by their content: ICC.1:2010, sections 8.3, 10.5 and 10.15.

A profile's name says nothing: "GIMP built-in Linear sRGB" is not sRGB, and some that are sRGB are called otherwise.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels

Floats = npt.NDArray[np.floating[Any]]
Curve = Callable[[Floats], Floats]

# The primaries of IEC 61966-2-1 as a profile holds them, adapted to D50; one column a channel.
SRGB_TO_XYZ = np.array([[0.43606, 0.38514, 0.14306], [0.22249, 0.71690, 0.06061], [0.01392, 0.09708, 0.71392]])
_TO_SRGB = np.linalg.inv(SRGB_TO_XYZ)
# Below half a level of 8 bits, and what rounding in real profiles amounts to.
_SAME_CURVE, _SAME_PRIMARIES = 0.5 / 255, 0.002
_HEADER_BYTES, _TAG_BYTES, _MOST_TAGS = 128, 12, 200
# With tables for whole colours, those count and not curves and primaries.
_TABLES = (b"A2B0", b"A2B1", b"A2B2", b"D2B0", b"D2B1", b"D2B2", b"D2B3")
_STRIP = 128


class IccError(ValueError):
    """A profile that cannot be used. The message says why."""


@dataclass(frozen=True, eq=False)
class IccProfile:
    """A profile: `space` as its header has it ("RGB ", "GRAY", "CMYK", ...).

    `curves` and `to_xyz` are None where it is not made of curves and primaries; a grey one has one curve.
    """

    space: str
    curves: tuple[Curve, ...] | None
    to_xyz: npt.NDArray[np.float64] | None = None

    @property
    def is_srgb(self) -> bool:
        """Whether it leaves every colour where sRGB has it."""
        if self.curves is None:
            return False
        levels = np.linspace(0.0, 1.0, 256)
        if any(np.abs(encoded(curve(levels)) - levels).max() > _SAME_CURVE for curve in self.curves):
            return False
        return self.to_xyz is None or bool(np.abs(self.to_xyz - SRGB_TO_XYZ).max() <= _SAME_PRIMARIES)

    def to_srgb(self, pixels: Pixels) -> Pixels:
        """Pixels (height, width, 3), 0..1, in the sRGB encoding; what lies outside its range is cut off.

        Relative colorimetric. Only for a profile of curves. Of a grey one the channels are taken for alike.
        """
        assert self.curves is not None
        result = np.empty(pixels.shape, dtype=np.float32)
        for top in range(0, len(pixels), _STRIP):
            strip = pixels[top : top + _STRIP].astype(np.float64)
            if self.to_xyz is None:
                result[top : top + _STRIP] = encoded(self.curves[0](strip[..., :1]))
                continue
            linear = np.stack([curve(strip[..., channel]) for channel, curve in enumerate(self.curves)], axis=-1)
            result[top : top + _STRIP] = encoded(linear @ (_TO_SRGB @ self.to_xyz).T)
        return result


def read_icc(data: bytes) -> IccProfile:
    """A profile by its content. Raises IccError."""
    if len(data) < _HEADER_BYTES + 4 or data[36:40] != b"acsp":
        raise IccError("it is no ICC profile, or cut short")
    space, connection = data[16:20], data[20:24]
    tags = _tags(data)
    name = space.decode("latin-1")
    if tags.keys() & set(_TABLES) or connection != b"XYZ ":
        return IccProfile(name, None)
    if space == b"GRAY" and b"kTRC" in tags:
        return IccProfile(name, (_curve(tags[b"kTRC"]),))
    wanted = [letter + kind for letter in (b"r", b"g", b"b") for kind in (b"XYZ", b"TRC")]
    if space == b"RGB " and all(key in tags for key in wanted):
        columns = [_xyz(tags[letter + b"XYZ"]) for letter in (b"r", b"g", b"b")]
        curves = tuple(_curve(tags[letter + b"TRC"]) for letter in (b"r", b"g", b"b"))
        return IccProfile(name, curves, np.array(columns).T)
    return IccProfile(name, None)


def encoded(linear: Floats) -> Floats:
    """Linear light in the encoding of sRGB (IEC 61966-2-1), cut off at 0 and 1."""
    light = np.clip(linear, 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _tags(data: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", data, _HEADER_BYTES)
    tags = {}
    for number in range(min(count, _MOST_TAGS)):
        at = _HEADER_BYTES + 4 + number * _TAG_BYTES
        if at + _TAG_BYTES > len(data):
            break
        key, offset, size = struct.unpack_from(">4sII", data, at)
        tags[key] = data[offset : offset + size]
    return tags


def _xyz(tag: bytes) -> list[float]:
    if tag[:4] != b"XYZ " or len(tag) < 20:
        raise IccError("a primary in it cannot be read")
    return _fixed(tag, 8, 3)


def _fixed(tag: bytes, at: int, count: int) -> list[float]:
    if at + 4 * count > len(tag):
        raise IccError("a part of it is cut short")
    return [value / 65536 for value in struct.unpack_from(f">{count}i", tag, at)]


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"curv" and len(tag) >= 12:
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return lambda value: value
        if 12 + 2 * count > len(tag):
            raise IccError("a curve in it is cut short")
        entries = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 1:
            gamma = float(entries[0]) / 256
            return lambda value: np.clip(value, 0.0, 1.0) ** gamma
        places, levels = np.linspace(0.0, 1.0, count), entries / 65535
        return lambda value: np.interp(value, places, levels)
    if tag[:4] == b"para" and len(tag) >= 12:
        return _formula(struct.unpack_from(">H", tag, 8)[0], tag)
    raise IccError("a curve in it cannot be read")


def _formula(kind: int, tag: bytes) -> Curve:
    """A parametric curve, ICC.1:2010, table 65."""
    if kind > 4:
        raise IccError(f"a curve in it is of the unknown kind {kind}")
    g, a, b, c, d, e, f = (*_fixed(tag, 12, (1, 3, 4, 5, 7)[kind]), *(0.0,) * 7)[:7]
    if kind == 0:
        return lambda value: np.clip(value, 0.0, 1.0) ** g
    if kind in (1, 2):
        # Below -b / a nothing is raised to a power; the third parameter of the second kind is added everywhere.
        offset, slope, start = (c if kind == 2 else 0.0), 0.0, (-b / a if a else 0.0)
        above, below = offset, offset
    else:
        slope, start = c, d
        above, below = (e, f) if kind == 4 else (0.0, 0.0)
    return lambda value: np.where(value >= start, np.clip(a * value + b, 0.0, None) ** g + above, slope * value + below)
