"""Writing results: under which names, in which files, with which texts."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lib_finisher import __version__
from lib_finisher.finished import Finished
from lib_finisher.hosts.port import Host
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.files import LoadedPicture, damage
from lib_finisher.imaging.saving import save_png
from lib_finisher.imaging.side_data import SideData
from lib_finisher.json_text import json_text
from lib_finisher.recipe import Recipe, write_recipe
from lib_finisher.stages.order import NAMES
from lib_finisher.stages.stage import Base

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Saving:
    """Where and how results are written: as PNG of `depth` (8 or 16) bits."""

    folder: Path
    overwrite: bool = False
    stages: bool = False
    depth: int = 8


class Taken:
    """Files that nothing may be saved over, by whatever name they are called."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._names: set[str] = set()
        self._files: set[tuple[int, int]] = set()
        for file in files:
            self.add(file)

    def add(self, file: Path) -> None:
        """Nothing may be saved over this file from now on."""
        self._names.add(_full_name(file))
        self._files |= _identity(file)

    def __contains__(self, file: Path) -> bool:
        return _full_name(file) in self._names or not self._files.isdisjoint(_identity(file))


def _full_name(file: Path) -> str:
    # Not Path.resolve, which raises at links that lead in a circle.
    return os.path.normcase(os.path.realpath(file))


def _identity(file: Path) -> set[tuple[int, int]]:
    """What `os.path.samefile` compares: on some file systems A.png is a.png. Empty where there is no such file."""
    try:
        found = os.stat(file)
    except OSError:
        return set()
    return {(found.st_dev, found.st_ino)}


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
    stem: str,
    taken: Taken,
    done: Finished,
    alpha: Mask | None,
    texts: dict[str, str],
    side: SideData,
) -> Path:
    """Save under a name that is no input's, none of this run, and none that exists unless that was asked for."""
    number, path = 1, saving.folder / f"{stem}.png"
    while True:
        # Encoding a picture takes long, so a name that is taken is passed over before.
        if (saving.overwrite or not os.path.lexists(path)) and path not in taken:
            try:
                save_png(path, done.pixels, alpha, texts, saving.overwrite, saving.depth, done.graded, side)
                taken.add(path)
                return path
            except FileExistsError:
                # Another run was faster.
                if not os.path.lexists(path):
                    raise
        number += 1
        path = saving.folder / f"{stem}-{number}.png"


def texts_of(picture: LoadedPicture, done: Finished, host: Host, recipe: Recipe, base: Base) -> dict[str, str]:
    """The texts that a result carries."""
    told = {
        "version": __version__,
        "engine": host.capabilities.engine,
        "seed": base.seed,
        "recipe": write_recipe(recipe),
        "stages": {item.stage: item.status for item in done.reports},
    }
    if done.error:
        told["error"] = done.error
    texts = {"finisher": json_text(told)}
    if picture.infotext:
        texts["parameters"] = picture.infotext
    return texts


def save_stages(saving: Saving, name: str, done: Finished, taken: Taken, notes: list[str]) -> None:
    """The picture after each stage, in a folder of that `name`; what cannot be saved is noted."""
    folder = saving.folder / "stages" / name
    for stage, pixels in done.stages.items():
        file = folder / f"{NAMES.index(stage) + 1}-{stage}.png"
        if file in taken:
            notes.append(f"the picture after {stage} was not saved: this run reads {file}")
            continue
        with noted(notes, f"the picture after {stage}"):
            save_png(file, pixels, depth=saving.depth, dither=stage == "grade")
