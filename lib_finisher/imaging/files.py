"""Reading any picture people have."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.mask_forms import marked_by
from lib_finisher.imaging.metadata import OWN_KEYWORD, exif_of, read_metadata
from lib_finisher.imaging.opening import KINDS, TooManyPixels, looks_like_a_picture, opened
from lib_finisher.imaging.png_chunks import SIGNATURE, PngParts, split_png
from lib_finisher.imaging.profiles import Conversion
from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData
from lib_finisher.imaging.truncated import completed_jpeg, completed_png, told_of_jpeg
from lib_finisher.plain_files import OddFile, opened_file, read_file

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jfif"})
MOST_BYTES = 2304 << 20
"""The largest file that is read: a TIFF of 16384 × 16384 pixels with four channels of 16 bits has 2 GiB."""

_MOST_UNSEEN, _BEGINNING = 64 << 20, 32
# Where a PNG's first chunk has the bits of a channel.
_PNG_DEPTH = 24


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


@dataclass(frozen=True)
class Header:
    """What a file says without its pixels: the upright (width, height), and the base's infotext.

    `finisher` is the text that Finisher writes into its own PNG files, "" in others.
    """

    size: tuple[int, int]
    infotext: str
    finisher: str
    side: SideData = NO_SIDE_DATA


def load_picture(path: Path) -> LoadedPicture:
    """Read a picture of any common kind. Raises PictureError.

    What is wrong beside the pixels, and a few bytes that are missing at the end, are notes.
    """
    data = _bytes_of(path)
    notes: list[str] = []
    with _in_words(path):
        parts = split_png(data) if data.startswith(SIGNATURE) else None
        if parts is not None:
            data, missing = completed_png(parts.pixels)
            notes += [*parts.notes, *([missing] if missing else [])]
        with opened(data) as image:
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":
                notes.append(f"an animation: the first of {frames} frames was finished")
            try:
                image.load()
            except OSError as error:
                if image.format not in ("JPEG", "MPO"):
                    raise
                return _cut_short(data, notes, error)
            return _from_image(image, data, parts, notes)


def load_header(path: Path) -> Header:
    """What a picture says of itself; it is only decoded where its kind demands that. Raises PictureError."""
    data = _bytes_of(path)
    with _in_words(path):
        parts = split_png(data) if data.startswith(SIGNATURE) else None
        with opened(data if parts is None else completed_png(parts.pixels)[0]) as image:
            if image.format == "TIFF":
                # Pillow turns these when it decodes them.
                image.load()
            exif = exif_of(image, parts)
            infotext, side, _ = read_metadata(image, parts, exif, [])
            turned = image.format != "TIFF" and exif.orientation in (5, 6, 7, 8)
            size = (image.height, image.width) if turned else (image.width, image.height)
            own = next((item.text for item in parts.texts if item.keyword == OWN_KEYWORD), "") if parts else ""
            return Header(size, infotext, own, side)


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Whatever goes wrong in reading a picture, as a PictureError that names the file."""
    try:
        yield
    except UnidentifiedImageError:
        text = f"not a picture that can be read; its contents are of none of the formats {', '.join(KINDS)}."
        raise PictureError(f"{path}: {text}") from None
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
    """A mask file as (height, width) of `size` (width, height), 0..1, 1 where it marks: see `mask_forms`.

    Raises PictureError.
    """
    loaded = load_picture(path)
    mask = marked_by(loaded.pixels, loaded.alpha)
    if (mask.shape[1], mask.shape[0]) != size:
        raise PictureError(f"{path}: {ill_sized((mask.shape[1], mask.shape[0]), size)}")
    return mask


def ill_sized(mask: tuple[int, int], picture: tuple[int, int]) -> str:
    """What is said of a mask whose (width, height) is not the picture's."""
    return (
        f"the mask is {mask[0]}×{mask[1]}, the picture {picture[0]}×{picture[1]}. Save the mask at the picture's size."
    )


def _cut_short(data: bytes, notes: list[str], why: OSError) -> LoadedPicture:
    """A JPEG whose last bytes are missing. Raises `why` where it is otherwise damaged, TooLittleLeft."""
    for completed in completed_jpeg(data):
        with opened(completed) as image:
            try:
                image.load()
            except OSError:
                continue
            notes.append(told_of_jpeg(image))
            return _from_image(image, completed, None, notes)
    raise why


def _bytes_of(path: Path) -> bytes:
    try:
        # What comes in a request stands there like a file, and is in memory already.
        data = _contents(path) if isinstance(path, Path) else path.read_bytes()
    except FileNotFoundError:
        raise PictureError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise PictureError(f"{path}: this is a folder, not a picture.") from None
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if not data:
        raise PictureError(f"{path}: the file is empty (0 bytes).")
    return data


def _contents(path: Path) -> bytes:
    """A file's contents; of a large one the beginning decides whether the rest is read. Raises OSError."""
    with opened_file(path) as stream:
        is_small = os.fstat(stream.fileno()).st_size < _MOST_UNSEEN
        if not is_small and not looks_like_a_picture(stream.read(_BEGINNING)):
            raise OddFile(errno.EINVAL, "its beginning is that of no picture")
    return read_file(path, MOST_BYTES)


def _from_image(image: Image.Image, data: bytes, parts: PngParts | None, notes: list[str]) -> LoadedPicture:
    exif = exif_of(image, parts)
    infotext, side, only_text = read_metadata(image, parts, exif, notes)
    # Pillow and OpenCV have turned a TIFF already.
    orientation = 1 if image.format == "TIFF" else exif.orientation
    conversion = Conversion(image.info.get("icc_profile") if parts is None else parts.profile, notes)
    deep = _sixteen_bit(image, data)
    if deep is not None:
        grey, pixels, alpha = deep
        pixels = conversion.of_16_bits(pixels, "L" if grey else "RGB")
        alpha = None if alpha is None else _turned(alpha, orientation)
        return LoadedPicture(_turned(pixels, orientation), alpha, infotext, tuple(notes), side)
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"pictures with {image.mode} pixels are not supported; save it with 8 or 16 bits")
    colours, alpha = image, None
    if colours.mode in ("RGBA", "LA", "PA") or "transparency" in colours.info:
        colours = colours.convert("RGBA")
        if not only_text:
            alpha = _turned(np.asarray(colours.getchannel("A"), dtype=np.float32) / np.float32(255.0), orientation)
        colours = colours.convert("RGB")
    elif colours.mode not in ("RGB", "CMYK", "L"):
        colours = colours.convert("RGB")
    return LoadedPicture(_turned(conversion.of_8_bits(colours), orientation), alpha, infotext, tuple(notes), side)


def _sixteen_bit(image: Image.Image, data: bytes) -> tuple[bool, Pixels, Mask | None] | None:
    """(whether it is grey, colours, transparency) in the full depth of a 16-bit PNG or TIFF, which Pillow cuts to 8
    bits; None for any other picture."""
    if image.format not in ("PNG", "TIFF") or (image.format == "PNG" and data[_PNG_DEPTH] != 16):
        return None
    if image.mode == "CMYK":
        return None
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        return None
    values = np.asarray(decoded, dtype=np.float32) / np.float32(65535.0)
    if values.ndim == 2:
        return True, np.repeat(values[..., None], 3, axis=2), None
    alpha = np.ascontiguousarray(values[..., 3]) if values.shape[2] == 4 else None
    return False, np.ascontiguousarray(values[..., 2::-1]), alpha


def _turned(array: npt.NDArray[np.float32], orientation: int) -> npt.NDArray[np.float32]:
    """An array upright, by its EXIF orientation (1 to 8)."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
