"""What stands in a picture's file beside its pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PngText:
    """A text of a PNG. `international` says that it stands as UTF-8 (iTXt), not as Latin-1."""

    keyword: str
    text: str
    international: bool = False


@dataclass(frozen=True)
class SideData:
    """What other programs wrote beside the pixels, for the result to carry on as it came.

    Its infotext is not part of it, nor what Finisher itself writes, nor a colour profile: pixels are read as sRGB.

    `texts` are those of a PNG in the file's order. `exif` is a TIFF block without the six bytes that JPEG puts before
    it, and tells nothing that the result would belie: it lies upright, has no thumbnail, no size and no infotext.
    `xmp` is a packet in UTF-8, `comment` that of a JPEG or GIF. `dpi` is the resolution of print, across and down, in
    pixels an inch.
    """

    texts: tuple[PngText, ...] = ()
    exif: bytes = b""
    xmp: bytes = b""
    comment: bytes = b""
    dpi: tuple[float, float] | None = None

    def text(self, keyword: str) -> str:
        """The text of that keyword, "" where there is none."""
        return next((item.text for item in self.texts if item.keyword == keyword), "")


NO_SIDE_DATA = SideData()
