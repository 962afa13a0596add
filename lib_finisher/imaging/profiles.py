"""Pictures into sRGB by the colour profiles in their files."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from lib_finisher.imaging.arrays import Pixels, from_uint8
from lib_finisher.imaging.cube import Cube
from lib_finisher.imaging.icc import IccError, IccProfile, read_icc
from lib_finisher.imaging.lut import Lut

_CONVERTED = "converted to sRGB by the embedded colour profile"
# Sixteen bits go through a table whose entries are whole levels of 8 bits: 255 = 5 * 51.
_GRID_STEP = 5


class Conversion:
    """What a picture's profile makes of its pixels; nothing where it has none or one that is sRGB."""

    def __init__(self, data: bytes | None, notes: list[str]) -> None:
        """`data` is the profile; what cannot be used is told in `notes`."""
        self._data, self._notes = data or b"", notes
        self._profile: IccProfile | None = None
        if not data:
            return
        try:
            profile = read_icc(data)
            if not profile.is_srgb:
                self._profile = profile
        except IccError as error:
            notes.append(f"the colour profile could not be used ({error})")

    def of_8_bits(self, image: Image.Image) -> Pixels:
        """A picture of mode RGB, L or CMYK as (height, width, 3), 0..1, in sRGB."""
        profile = self._profile if self._fits(image.mode) else None
        if profile is not None and profile.curves is None:
            image = self._by_tables(image)
        pixels = from_uint8(np.asarray(image if image.mode == "RGB" else image.convert("RGB")))
        return self._by_curves(profile, pixels)

    def of_16_bits(self, pixels: Pixels, mode: str) -> Pixels:
        """Pixels (height, width, 3), 0..1, of a picture that was of `mode` RGB or L."""
        profile = self._profile if self._fits(mode) else None
        if profile is None or profile.curves is not None:
            return self._by_curves(profile, pixels)
        side = 255 // _GRID_STEP + 1
        axis = np.arange(side, dtype=np.uint8) * _GRID_STEP
        blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
        grid = np.stack([red, green, blue], axis=-1).reshape(side, -1, 3)
        picture = Image.fromarray(grid if mode == "RGB" else np.ascontiguousarray(grid[..., 0]))
        converted = np.asarray(self._by_tables(picture).convert("RGB"), dtype=np.float32) / np.float32(255.0)
        return np.clip(Lut.of(Cube(converted.reshape(-1, 3), side, True)).apply(pixels, 1.0), 0.0, 1.0)

    def _fits(self, mode: str) -> bool:
        """Whether the profile is one for pictures of that mode; grey is a colour too."""
        if self._profile is None:
            return False
        accepted = {"RGB": ("RGB ",), "L": ("GRAY", "RGB "), "CMYK": ("CMYK",)}[mode]
        if self._profile.space in accepted:
            return True
        space = self._profile.space.strip()
        self._notes.append(f"the colour profile could not be used (it is one for {space} pictures, not for {mode})")
        return False

    def _by_curves(self, profile: IccProfile | None, pixels: Pixels) -> Pixels:
        if profile is None or profile.curves is None:
            return pixels
        self._notes.append(_CONVERTED)
        return profile.to_srgb(pixels)

    def _by_tables(self, image: Image.Image) -> Image.Image:
        assert self._profile is not None
        if image.mode == "L" and self._profile.space == "RGB ":
            image = image.convert("RGB")
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(self._data))
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            self._notes.append(f"the colour profile could not be used ({error})")
            return image
        self._notes.append(_CONVERTED)
        return converted if converted is not None else image
