"""The kinds of file that results are written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Format:
    """A file format. `quality` is the usual one (1..100), 0 where there is none; sides are in pixels."""

    name: str
    label: str
    suffix: str
    suffixes: tuple[str, ...]
    quality: int
    most_side: int
    transparency: bool


PNG = Format("png", "PNG", ".png", (".png",), 0, 2**31 - 1, True)
JPEG = Format("jpeg", "JPEG", ".jpg", (".jpg", ".jpeg", ".jfif"), 95, 65500, False)
WEBP = Format("webp", "WebP", ".webp", (".webp",), 90, 16383, True)
AVIF = Format("avif", "AVIF", ".avif", (".avif",), 85, 65536, True)
FORMATS: Mapping[str, Format] = {item.name: item for item in (PNG, JPEG, WEBP, AVIF)}


def format_of(file: Path) -> Format:
    """The format that the file's ending stands for; PNG for kinds of file that Finisher does not write."""
    ending = file.suffix.lower()
    return next((item for item in FORMATS.values() if ending in item.suffixes), PNG)
