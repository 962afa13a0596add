"""Pictures as they come in a request and go out in an answer: base64, never a path or an address."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from lib_finisher.api.problems import Problem, RequestError, shown
from lib_finisher.imaging.arrays import Mask, to_uint8
from lib_finisher.imaging.files import LoadedPicture, PictureError, damage, load_mask, load_picture
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.metadata import INFOTEXT_KEYWORD
from lib_finisher.imaging.opening import TooManyPixels, opened
from lib_finisher.imaging.png_chunks import with_side_data
from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData

_ACCEPTED = "PNG, JPEG, WebP, AVIF, BMP, GIF or TIFF"
_DATA_URL = re.compile(r"\s*data:[\w.+/;=-]{0,200}?;base64,", re.IGNORECASE)
_ADDRESS = re.compile(r"\s*(\w{2,12}://|\\\\|[A-Za-z]:[\\/]|\.{0,2}/|~/)|.*\.\w{2,5}\s*$", re.DOTALL)
_LONGEST_ADDRESS = 4096


class Upload:
    """One picture of a request, decoded from base64 but not yet read.

    It stands where `load_picture` expects a file, of which that reads the bytes and tells the name.
    """

    def __init__(self, value: Any, field: str) -> None:
        """Raises RequestError where the value is not base64."""
        self.field = field
        self._data = _decoded(value, field)
        self.size = self._peek()

    def __str__(self) -> str:
        return self.field

    def read_bytes(self) -> bytes:
        """The picture file's contents."""
        return self._data

    def picture(self) -> LoadedPicture:
        """The picture, upright and in sRGB. Raises RequestError."""
        try:
            return load_picture(cast(Any, self))
        except PictureError as error:
            raise self._refused(error) from error

    def mask(self, size: Size) -> Mask:
        """The picture as a mask for pictures of `size`; white means repair. Raises RequestError."""
        try:
            return load_mask(cast(Any, self), (size.width, size.height))
        except PictureError as error:
            raise self._refused(error) from error

    def _peek(self) -> Size:
        """The size that the file's header tells; nothing is decompressed."""
        try:
            with opened(self._data) as image:
                return Size(image.width, image.height)
        except UnidentifiedImageError:
            raise RequestError([Problem(self.field, _not_a_picture(self._data))]) from None
        except TooManyPixels as error:
            raise RequestError([Problem(self.field, str(error))]) from error
        # As when the whole picture is read: what a damaged file makes Pillow raise has no common class.
        except Exception as error:
            text = f"the picture is damaged or cut short ({damage(error)})."
            raise RequestError([Problem(self.field, text)]) from error

    def _refused(self, error: PictureError) -> RequestError:
        return RequestError([Problem(self.field, str(error).removeprefix(f"{self.field}: "))])


def png(
    pixels: npt.NDArray[Any],
    infotext: str,
    alpha: Mask | None = None,
    side: SideData = NO_SIDE_DATA,
    own: Mapping[str, str] | None = None,
) -> str:
    """A picture of 8 bits, or rounded to them, as the base64 of a PNG that carries its infotext as web UIs write it.

    `alpha` (height, width), 0..1, is its transparency, if any; `side` is what other programs wrote into its source,
    `own` what Finisher says by keyword.
    """
    buffer = io.BytesIO()
    levels = pixels if pixels.dtype == np.uint8 else to_uint8(pixels)
    levels = levels if alpha is None else np.dstack([levels, to_uint8(alpha)])
    Image.fromarray(levels).save(buffer, "PNG", compress_level=3)
    data = with_side_data(buffer.getvalue(), {INFOTEXT_KEYWORD: infotext, **(own or {})}, side)
    return base64.b64encode(data).decode("ascii")


def _decoded(value: Any, field: str) -> bytes:
    if not isinstance(value, str) or not value.strip():
        text = f"{shown(value)} is not accepted; it must be a picture as base64, or a data URL."
        raise RequestError([Problem(field, text)])
    begin = _DATA_URL.match(value)
    text = "".join((value[begin.end() :] if begin else value).split())
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError([Problem(field, _not_base64(value, error))]) from None
    # A short path may happen to be made of base64's letters only.
    if len(value) <= _LONGEST_ADDRESS and value.lstrip().startswith("/") and not data.startswith(b"\xff\xd8"):
        raise RequestError([Problem(field, _not_base64(value, ValueError("it begins like a path")))])
    return data


def _not_base64(value: str, error: Exception) -> str:
    if len(value) <= _LONGEST_ADDRESS and _ADDRESS.match(value):
        return f"{shown(value)} looks like a path or an address, and those are not read; send the picture as base64."
    return f"the base64 is broken ({error}); send {_ACCEPTED} as base64, or as a data URL."


def _not_a_picture(data: bytes) -> str:
    return f"these {len(data)} bytes are not a picture of a known kind; send {_ACCEPTED} as base64."
