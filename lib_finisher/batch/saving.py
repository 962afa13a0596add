"""Writing results: in which format, under which names, with which texts."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lib_finisher.batch.names import Taken, fitting_stem
from lib_finisher.finished import Finished
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.files import damage
from lib_finisher.imaging.format_kinds import PNG, Format, format_of
from lib_finisher.imaging.formats import Encoded, encode_picture, save_picture
from lib_finisher.imaging.saving import write_picture
from lib_finisher.imaging.side_data import SideData
from lib_finisher.stages.sections import NAMES
from lib_finisher.whole_files import sweep

logger = logging.getLogger(__name__)

# What marks a picture after a stage as Finisher's, so that it is not taken for a draft.
_MARK = {"finisher": "{}"}


@dataclass(frozen=True)
class Saving:
    """Where and how results are written.

    `wanted` is the format of all, None for that of each source. `quality` is 1..100, 0 for the format's usual one;
    `depth` is 8 or 16 bits, 16 for PNG.
    """

    folder: Path
    overwrite: bool = False
    stages: bool = False
    depth: int = 8
    wanted: Format | None = PNG
    quality: int = 0

    def format_for(self, source: Path, transparent: bool = False) -> Format:
        """The format of that source's result; PNG where the format has no transparency and the picture has."""
        wanted = self.wanted or format_of(source)
        return PNG if transparent and not wanted.transparency else wanted

    def suffix_for(self, source: Path, written: Format) -> str:
        """The ending of a result's name, as the source spells it where the format is the source's."""
        same = self.wanted is None and source.suffix.lower() in written.suffixes
        return source.suffix if same else written.suffix


@dataclass(frozen=True)
class Target:
    """Where one result goes: settled before the work. `cut` says that the source's name was too long."""

    folder: Path
    stem: str
    suffix: str
    written: Format
    cut: bool


@dataclass(frozen=True, eq=False)
class Result:
    """What is saved of a picture beside its pixels."""

    done: Finished
    alpha: Mask | None
    texts: Mapping[str, str]
    side: SideData


def target_of(saving: Saving, source: Path, folder: Path, transparent: bool) -> Target:
    """Where the result of a source goes that lies in `folder` below the one that was named."""
    place = saving.folder / folder
    written = saving.format_for(source, transparent)
    stem = fitting_stem(source.stem, place)
    return Target(place, stem, saving.suffix_for(source, written), written, stem != source.stem)


@contextlib.contextmanager
def noted(notes: list[str], what: str) -> Iterator[None]:
    """A failure within is only noted: the finished picture is saved already."""
    try:
        yield
    except Exception as error:
        logger.debug("%s could not be saved.", what, exc_info=True)
        reason = error.strerror if isinstance(error, OSError) else None
        notes.append(f"{what} could not be saved ({reason or damage(error)})")


def save_free(
    saving: Saving,
    target: Target,
    ending: str,
    taken: Taken,
    result: Result,
    notes: list[str],
    unrecorded: Callable[[Path], bool] = lambda path: False,
) -> Path:
    """Save under a name that is no input's, none of this run, and none that exists unless that was asked for.

    `ending` comes after the stem. What the format could not hold is noted. A file under such a name that is this very
    result is it, where it is `unrecorded`: a run that was killed had saved it and could not record it any more.
    """
    stem = target.stem + ending
    number, path = 1, target.folder / f"{stem}{target.suffix}"
    encoded: Encoded | None = None
    while True:
        there = not saving.overwrite and os.path.lexists(path)
        take = there and unrecorded(path)
        # Encoding a picture takes long, so a name that is taken is passed over before.
        if path not in taken and (take or not there):
            if encoded is None:
                done = result.done
                encoded = encode_picture(
                    done.pixels, result.alpha, result.texts, result.side, target.written, saving.quality, saving.depth,
                    done.graded,
                )  # fmt: skip
                notes += encoded.notes
            if take and _holds(path, encoded.data):
                taken.add(path)
                return path
            if not there:
                try:
                    write_picture(path, encoded.data, saving.overwrite)
                    taken.add(path)
                    return path
                except FileExistsError:
                    # Another run was faster.
                    if not os.path.lexists(path):
                        raise
        number += 1
        path = target.folder / f"{stem}-{number}{target.suffix}"


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file, no link and nothing else, has those bytes."""
    try:
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def save_stages(saving: Saving, folder: Path, done: Finished, taken: Taken, notes: list[str]) -> None:
    """The picture after each stage as PNG in `folder`; what cannot be saved is noted."""
    sweep(folder)
    for stage, pixels in done.stages.items():
        file = folder / f"{NAMES.index(stage) + 1}-{stage}.png"
        if file in taken:
            notes.append(f"the picture after {stage} was not saved: this run reads {file}")
            continue
        with noted(notes, f"the picture after {stage}"):
            save_picture(file, pixels, texts=_MARK, depth=saving.depth, dither=stage == "grade")
