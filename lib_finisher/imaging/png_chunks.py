"""The chunks of a PNG: apart, so that nothing beside the pixels can cost the picture, and put into a finished one."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lib_finisher.imaging.side_data import NO_SIDE_DATA, PngText, SideData

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What is read of texts and of a profile, so that no compressed one fills the memory; Pillow gives up at 1 MiB.
MOST_TEXT = 32 * 1024 * 1024
MOST_PROFILE = 16 * 1024 * 1024
XMP_KEYWORD = "XML:com.adobe.xmp"

# The signature and the header chunk, which has to be the first.
_HEADER_BYTES = 8 + 25
# All that takes part in the pixels; further chunks whose name begins with a capital are critical too.
_OF_PIXELS = frozenset({b"tRNS", b"acTL", b"fcTL", b"fdAT"})
_INCH = 0.0254


@dataclass(frozen=True, eq=False)
class PngParts:
    """A PNG taken apart: `pixels` is one that holds nothing but the picture. `profile` is None where it has none."""

    pixels: bytes
    texts: tuple[PngText, ...] = ()
    profile: bytes | None = None
    exif: bytes = b""
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def split_png(data: bytes) -> PngParts:
    """A PNG's parts. What is broken beside the pixels is left out with a note; pixels are not looked at."""
    kept: list[bytes] = [SIGNATURE]
    texts: list[PngText] = []
    notes: list[str] = []
    profile: bytes | None = None
    exif, dpi, left = b"", None, MOST_TEXT
    for kind, body, raw in chunks_of(data):
        if kind[:1].isupper() or kind in _OF_PIXELS:
            kept.append(raw)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            try:
                text = _text(kind, body, left)
            except (ValueError, zlib.error) as error:
                name = body[:79].partition(b"\0")[0].decode("latin-1")
                notes.append(f"the text {name!r} beside the picture was left out ({error})")
                continue
            left -= len(text.text)
            texts.append(text)
        elif kind == b"iCCP" and profile is None:
            try:
                profile = _inflated(body.partition(b"\0")[2][1:], MOST_PROFILE)
            except (ValueError, zlib.error) as error:
                notes.append(f"the colour profile could not be used ({error})")
        elif kind == b"eXIf" and len(body) <= MOST_TEXT:
            exif = exif or body
        elif kind == b"pHYs" and len(body) == 9 and body[8] == 1:
            across, down = struct.unpack_from(">II", body)
            dpi = (across * _INCH, down * _INCH) if across and down else None
    return PngParts(b"".join(kept), tuple(texts), profile, exif, dpi, tuple(notes))


def with_side_data(png: bytes, texts: Mapping[str, str], side: SideData = NO_SIDE_DATA) -> bytes:
    """A PNG with `texts` by their keywords and with the `side` data of the picture that it was made of."""
    international = {key: not text.isascii() for key, text in texts.items()}
    written = [PngText(key, text, international[key]) for key, text in texts.items()]
    written += [item for item in side.texts if item.keyword not in texts]
    known = {item.keyword for item in written}
    if side.xmp and XMP_KEYWORD not in known:
        written.append(PngText(XMP_KEYWORD, side.xmp.decode("utf-8", "replace"), True))
    if side.comment and "Comment" not in known:
        written.append(PngText("Comment", side.comment.decode("latin-1")))
    chunks = [_text_chunk(item) for item in written]
    if side.exif:
        chunks.append(chunk(b"eXIf", side.exif))
    if side.dpi is not None:
        across, down = (min(round(value / _INCH), 0x7FFFFFFF) for value in side.dpi)
        chunks.append(chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    return b"".join([png[:_HEADER_BYTES], *chunks, png[_HEADER_BYTES:]])


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its length and its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def chunks_of(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(kind, contents, all of it as it stands) of each chunk; the last one may be cut short."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        yield kind, data[at + 8 : end - 4], data[at:end]
        if kind == b"IEND":
            return
        at = end


def _text(kind: bytes, body: bytes, most: int) -> PngText:
    name, _, rest = body.partition(b"\0")
    keyword = name.decode("latin-1")
    if not 1 <= len(keyword) <= 79:
        raise ValueError("its keyword is not of 1 to 79 letters")
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:]
        rest = rest.partition(b"\0")[2].partition(b"\0")[2]
        rest = _inflated(rest, most) if packed else rest
    elif kind == b"zTXt":
        rest = _inflated(rest[1:], most)
    if len(rest) > most:
        raise ValueError(f"texts of more than {MOST_TEXT >> 20} MiB together are not kept")
    international = kind == b"iTXt"
    return PngText(keyword, rest.decode("utf-8", "replace") if international else rest.decode("latin-1"), international)


def _inflated(packed: bytes, most: int) -> bytes:
    """Decompressed, at most `most` bytes. Raises ValueError and zlib.error."""
    engine = zlib.decompressobj()
    data = engine.decompress(packed, most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than {most / 2**20:.0f} MiB")
    if not engine.eof:
        raise ValueError("it is cut short")
    return data


def _text_chunk(item: PngText) -> bytes:
    keyword = item.keyword.encode("latin-1", "replace")
    if not item.international:
        try:
            return chunk(b"tEXt", keyword + b"\0" + item.text.encode("latin-1"))
        except UnicodeEncodeError:
            pass
    return chunk(b"iTXt", keyword + b"\0\0\0\0\0" + item.text.encode("utf-8", "replace"))
