"""Finishing picture files: loading, running in chunks, saving, and a report of each. No front of its own."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib_finisher import __version__
from lib_finisher.events import Control
from lib_finisher.finished import Finished, StageReport
from lib_finisher.hosts.port import Host
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.files import (
    EXTENSIONS,
    LoadedPicture,
    PictureError,
    damage,
    load_mask,
    load_picture,
)
from lib_finisher.imaging.geometry import Size, cut, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.saving import save_png
from lib_finisher.imaging.side_data import SideData
from lib_finisher.json_text import json_text
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe, write_recipe
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.base import RESTRICTS
from lib_finisher.stages.extend import extended_box
from lib_finisher.stages.order import NAMES
from lib_finisher.stages.stage import Base, Work
from lib_finisher.stages.upscale_targets import Target, targets_of

logger = logging.getLogger(__name__)

# As many as one swap of the checkpoint should serve; the pixels bound the memory.
_CHUNK_PICTURES = 8
_CHUNK_PIXELS = 8 * 1024 * 1024


@dataclass(frozen=True)
class FileReport:
    """What became of one input file. `error` is empty when it was finished.

    `without` is the file of the same picture finished without the stage `compared`, where there is one.
    """

    source: Path
    output: Path | None
    error: str
    size: Size | None = None
    stages: tuple[StageReport, ...] = ()
    notes: tuple[str, ...] = ()
    compared: str = ""
    without: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """The report as the command line prints it with `--json`."""
        return {
            "input": str(self.source),
            "output": str(self.output) if self.output is not None else None,
            "status": "failed" if self.error else "finished",
            "error": self.error or None,
            "size": [self.size.width, self.size.height] if self.size is not None else None,
            "notes": list(self.notes),
            "compared": None if self.without is None else {"without": self.compared, "output": str(self.without)},
            "stages": [stage_json(item) for item in self.stages],
        }


@dataclass(frozen=True)
class Saving:
    """Where and how results are written: as PNG of `depth` (8 or 16) bits."""

    folder: Path
    overwrite: bool = False
    stages: bool = False
    depth: int = 8


@dataclass(eq=False)
class _Loaded:
    source: Path
    picture: LoadedPicture
    mask: Mask | None


class _Taken:
    """Files that nothing may be saved over, by whatever name they are called."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._names: set[str] = set()
        self._files: set[tuple[int, int]] = set()
        for file in files:
            self.add(file)

    def add(self, file: Path) -> None:
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


def pictures_in(inputs: Sequence[Path]) -> list[Path]:
    """The files named, and for a folder the pictures directly in it, by name."""
    files: list[Path] = []
    for item in inputs:
        if item.is_dir():
            found = (file for file in item.iterdir() if file.suffix.lower() in EXTENSIONS and file.is_file())
            files += sorted(found)
        else:
            files.append(item)
    return files


def finish_files(
    sources: Sequence[Path],
    pipeline: Pipeline,
    host: Host,
    recipe: Recipe,
    base: Base,
    saving: Saving,
    mask: Path | None,
    control: Control,
    used: Sequence[Path] = (),
) -> Iterator[FileReport]:
    """Finish files in chunks; a report for each, as soon as its chunk is through, in the order of `sources`.

    No result takes the place of a source, of the mask, of another result of this run, or of the files in `used`, which
    are those that the recipe names. After an interruption no further chunk is begun.
    """
    taken = _Taken([*sources, *used, *([] if mask is None else [mask])])
    for chunk in _chunks(sources, mask):
        if control.interrupted:
            return
        loaded = [item for item in chunk if isinstance(item, _Loaded)]
        works = [Work(item.picture.pixels, base, item.mask) for item in loaded]
        results = dict(zip(map(id, loaded), pipeline.run(works)))
        for item in chunk:
            if isinstance(item, FileReport):
                yield item
            else:
                yield _saved(item, results[id(item)], host, recipe, base, saving, taken)


def stage_json(item: StageReport) -> dict[str, Any]:
    """One stage's report as JSON data."""
    return {
        "stage": item.stage,
        "status": item.status,
        "reason": item.reason,
        "seconds": round(item.seconds, 3),
        "patches": item.cost.patches,
        "host_calls": item.cost.host_calls,
        "megapixel_steps": round(item.cost.megapixel_steps, 4),
        "size": [item.size.width, item.size.height],
        "notes": [*item.notes, *item.refusals],
        "prompts": dict(item.prompts),
    }


def _chunks(sources: Iterable[Path], mask: Path | None) -> Iterator[list[_Loaded | FileReport]]:
    chunk: list[_Loaded | FileReport] = []
    pictures = pixels = 0
    for source in sources:
        item = _load(source, mask)
        area = size_of(item.picture.pixels).area if isinstance(item, _Loaded) else 0
        if chunk and (pictures >= _CHUNK_PICTURES or pixels + area > _CHUNK_PIXELS):
            yield chunk
            chunk, pictures, pixels = [], 0, 0
        chunk.append(item)
        pictures, pixels = pictures + 1, pixels + area
    if chunk:
        yield chunk


def _load(source: Path, mask: Path | None) -> _Loaded | FileReport:
    try:
        picture = load_picture(source)
        size = size_of(picture.pixels)
        marked = None if mask is None else load_mask(mask, (size.width, size.height))
    except PictureError as error:
        return FileReport(source, None, str(error))
    return _Loaded(source, picture, marked)


def _saved(
    item: _Loaded, done: Finished, host: Host, recipe: Recipe, base: Base, saving: Saving, taken: _Taken
) -> FileReport:
    try:
        return _all_saved(item, done, host, recipe, base, saving, taken)
    # Whatever is wrong with one result must not cost those of the other pictures.
    except Exception as error:
        logger.debug("The result of %s could not be saved.", item.source, exc_info=True)
        return FileReport(item.source, None, f"the result could not be saved ({damage(error)})")


def _all_saved(
    item: _Loaded, done: Finished, host: Host, recipe: Recipe, base: Base, saving: Saving, taken: _Taken
) -> FileReport:
    picture, size, notes = item.picture, size_of(done.pixels), list(item.picture.notes)
    if done.interrupted_in and not any(report.status in ("ran", "reused") for report in done.reports):
        return FileReport(item.source, None, f"interrupted in {done.interrupted_in}, before any stage was complete")
    if recipe[BASE].mask == RESTRICTS and (item.mask is None or not (item.mask > 0).any()):
        notes.append("the mask was to restrict, but none marks anything, so the stages worked on the whole picture")
    alpha = None if picture.alpha is None else _alpha_of(picture.alpha, done, recipe)
    stem = item.source.stem + (".interrupted" if done.interrupted_in else "")
    try:
        texts = _texts(picture, done, host, recipe, base)
        path = _save_free(saving, stem, taken, done, alpha, texts, picture.side)
    except OSError as error:
        return FileReport(
            item.source, None, f"{saving.folder / stem}.png: cannot be written ({error.strerror or error})."
        )
    folder = saving.folder / "stages" / path.stem
    for name, pixels in done.stages.items():
        file = folder / f"{NAMES.index(name) + 1}-{name}.png"
        if file in taken:
            notes.append(f"the picture after {name} was not saved: this run reads {file}")
            continue
        with _noted(notes, f"the picture after {name}"):
            save_png(file, pixels, depth=saving.depth, dither=name == "grade")
    without = None
    if done.without is not None:
        other = f"{stem}.without-{done.compared}"
        with _noted(notes, f"the picture without {done.compared}"):
            texts = _texts(picture, done.without, host, recipe, base)
            own = None if picture.alpha is None else _alpha_of(picture.alpha, done.without, recipe)
            without = _save_free(saving, other, taken, done.without, own, texts, picture.side)
    return FileReport(item.source, path, done.error, size, tuple(done.reports), tuple(notes), done.compared, without)


@contextlib.contextmanager
def _noted(notes: list[str], what: str) -> Iterator[None]:
    """A failure within is only noted: the finished picture is saved already."""
    try:
        yield
    except Exception as error:
        logger.debug("%s could not be saved.", what, exc_info=True)
        reason = error.strerror if isinstance(error, OSError) else None
        notes.append(f"{what} could not be saved ({reason or damage(error)})")


def _save_free(
    saving: Saving,
    stem: str,
    taken: _Taken,
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


def _texts(picture: LoadedPicture, done: Finished, host: Host, recipe: Recipe, base: Base) -> dict[str, str]:
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


def _alpha_of(alpha: Mask, done: Finished, recipe: Recipe) -> Mask:
    """The transparency at the finished size, framed as the picture was; what was added to it is a mirror image."""
    reports = {item.stage: item for item in done.reports}
    extended, upscaled = reports.get("extend"), reports.get("upscale")
    if extended is not None and extended.status in ("ran", "reused"):
        alpha = cut(alpha, extended_box(size_of(alpha), recipe["extend"]))
    for target in [] if upscaled is None else _targets_reached(upscaled, size_of(alpha), recipe):
        # Where nothing is cut off or added the size alone changes, and that once is enough.
        if target.reframes:
            alpha = cut(np.clip(resize(alpha, target.enlarged), 0.0, 1.0), target.box)
    return np.clip(resize(alpha, size_of(done.pixels)), 0.0, 1.0)


def _targets_reached(report: StageReport, before: Size, recipe: Recipe) -> list[Target]:
    """The targets of the passes that upscale has done to a picture of the size `before`: all, unless it was stopped.

    Of a stopped stage only the size tells how far it came; where several passes have that size, the last one counts.
    """
    if report.status == "skipped" or (report.status == "failed" and not report.refusals and report.size == before):
        # A failure without refusals and without another size came in the midst of a pass: the picture is as it was.
        return []
    targets = targets_of(before, recipe["upscale"].passes)
    reached = [number for number, target in enumerate(targets, 1) if target.size == report.size]
    return targets[: reached[-1]] if reached else []
