"""Reading any picture people have."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.opening import TooManyPixels, opened
from lib_finisher.imaging.png_chunks import SIGNATURE, PngParts, split_png
from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jfif"})
# The infotext, and what Finisher writes.
_OWN_KEYWORDS = ("parameters", "finisher")
# Where a PNG's first chunk has the bits of a channel.
_PNG_DEPTH = 24
# What Pillow raises for tags that are not of the type they should be.
_ODD_TAGS = (
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error,
)  # fmt: skip


class PictureError(ValueError):
    """A file that is not a picture that can be finished. The message names the file and says what is wrong."""


@dataclass(frozen=True, eq=False)
class LoadedPicture:
    """A picture as read: upright, sRGB. `alpha` (height, width), 0..1, or None; `infotext` is the base's, if any.

    `side` is what else stands in its file.
    """

    pixels: Pixels
    alpha: Mask | None = None
    infotext: str = ""
    notes: tuple[str, ...] = field(default=())
    side: SideData = NO_SIDE_DATA


def load_picture(path: Path) -> LoadedPicture:
    """Read a picture of any common kind. Raises PictureError."""
    data = _bytes_of(path)
    notes: list[str] = []
    try:
        parts = split_png(data) if data.startswith(SIGNATURE) else None
        data = data if parts is None else parts.pixels
        with opened(data) as image:
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":
                notes.append(f"an animation: the first of {frames} frames was finished")
            image.load()
            if parts is not None:
                notes += parts.notes
                _put_back(image, parts)
            return replace(_from_image(image, data, notes), side=_side_data(parts))
    except UnidentifiedImageError:
        raise PictureError(f"{path}: not a picture that can be read; its contents are of no known format.") from None
    except TooManyPixels as error:
        raise PictureError(f"{path}: {error}") from error
    except MemoryError as error:
        raise PictureError(f"{path}: there is not enough memory to read the picture.") from error
    # What a damaged file makes Pillow raise has no common class, and must not cost the other files of a run.
    except Exception as error:
        raise PictureError(f"{path}: the picture is damaged or cut short ({damage(error)}).") from error


def damage(error: Exception) -> str:
    """What Pillow says of a damaged file; with the kind of error where that is not one meant for people."""
    plain = isinstance(error, (OSError, SyntaxError, EOFError, ValueError)) and str(error)
    return str(error) if plain else f"{type(error).__name__}: {error}"


def load_mask(path: Path, size: tuple[int, int]) -> Mask:
    """A mask file as (height, width) of `size` (width, height), 0..1, white meaning repair. Raises PictureError."""
    loaded = load_picture(path)
    mask = loaded.pixels.mean(axis=-1) if loaded.alpha is None else loaded.pixels.mean(axis=-1) * loaded.alpha
    if (mask.shape[1], mask.shape[0]) != size:
        raise PictureError(
            f"{path}: the mask is {mask.shape[1]}×{mask.shape[0]}, the picture {size[0]}×{size[1]}. "
            "Save the mask at the picture's size."
        )
    return np.asarray(mask, dtype=np.float32)


def _put_back(image: Image.Image, parts: PngParts) -> None:
    image.info.update({item.keyword: item.text for item in parts.texts})
    if parts.profile is not None:
        image.info["icc_profile"] = parts.profile
    if parts.exif:
        image.info["exif"] = b"Exif\0\0" + parts.exif


def _side_data(parts: PngParts | None) -> SideData:
    if parts is None:
        return NO_SIDE_DATA
    texts = tuple(item for item in parts.texts if item.keyword not in _OWN_KEYWORDS)
    return SideData(texts, parts.exif, dpi=parts.dpi)


def _bytes_of(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise PictureError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise PictureError(f"{path}: this is a folder, not a picture.") from None
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if not data:
        raise PictureError(f"{path}: the file is empty (0 bytes).")
    return data


def _from_image(image: Image.Image, data: bytes, notes: list[str]) -> LoadedPicture:
    infotext = _infotext(image)
    profile = _foreign_profile(image, notes)
    deep = _sixteen_bit(image, data)
    if deep is not None:
        if profile is not None:
            notes.append("the colour profile of this 16-bit picture was not applied; its values are taken as sRGB")
        return LoadedPicture(*deep, infotext, tuple(notes))
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"pictures with {image.mode} pixels are not supported; save it with 8 or 16 bits")
    colours, alpha, orientation = image, None, _orientation(image)
    if colours.mode in ("RGBA", "LA", "PA") or "transparency" in colours.info:
        colours = colours.convert("RGBA")
        alpha = _turned(np.asarray(colours.getchannel("A"), dtype=np.float32) / np.float32(255.0), orientation)
        colours = colours.convert("RGB")
    elif colours.mode not in ("RGB", "CMYK", "L"):
        colours = colours.convert("RGB")
    if profile is not None:
        colours = _to_srgb(colours, profile, notes)
    array = np.asarray(colours.convert("RGB"), dtype=np.float32) / np.float32(255.0)
    return LoadedPicture(_turned(array, orientation), alpha, infotext, tuple(notes))


def _sixteen_bit(image: Image.Image, data: bytes) -> tuple[Pixels, Mask | None] | None:
    """The full depth of a 16-bit PNG or TIFF, which Pillow cuts to 8 bits; None for any other picture."""
    if image.format not in ("PNG", "TIFF") or (image.format == "PNG" and data[_PNG_DEPTH] != 16):
        return None
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        return None
    values = _turned(np.asarray(decoded, dtype=np.float32) / np.float32(65535.0), _orientation(image))
    if values.ndim == 2:
        return np.repeat(values[..., None], 3, axis=2), None
    alpha = np.ascontiguousarray(values[..., 3]) if values.shape[2] == 4 else None
    return np.ascontiguousarray(values[..., 2::-1]), alpha


def _orientation(image: Image.Image) -> int:
    """How a picture lies (1 to 8, as EXIF counts); 1 where that cannot be read, for its pixels are none the worse."""
    if image.format == "TIFF":
        # Pillow and OpenCV have turned it already.
        return 1
    try:
        told = image.getexif().get(ExifTags.Base.Orientation, 1)
        return int(told) if told in range(1, 9) else 1
    except _ODD_TAGS:
        return 1


def _turned(array: npt.NDArray[np.float32], orientation: int) -> npt.NDArray[np.float32]:
    """An array upright, by its EXIF orientation (1 to 8)."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _foreign_profile(image: Image.Image, notes: list[str]) -> ImageCms.ImageCmsProfile | None:
    """The embedded colour profile, where there is one that means something else than sRGB."""
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        return None if "srgb" in ImageCms.getProfileDescription(profile).lower() else profile
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        notes.append(f"the colour profile could not be used ({error})")
        return None


def _to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile, notes: list[str]) -> Image.Image:
    """An RGB, CMYK or L picture converted by its profile."""
    try:
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        notes.append(f"the colour profile could not be used ({error})")
        return image
    notes.append("converted to sRGB by the embedded colour profile")
    return converted if converted is not None else image


def _infotext(image: Image.Image) -> str:
    text = image.info.get("parameters", "")
    if not text:
        try:
            text = _user_comment(image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment))
        except _ODD_TAGS:
            return ""
    return text if isinstance(text, str) else ""


def _user_comment(comment: Any) -> str:
    """The web UIs write the infotext of JPEG and WebP as EXIF UserComment in UTF-16, with an 8-byte prefix."""
    if isinstance(comment, str):
        return comment
    if not isinstance(comment, bytes):
        return ""
    encoding = "utf-16-be" if comment.startswith(b"UNICODE") else "utf-8"
    return comment[8:].decode(encoding, errors="replace").strip("\0")
