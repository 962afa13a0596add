"""The file formats that results are written in: PNG, JPEG, WebP, and AVIF where Pillow has it."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint8
from lib_finisher.imaging.dither import dithered
from lib_finisher.imaging.format_kinds import AVIF, FORMATS, JPEG, PNG, Format
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.saving import encode_png, write_picture
from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData
from lib_finisher.json_text import JsonError, parse_json

INFOTEXT = "parameters"
# What a JPEG's segment holds beside its own length; the other formats hold any size.
_MOST_IN_SEGMENT = 65533
_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
_FULL_COLOUR_FROM = 90
# Where ComfyUI itself writes and reads its texts in WebP, as "keyword:text"; cameras' names stand there otherwise.
_COMFYUI_TAGS = {"prompt": ExifTags.Base.Model, "workflow": ExifTags.Base.Make}
# What Pillow raises for tags that are not of the type they should be.
_ODD_TAGS = (
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error,
)  # fmt: skip


class FormatError(ValueError):
    """A format that cannot be written here. The message says why and what can be taken instead."""


@dataclass(frozen=True)
class Encoded:
    """The bytes of a picture's file, and what the format could not hold, in words."""

    data: bytes
    notes: tuple[str, ...] = ()


def check_writable(wanted: Format) -> None:
    """Raises FormatError where this Pillow cannot write the format."""
    Image.init()
    if wanted.label.upper() not in Image.SAVE:
        here = ", ".join(item.name for item in FORMATS.values() if item.label.upper() in Image.SAVE)
        raise FormatError(f"the Pillow that is installed here cannot write {wanted.label}; it writes {here}.")


def save_picture(
    path: Path,
    pixels: Pixels,
    alpha: Mask | None = None,
    texts: Mapping[str, str] | None = None,
    side: SideData = NO_SIDE_DATA,
    wanted: Format = PNG,
    quality: int = 0,
    depth: int = 8,
    overwrite: bool = True,
    dither: bool = False,
) -> tuple[str, ...]:
    """Write a picture as `encode_picture` makes it, whole or not at all; what the format could not hold, in words.

    Raises OSError; FileExistsError as `save_png`; ValueError where the format cannot hold the size.
    """
    encoded = encode_picture(pixels, alpha, texts, side, wanted, quality, depth, dither)
    write_picture(path, encoded.data, overwrite)
    return encoded.notes


def encode_picture(
    pixels: Pixels,
    alpha: Mask | None = None,
    texts: Mapping[str, str] | None = None,
    side: SideData = NO_SIDE_DATA,
    wanted: Format = PNG,
    quality: int = 0,
    depth: int = 8,
    dither: bool = False,
) -> Encoded:
    """A picture as the bytes of its file, and what the format could not hold, in words.

    `pixels` (height, width, 3) and `alpha` (height, width) are 0..1; alpha only goes with formats that have
    transparency. `texts` are by keyword: a PNG holds all, the others the infotext ("parameters"), where the web UIs
    look for it. `quality` is 1..100, 0 for the format's usual one; `depth` 16 is for PNG. Raises OSError; ValueError
    where the format cannot hold the size.
    """
    texts = dict(texts or {})
    if wanted is PNG:
        return Encoded(encode_png(pixels, alpha, texts, depth, dither, side))
    channels = dithered(pixels) if dither else to_uint8(pixels)
    if alpha is not None:
        channels = np.dstack([channels, to_uint8(alpha)])
    image = Image.fromarray(channels)
    notes = _lost(side, texts, wanted)
    options = _side_options(wanted, texts.get(INFOTEXT, ""), side, notes)
    buffer = io.BytesIO()
    image.save(buffer, wanted.label.upper(), **_options(wanted, quality or wanted.quality), **options)
    return Encoded(buffer.getvalue(), tuple(notes))


def too_large(size: Size, wanted: Format) -> str:
    """Why a picture of that size does not go into the format, "" where it does."""
    if max(size.width, size.height) <= wanted.most_side:
        return ""
    return f"the result would be {size}, and {wanted.label} holds sides up to {wanted.most_side} pixels; use PNG"


def _options(wanted: Format, quality: int) -> dict[str, Any]:
    options: dict[str, Any] = {"quality": quality}
    # Reds and blues at half the resolution are seen as soft edges; below this quality other losses hide that.
    if wanted is JPEG:
        options |= {"subsampling": 0 if quality >= _FULL_COLOUR_FROM else 2, "optimize": True}
    elif wanted is AVIF:
        options["subsampling"] = "4:4:4" if quality >= _FULL_COLOUR_FROM else "4:2:0"
    else:
        options["method"] = 4
    return options


def _side_options(wanted: Format, infotext: str, side: SideData, notes: list[str]) -> dict[str, Any]:
    try:
        exif = _exif(side, infotext)
    # Whatever another program has written there must not cost the result.
    except _ODD_TAGS as error:
        notes.append(f"the EXIF data could not be taken over ({type(error).__name__}: {error})")
        side = replace(side, exif=b"")
        exif = _exif(side, infotext)
    if wanted is not JPEG:
        return {"exif": _with_comfyui(exif, side)} | ({"xmp": side.xmp} if side.xmp else {})
    if len(exif) > _MOST_IN_SEGMENT and side.exif:
        notes.append("the EXIF data and the infotext together are too large for a JPEG; the EXIF data was left out")
        exif = _exif(SideData(dpi=side.dpi), infotext)
    if len(exif) > _MOST_IN_SEGMENT:
        notes.append("the infotext is too long for a JPEG and was left out; PNG and WebP hold it")
        exif = _exif(SideData(dpi=side.dpi), "")
    options: dict[str, Any] = {"exif": exif}
    if side.dpi is not None:
        options["dpi"] = tuple(round(value) for value in side.dpi)
    if side.comment and len(side.comment) <= _MOST_IN_SEGMENT:
        options["comment"] = side.comment
    if side.xmp:
        packet = _XMP_MARK + side.xmp
        if len(packet) <= _MOST_IN_SEGMENT:
            # Pillow's own option for it is younger than the oldest Pillow that we run on.
            options["extra"] = b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet
        else:
            notes.append("the XMP data is too large for a JPEG and was left out")
    return options


def _exif(side: SideData, infotext: str) -> bytes:
    """The source's EXIF data with the infotext as the web UIs write it: UserComment in UTF-16, big end first."""
    exif = Image.Exif()
    if side.exif:
        exif.load(b"Exif\0\0" + side.exif)
    if infotext:
        inner = dict(exif.get_ifd(ExifTags.IFD.Exif))
        inner[ExifTags.Base.UserComment] = b"UNICODE\0" + infotext.encode("utf-16-be", "replace")
        exif[ExifTags.IFD.Exif] = inner
    if side.dpi is not None and ExifTags.Base.XResolution not in exif:
        exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = side.dpi
        exif[ExifTags.Base.ResolutionUnit] = 2
    return exif.tobytes()


def _with_comfyui(data: bytes, side: SideData) -> bytes:
    """EXIF data with ComfyUI's texts, where ComfyUI looks for them."""
    exif = Image.Exif()
    exif.load(data)
    for keyword, tag in _COMFYUI_TAGS.items():
        if text := _as_ascii(side.text(keyword)):
            exif[tag] = f"{keyword}:{text}"
    return exif.tobytes()


def _as_ascii(text: str) -> str:
    """JSON as EXIF holds it and ComfyUI writes it; "" for what is no JSON and has other letters."""
    if text.isascii():
        return text
    try:
        return json.dumps(parse_json(text))
    except JsonError:
        return ""


def _lost(side: SideData, texts: Mapping[str, str], wanted: Format) -> list[str]:
    held = {*texts, *(name for name in _COMFYUI_TAGS if wanted is not JPEG and _as_ascii(side.text(name)))}
    keywords = [item.keyword for item in side.texts if item.keyword not in held]
    return [f"texts of other programs stay only in a PNG: {', '.join(keywords)}"] if keywords else []
