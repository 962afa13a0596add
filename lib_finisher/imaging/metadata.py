"""What a file says beside its pixels: the infotext, wherever programs put it, and what others wrote."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import ExifTags, Image

from lib_finisher.imaging.exif import Exif
from lib_finisher.imaging.hidden_text import hidden_text
from lib_finisher.imaging.png_chunks import MOST_TEXT, XMP_KEYWORD, PngParts
from lib_finisher.imaging.side_data import PngText, SideData
from lib_finisher.imaging.user_comment import user_comment
from lib_finisher.json_text import JsonError, parse_json

INFOTEXT_KEYWORD, OWN_KEYWORD = "parameters", "finisher"
_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_TAG = 700
_XMP_LIES = re.compile(rb"""(tiff:Orientation(?:=["']|>))[2-8]""")
# What tells of a picture in a TIFF; the rest of its tags tells of how it is stored.
_TIFF_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)
_TIFF_BLOCKS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# What Pillow raises for tags that are not of the type they should be.
_ODD_TAGS = (
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error,
)  # fmt: skip
_RAW_EXIF = "Raw profile type exif"


def exif_of(image: Image.Image, parts: PngParts | None) -> Exif:
    """The EXIF of a picture that is open; an empty one where there is none that can be read."""
    if image.format == "TIFF":
        return Exif(_tiff_exif(image))
    data = image.info.get("exif", b"") if parts is None else parts.exif or _raw_exif(parts)
    return Exif(data if isinstance(data, bytes) else b"")


def read_metadata(
    image: Image.Image, parts: PngParts | None, exif: Exif, notes: list[str]
) -> tuple[str, SideData, bool]:
    """(infotext, what else others wrote, whether the transparency holds but a text) of a decoded picture.

    What is left out is told in `notes`.
    """
    texts = [] if parts is None else list(parts.texts)
    comment = _comment(image)
    in_exif = exif.comment
    infotext = _of_keyword(texts, INFOTEXT_KEYWORD)
    if not infotext and tells_of_generation(in_exif):
        infotext = in_exif
    if not infotext and tells_of_generation(text := user_comment(comment)):
        infotext, comment = text, b""
    # Without transparency it is only looked for where nothing else tells, because it costs decoding the picture.
    hidden, in_alpha = hidden_text(image) if image.mode == "RGBA" or not infotext else ("", False)
    if hidden:
        told = _keywords(hidden)
        there = {item.keyword for item in texts}
        texts += [PngText(key, text, not text.isascii()) for key, text in told.items() if key not in there]
        infotext = infotext or ("" if told else hidden)
        notes.append("the text that was hidden in the picture's last bits stands in the result as plain text")
    moved = {INFOTEXT_KEYWORD, OWN_KEYWORD, XMP_KEYWORD} | (
        {_RAW_EXIF} if parts is not None and _raw_exif(parts) else set()
    )
    xmp = _of_keyword(texts, XMP_KEYWORD).encode() or _xmp(image)
    side = SideData(
        texts=tuple(item for item in texts if item.keyword not in moved),
        # Readers prefer it to the text beside it, so one that tells of the source only would be taken for the result's.
        exif=exif.for_result(keep_comment=not tells_of_generation(in_exif)),
        xmp=_XMP_LIES.sub(rb"\g<1>1", xmp),
        comment=comment,
        dpi=_dpi(image) if parts is None else parts.dpi,
    )
    return infotext, side, in_alpha


def of_open_image(image: Image.Image) -> tuple[str, SideData]:
    """(infotext, what else others wrote) of a picture that somebody else has opened, as far as Pillow tells of it."""
    info = image.info or {}
    texts = tuple(
        PngText(key, str(value), not str(value).isascii())
        for key, value in info.items()
        if isinstance(value, str) and isinstance(key, str) and 1 <= len(key) <= 79
    )
    exif = Exif(info["exif"] if isinstance(info.get("exif"), bytes) else b"")
    infotext, side, _ = read_metadata(image, PngParts(b"", texts, dpi=_dpi(image)), exif, [])
    return infotext, side


def tells_of_generation(text: str) -> bool:
    """Whether a comment, in which people write anything, is one of a program that generates pictures."""
    return text.lstrip().startswith("{") or "Steps: " in text or "Negative prompt: " in text


def _of_keyword(texts: Sequence[PngText], keyword: str) -> str:
    return next((item.text for item in texts if item.keyword == keyword), "")


def _keywords(hidden: str) -> dict[str, str]:
    """NovelAI hides as JSON what it otherwise writes as texts of a PNG; {} for any other text."""
    try:
        data = parse_json(hidden)
    except JsonError:
        return {}
    if not isinstance(data, Mapping) or not {"Comment", "Description"} & data.keys():
        return {}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in data.items()}
    return {key: text for key, text in texts.items() if 1 <= len(key) <= 79 and key.isascii() and key.isprintable()}


def _comment(image: Image.Image) -> bytes:
    comment = image.info.get("comment", b"") if image.format in ("JPEG", "MPO", "GIF") else b""
    return comment if isinstance(comment, bytes) else b""


def _xmp(image: Image.Image) -> bytes:
    data: Any = image.info.get("xmp", b"")
    for name, segment in getattr(image, "applist", None) or ():
        if name == "APP1" and segment.startswith(_XMP_MARK):
            data = segment[len(_XMP_MARK) :]
            break
    if image.format == "TIFF":
        try:
            data = image.getexif().get(_XMP_TAG, b"")
        except _ODD_TAGS:
            data = b""
    return data if isinstance(data, bytes) and len(data) <= MOST_TEXT else b""


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except _ODD_TAGS:
        return None
    return (across, down) if all(math.isfinite(value) and 0 < value < 1e6 for value in (across, down)) else None


def _tiff_exif(image: Image.Image) -> bytes:
    """What a TIFF tells of its picture as a block by itself."""
    made = Image.Exif()
    try:
        own = image.getexif()
        for tag in _TIFF_TAGS:
            if isinstance(own.get(tag), str):
                made[tag] = own[tag]
        for block in _TIFF_BLOCKS:
            values = dict(own.get_ifd(block))
            if values:
                # Older Pillows do not write what is put into `get_ifd`.
                made[block] = values
        return made.tobytes()
    except _ODD_TAGS:
        return b""


def _raw_exif(parts: PngParts) -> bytes:
    """EXIF as ImageMagick wrote it before PNG had a chunk for it: a name, a length and hexadecimal digits, in lines."""
    words = _of_keyword(parts.texts, _RAW_EXIF).split()
    try:
        return bytes.fromhex("".join(words[2:]))
    except ValueError:
        return b""
