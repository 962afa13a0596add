"""Opening a picture's contents up to a limit of our own, which is judged by the header before anything is decoded."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from lib_finisher.imaging.limits import MOST_SIDE
from lib_finisher.imaging.png_chunks import SIGNATURE, split_png

KINDS = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "BMP", "GIF", "TIFF")
"""What is read. Pillow knows more kinds, some of which it hands to other programs (EPS to Ghostscript)."""

_PLUGINS = ("PngImagePlugin", "JpegImagePlugin", "MpoImagePlugin", "WebPImagePlugin", "AvifImagePlugin",
            "BmpImagePlugin", "GifImagePlugin", "TiffImagePlugin")  # fmt: skip
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8", b"RIFF", b"BM", b"GIF8", b"II", b"MM")
_OF_AVIF = b"ftyp"

# Only those whose own code asks for no other limit on the way.
_READ_BEYOND_PILLOW = ("PNG", "JPEG", "WEBP", "AVIF", "BMP")


class TooManyPixels(ValueError):
    """A picture that is too large to be decoded. The message says how large it is and what is read."""


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """The picture in a file's contents, its header read and nothing decoded. Of a PNG nothing but the pixels is read.

    Raises TooManyPixels, UnidentifiedImageError, and whatever Pillow comes upon in a damaged file.
    """
    with warnings.catch_warnings():
        # Pillow only warns of a huge picture; the size is judged here, by our own limit.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with _image(split_png(data).pixels if data.startswith(SIGNATURE) else data) as image:
                if image.width * image.height > MOST_SIDE * MOST_SIDE:
                    raise TooManyPixels(
                        f"the picture is too large: {image.width} × {image.height} pixels, and no more than "
                        f"{MOST_SIDE} × {MOST_SIDE} are read. Make it smaller."
                    )
                yield image
        except Image.DecompressionBombError as error:
            raise TooManyPixels(
                f"the picture is too large for its kind ({error}) Save it as PNG, of which up to "
                f"{MOST_SIDE} × {MOST_SIDE} pixels are read."
            ) from error


@functools.cache
def kinds_here() -> tuple[str, ...]:
    """Those of KINDS that this Pillow has; older ones have no AVIF."""
    for name in _PLUGINS:
        with contextlib.suppress(ImportError):
            importlib.import_module(f"PIL.{name}")
    return tuple(kind for kind in KINDS if kind in Image.OPEN)


def looks_like_a_picture(start: bytes) -> bool:
    """Whether a file that begins so may be one of KINDS; it may still be none."""
    return start.startswith(_BEGINNINGS) or start[4:8] == _OF_AVIF


def _image(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=kinds_here())
    except ModuleNotFoundError as error:
        # Once ultralytics is loaded, its own function stands in the place of Pillow's, and asks for a package to read
        # what Pillow does not know.
        raise UnidentifiedImageError("cannot identify the picture") from error
    except Image.DecompressionBombError:
        # Pillow's limit is one for the whole process; the formats' own classes leave it to who calls them.
        for kind in _READ_BEYOND_PILLOW:
            if kind in Image.OPEN:
                factory, accepts = Image.OPEN[kind]
                if accepts is not None and accepts(data[:16]) is True:
                    return factory(io.BytesIO(data), "")
        raise
