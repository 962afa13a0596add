"""Which picture files a call means: what is named, and what lies in folders, but no results and nothing hidden."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lib_finisher.imaging.files import EXTENSIONS, PictureError, load_header
from lib_finisher.plain_files import opened_file

# Folders that systems put beside pictures, and in which only leftovers of pictures lie.
_NOT_MEANT = frozenset({"__macosx", "@eadir", "$recycle.bin"})
# What only the infotext of a finished picture tells, and not that of one which is to be finished.
_FINISHED = re.compile(r"(?:^|, )Finisher stages: ")


@dataclass(frozen=True)
class Source:
    """A file to finish; `folder` is where it lies below the folder that was named, and where its result goes."""

    path: Path
    folder: Path = Path()


@dataclass(frozen=True)
class Inputs:
    """What a call means. `results` are Finisher's own, left out; `unreadable` folders come with the reason.

    `deeper` are folders with pictures only further down, where nobody looked.
    """

    sources: tuple[Source, ...] = ()
    results: tuple[Path, ...] = ()
    unreadable: tuple[tuple[Path, str], ...] = ()
    deeper: tuple[Path, ...] = ()


def inputs_of(named: Sequence[Path], recursive: bool = False, take_results: bool = False) -> Inputs:
    """The files that are named and the pictures in the folders that are, by name; with `recursive` those below too.

    Hidden files and folders are left alone, and what the systems of Macs and of network storages leave beside pictures.
    A file that is meant twice counts once. Finisher's own results are only taken with `take_results`.
    """
    walk = _Walk(recursive)
    sources: list[Source] = []
    for path in named:
        sources += walk.folder(path) if path.is_dir() else [Source(path)]
    unique = list({source.path.absolute(): source for source in sources}.values())
    results = () if take_results else tuple(source.path for source in unique if is_result(source.path))
    left_out = set(results)
    return Inputs(
        tuple(source for source in unique if source.path not in left_out),
        results,
        tuple(walk.unreadable),
        tuple(walk.deeper),
    )


def is_result(file: Path) -> bool:
    """Whether Finisher made the picture, here or in a web UI; what cannot be read is none."""
    try:
        header = load_header(file)
    except PictureError:
        return False
    return bool(header.finisher) or bool(_FINISHED.search(header.infotext.rpartition("\n")[2]))


def content_hash(file: Path) -> str:
    """The sha256 of a file's contents; "" where they cannot be read, which whoever reads the picture will say."""
    digest = hashlib.sha256()
    try:
        with opened_file(file) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


@dataclass
class _Walk:
    recursive: bool
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    deeper: list[Path] = field(default_factory=list)

    def folder(self, top: Path) -> list[Source]:
        sources = [Source(file, file.parent.relative_to(top)) for file in self._files(top, set())]
        if not sources and not self.recursive and any(_has_pictures(folder) for folder in _parts(top)[0]):
            self.deeper.append(top)
        return sources

    def _files(self, folder: Path, seen: set[str]) -> Iterator[Path]:
        # A link to a folder above would otherwise be followed for ever.
        real = os.path.realpath(folder)
        if real in seen:
            return
        seen.add(real)
        try:
            folders, files = _parts(folder)
        except OSError as error:
            self.unreadable.append((folder, error.strerror or str(error)))
            return
        yield from files
        if self.recursive:
            for below in folders:
                yield from self._files(below, seen)


def _parts(folder: Path) -> tuple[list[Path], list[Path]]:
    """(the folders, the pictures) in a folder by name, without what is hidden. Raises OSError."""
    folders, files = [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if _hidden(entry):
                continue
            path = folder / entry.name
            if entry.is_dir():
                folders.append(path)
            elif path.suffix.lower() in EXTENSIONS:
                # What is no file, though called a picture, is told with the pictures.
                files.append(path)
    return folders, files


def _has_pictures(folder: Path) -> bool:
    try:
        return bool(_parts(folder)[1])
    except OSError:
        return False


def _hidden(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.name.lower() in _NOT_MEANT:
        return True
    try:
        attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    except OSError:
        return False
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)
