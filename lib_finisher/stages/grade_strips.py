"""The grade itself: prepared from the whole picture, applied in strips of rows, so that memory stays small.

What a strip becomes does not depend on where it begins or ends.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.balance import adaptation, adapted, light_of
from lib_finisher.imaging.colour import clipped, from_lab, lab_of_light, more_colour, to_lab
from lib_finisher.imaging.colour_match import ColourMap
from lib_finisher.imaging.curves import Curves, through
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.grain import Grain, scaled_size
from lib_finisher.imaging.linear import from_linear, to_linear
from lib_finisher.imaging.lut import LutChain
from lib_finisher.imaging.sharpen import Sharpening
from lib_finisher.imaging.strips import in_strips
from lib_finisher.imaging.tones import LocalBase, between_points, contrasted, exposed, local_contrast, opened
from lib_finisher.imaging.wrap import Around
from lib_finisher.stages.grade_settings import GradeSettings

_LIGHT_SIDE, _BASE_SIDE, _MATCH_SIDE = 512, 768, 512
# As much as stays near a processor, and as many at once as memory is spared for.
_STRIP_PIXELS = 1 << 17
_MOST_WORKERS = 4
_HUNDRED = np.float32(100.0)


@dataclass(frozen=True, eq=False)
class Extras:
    """What settings name: read curves, a LUT, and the picture whose colours are wanted."""

    curves: Curves
    lut: LutChain | None = None
    wanted: Pixels | None = None


@dataclass(frozen=True)
class Clipping:
    """How many of `pixels` were crushed and blown before and after."""

    pixels: int
    before: tuple[int, int]
    after: tuple[int, int]

    def told(self) -> str:
        """The shares, for the report."""
        names = zip(("black", "white"), self.before, self.after)
        return ", ".join(f"{name} {was / self.pixels:.2%} to {now / self.pixels:.2%}" for name, was, now in names)


class Grading:
    """The grade of one picture."""

    def __init__(
        self, pixels: Pixels, settings: GradeSettings, extras: Extras, seed: int, around: Around | None = None
    ) -> None:
        self._pixels = pixels
        self._settings = settings
        self._extras = extras
        self._size = size_of(pixels)
        self._adaptation = _adaptation_for(pixels, settings)
        self._base: LocalBase | None = None
        self._map: ColourMap | None = None
        self._sharpening = Sharpening(
            settings.sharpening, settings.sharpening_radius, settings.sharpening_halo, settings.sharpening_threshold
        )
        own = self._size if around is None else around.size
        size = scaled_size(settings.grain_size, own) if settings.grain_scaled else settings.grain_size
        self._grain = Grain(
            settings.grain, size, seed, settings.grain_colour, settings.grain_shadows, settings.grain_highlights,
            around,
        )  # fmt: skip
        if settings.shadows or settings.highlights or settings.local_contrast:
            small = _reduced(pixels, _BASE_SIDE)
            light = np.ascontiguousarray(self._lit(small)[..., 0])
            self._base = LocalBase.of(light)
        if extras.wanted is not None and settings.colour_match > 0:
            small = _reduced(pixels, _MATCH_SIDE)
            lab = self._coloured(self._lit(small), size_of(small), 0)
            self._map = ColourMap.between(lab, to_lab(_reduced(extras.wanted, _MATCH_SIDE)), settings.colour_match)

    @property
    def idle(self) -> bool:
        """Whether it changes no bit."""
        one, lut = self._settings, self._extras.lut is not None and self._settings.lut_strength > 0
        return not (self._in_light or self._in_lab or lut or one.sharpening > 0 or one.grain > 0)

    @property
    def balanced(self) -> bool:
        """Whether a cast is taken out."""
        return self._adaptation is not None

    def apply(self, rows: int = 0) -> tuple[Pixels, Clipping]:
        """The graded picture, and what was clipped. `rows` is how many are worked on at once; 0 chooses."""
        result = np.empty_like(self._pixels)
        strips = in_strips(self._size.height, rows or max(16, _STRIP_PIXELS // self._size.width))

        def work(strip: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
            top, bottom = strip
            result[top:bottom] = self.strip(top, bottom)
            return clipped(self._pixels[top:bottom]), clipped(result[top:bottom])

        with ThreadPoolExecutor(min(_MOST_WORKERS, os.cpu_count() or 1)) as workers:
            counts = np.array(list(workers.map(work, strips)), dtype=np.int64).sum(axis=0).tolist()
        return result, Clipping(self._size.area, tuple(counts[0]), tuple(counts[1]))

    def strip(self, top: int, bottom: int) -> Pixels:
        """Rows `top` to `bottom` - 1 of the graded picture."""
        one = self._settings
        reach = self._sharpening.reach if one.sharpening > 0 else 0
        first, last = max(0, top - reach), min(self._size.height, bottom + reach)
        part = self._toned(self._pixels[first:last], first)
        if self._extras.lut is not None and one.lut_strength > 0:
            part = self._extras.lut.apply(part, one.lut_strength)
        if one.sharpening > 0:
            part = self._sharpening.apply(part)
        part = part[top - first : bottom - first]
        return self._grain.apply(part, top) if one.grain > 0 else part

    @property
    def _in_light(self) -> bool:
        return self._adaptation is not None or self._settings.exposure != 0

    @property
    def _in_lab(self) -> bool:
        one = self._settings
        return bool(
            one.black_point or one.white_point or one.contrast or one.saturation or one.vibrance
            or self._base is not None or self._map is not None or self._extras.curves.tables
        )  # fmt: skip

    def _toned(self, part: Pixels, top: int) -> Pixels:
        """Everything up to the colour match."""
        if not self._in_lab:
            return from_linear(self._light(part)) if self._in_light else part
        lab = self._coloured(self._lit(part), self._size, top)
        return from_lab(self._map.apply(lab) if self._map is not None else lab)

    def _light(self, part: Pixels) -> Pixels:
        """White balance and exposure, in linear light."""
        light = to_linear(part)
        if self._adaptation is not None:
            light = adapted(light, self._adaptation)
        return exposed(light, self._settings.exposure) if self._settings.exposure else light

    def _lit(self, part: Pixels) -> Pixels:
        """Up to the black and the white point, in L*a*b*."""
        one = self._settings
        lab = lab_of_light(self._light(part))
        if one.black_point or one.white_point:
            lab[..., 0] = between_points(lab[..., 0], one.black_point, one.white_point)
        return lab

    def _coloured(self, lab: Pixels, size: Size, top: int) -> Pixels:
        """Highlights to vibrance, of the rows from `top` on of a picture of `size`."""
        one, curves = self._settings, self._extras.curves
        light = np.ascontiguousarray(lab[..., 0])
        base, contour = (None, light) if self._base is None else self._base.under(light, size, top)
        if base is not None and (one.shadows or one.highlights):
            change = opened(base, one.shadows, one.highlights)
            light, base = light + change, base + change
        light = np.clip(light, 0.0, 100.0)
        if one.contrast:
            light = contrasted(light, one.contrast)
            base = None if base is None else contrasted(np.clip(base, 0.0, 100.0), one.contrast)
        if base is not None and one.local_contrast:
            light = local_contrast(light, base, contour, one.local_contrast)
        if "l" in curves.tables:
            light = through(light / _HUNDRED, curves.tables["l"]) * _HUNDRED
        lab[..., 0] = light
        if curves.colour:
            lab = _by_channel(lab, curves)
        return more_colour(lab, one.saturation, one.vibrance) if one.saturation or one.vibrance else lab


def _adaptation_for(pixels: Pixels, settings: GradeSettings) -> npt.NDArray[np.float32] | None:
    if settings.white_balance <= 0:
        return None
    light = light_of(_reduced(pixels, _LIGHT_SIDE), settings.balance_method)
    return None if bool(np.all(light == 1.0)) else adaptation(light, settings.white_balance)


def _by_channel(lab: Pixels, curves: Curves) -> Pixels:
    rgb = from_lab(lab)
    for channel, name in enumerate("rgb"):
        if name in curves.tables:
            rgb[..., channel] = through(rgb[..., channel], curves.tables[name])
    return to_lab(rgb)


def _reduced(pixels: Pixels, side: int) -> Pixels:
    """At most `side` pixels a side, of float32 rows as OpenCV wants them."""
    size = size_of(pixels)
    small = size.scaled(min(1.0, side / max(size.width, size.height)))
    if small == size:
        return pixels
    return np.asarray(cv2.resize(pixels, (small.width, small.height), interpolation=cv2.INTER_AREA), dtype=np.float32)
