"""Pictures through lookup tables, in float."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.cube import Cube, LutFile

# Video range in 10 bits: black is 64, white 940.
_VIDEO_BLACK, _VIDEO_WHITE = 64 / 1023, 940 / 1023
# As many pixels at once as stay in a processor's cache.
_PIXELS = 1 << 15
_STEPS = 1 << 16
# Over a wider range (a table for linear light) steps of a 65535th of it are too coarse for what is dark.
_WIDEST = 2.0


@dataclass(frozen=True, eq=False)
class LutChain:
    """All tables of a file, made ready for pictures."""

    luts: tuple[Lut, ...]
    video_in: bool = False
    video_out: bool = False

    @staticmethod
    def of(file: LutFile) -> LutChain:
        """As the file has them."""
        return LutChain(tuple(Lut.of(cube) for cube in file.tables), file.video_in, file.video_out)

    def apply(self, pixels: Pixels, strength: float) -> Pixels:
        """A picture (height, width, 3) of full range through all tables, mixed in by `strength` 0..1."""
        span = _VIDEO_WHITE - _VIDEO_BLACK
        result = pixels * np.float32(span) + np.float32(_VIDEO_BLACK) if self.video_in else pixels
        # Only where nothing comes before or after can the mixing be left to the table, which is faster.
        alone = len(self.luts) == 1 and not self.video_in and not self.video_out
        for lut in self.luts:
            result = lut.apply(result, strength if alone else 1.0)
        if self.video_out:
            result = (result - np.float32(_VIDEO_BLACK)) / np.float32(span)
        return result if alone or strength >= 1 else pixels + np.float32(strength) * (result - pixels)


@dataclass(frozen=True, eq=False)
class Lut:
    """A table made ready for pictures."""

    cube: Cube
    planes: tuple[Mask, Mask, Mask]
    dense: tuple[Mask, ...] = ()

    @staticmethod
    def of(cube: Cube) -> Lut:
        """Each channel by itself, which is how the arithmetic is fast."""
        red, green, blue = (np.ascontiguousarray(cube.table[:, channel]) for channel in range(3))
        if cube.solid or max(high - low for low, high in zip(cube.lowest, cube.highest)) > _WIDEST:
            return Lut(cube, (red, green, blue))
        # A 1D table at every step of 16 bits: looked up at once, with no interpolation for each pixel.
        at = np.linspace(0.0, cube.size - 1.0, _STEPS)
        dense = tuple(np.interp(at, np.arange(cube.size), plane).astype(np.float32) for plane in (red, green, blue))
        return Lut(cube, (red, green, blue), dense)

    def apply(self, pixels: Pixels, strength: float) -> Pixels:
        """A picture (height, width, 3) through the table, mixed in by `strength` 0..1.

        Inputs outside the table's range are taken for its ends; between entries a 3D table is interpolated
        tetrahedrally, a 1D one linearly, at steps of a 65535th of its range where that is not wide. What comes out may
        lie outside 0..1.
        """
        given = np.ascontiguousarray(pixels).reshape(-1, 3)
        result = np.empty_like(given)
        for first in range(0, len(given), _PIXELS):
            part = given[first : first + _PIXELS]
            looked_up = self._solid(part) if self.cube.solid else self._single(part)
            result[first : first + _PIXELS] = (
                looked_up if strength >= 1 else part + np.float32(strength) * (looked_up - part)
            )
        return result.reshape(pixels.shape)

    def _place(self, plane: Mask, channel: int) -> tuple[npt.NDArray[np.intp], Mask]:
        """The entry below each value, and how far it is on the way to the next."""
        low, high = self.cube.lowest[channel], self.cube.highest[channel]
        last = self.cube.size - 1
        place = np.clip((plane - np.float32(low)) * np.float32(last / (high - low)), 0.0, np.float32(last))
        below = np.minimum(place.astype(np.intp), last - 1)
        return below, place - below.astype(np.float32)

    def _single(self, part: Pixels) -> Pixels:
        result = np.empty_like(part)
        for channel in range(3):
            if not self.dense:
                below, share = self._place(part[:, channel], channel)
                lower = self.planes[channel].take(below)
                result[:, channel] = lower + share * (self.planes[channel].take(below + 1) - lower)
                continue
            low, high = self.cube.lowest[channel], self.cube.highest[channel]
            place = (part[:, channel] - np.float32(low)) * np.float32((_STEPS - 1) / (high - low))
            np.clip(place, 0.0, np.float32(_STEPS - 1), out=place)
            place += np.float32(0.5)
            result[:, channel] = self.dense[channel].take(place.astype(np.uint16))
        return result

    def _solid(self, part: Pixels) -> Pixels:
        side = self.cube.size
        (r, fr), (g, fg), (b, fb) = (self._place(part[:, channel], channel) for channel in range(3))
        corner = r + side * (g + side * b)
        # Which tetrahedron a value lies in follows from the order of its three shares.
        order = (fr >= fg) + (fg >= fb) * np.uint8(2) + (fr >= fb) * np.uint8(4)
        steps = np.array([1, side, side * side])
        first, last = steps[_LARGEST].take(order), steps[_SMALLEST].take(order)
        whole = int(steps.sum())
        most, least = np.maximum(np.maximum(fr, fg), fb), np.minimum(np.minimum(fr, fg), fb)
        middle = fr + fg + fb - most - least
        places = (corner, corner + first, corner + (whole - last), corner + whole)
        weights = (1.0 - most, most - middle, middle - least, least)
        result = np.empty_like(part)
        for channel, entries in enumerate(self.planes):
            total = entries.take(places[0]) * weights[0]
            for place, weight in zip(places[1:], weights[1:]):
                total += entries.take(place) * weight
            result[:, channel] = total
        return result


# For each of the eight outcomes of (red >= green, green >= blue, red >= blue): the channel with the largest share and
# that with the smallest. Two of the outcomes contradict themselves and never come.
_LARGEST = np.array([2, 2, 1, 0, 2, 0, 1, 0])
_SMALLEST = np.array([0, 1, 0, 1, 0, 1, 2, 2])
