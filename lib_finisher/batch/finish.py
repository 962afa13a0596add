"""Finishing picture files: loading, running in chunks, saving, and a report of each. No front of its own."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from lib_finisher import __version__
from lib_finisher.batch.inputs import Source, content_hash
from lib_finisher.batch.names import Taken
from lib_finisher.batch.records import FAILED, FINISHED, Record, Records, sweep_records
from lib_finisher.batch.report import FileReport
from lib_finisher.batch.saving import Result, Saving, Target, noted, save_free, save_stages, target_of
from lib_finisher.batch.texts import texts_of
from lib_finisher.batch.work import Work as WorkDigest
from lib_finisher.events import Control
from lib_finisher.finished import Finished
from lib_finisher.hosts.port import Host, HostError
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.files import Header, LoadedPicture, PictureError, damage, load_header, load_mask, load_picture
from lib_finisher.imaging.format_kinds import PNG
from lib_finisher.imaging.formats import too_large
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.transparency import transparent
from lib_finisher.infotext.writing import says_tiling
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe, write_recipe
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.base import RESTRICTS
from lib_finisher.stages.extend import extended_box
from lib_finisher.stages.stage import Base, Stage, Work
from lib_finisher.stages.upscale_targets import targets_of
from lib_finisher.whole_files import sweep

BaseFor = Callable[[Header], tuple[Base, tuple[str, ...]]]

logger = logging.getLogger(__name__)

# As many as one swap of the checkpoint should serve; the pixels bound the memory.
_CHUNK_PICTURES = 8
_CHUNK_PIXELS = 8 * 1024 * 1024


@dataclass(frozen=True)
class Begun:
    """A chunk begins: its files, the number of the first of them (from 1), how many there are in all."""

    files: tuple[Path, ...]
    first: int
    total: int


@dataclass(eq=False)
class _Loaded:
    source: Path
    picture: LoadedPicture
    mask: Mask | None
    base: Base
    target: Target
    input_sha256: str
    work: str

    size: Size

    def handed_over(self) -> Work:
        """The work with the picture's pixels, which are the run's from now on: a large picture is held once."""
        pixels, alpha = self.picture.pixels, self.picture.alpha
        self.picture = replace(self.picture, pixels=np.empty((0, 0, 3), dtype=np.float32))
        return Work(pixels, self.base, self.mask, alpha=alpha)


def finish_files(
    sources: Sequence[Path | Source],
    pipeline: Pipeline,
    host: Host,
    recipe: Recipe,
    base: Base,
    saving: Saving,
    mask: Path | None,
    control: Control,
    used: Sequence[Path] = (),
    *,
    records: Records | None = None,
    again: bool = False,
    base_for: BaseFor | None = None,
    begin: Callable[[Begun], None] | None = None,
) -> Iterator[FileReport]:
    """Finish files in chunks; a report for each when its chunk is through, in the order of `sources`.

    Each result is saved as soon as the picture's own last stage has ended. Where the run ends early by an error, the
    reports of what is saved come before it.
    No result takes the place of a source, of the mask, of another result of this run, or of the files in `used`, which
    are those that the recipe names. After an interruption no further chunk is begun. With `records` what is finished
    already is skipped, unless it is to be done `again`, and what becomes finished is recorded. `base_for` makes of what
    a file says (what its base was made with, what was not taken as it stands); without it that is `base` for all.
    """
    run = _Run(host, recipe, saving, mask, base, base_for, records, again, list(used), pipeline.detectors)
    meant = [item if isinstance(item, Source) else Source(item) for item in sources]
    run.taken = Taken([*(item.path for item in meant), *used, *([] if mask is None else [mask])])
    number = 1
    for chunk in _chunks(meant, run):
        if control.interrupted:
            return
        loaded = [item for item in chunk if isinstance(item, _Loaded)]
        if begin is not None and loaded:
            begin(Begun(tuple(item.source for item in loaded), number, len(meant)))
        works = (item.handed_over() for item in loaded)
        reports: dict[int, FileReport] = {}

        def save(
            index: int, done: Finished, loaded: Sequence[_Loaded] = loaded, reports: dict[int, FileReport] = reports
        ) -> None:
            reports[id(loaded[index])] = run.saved(loaded[index], done)

        try:
            pipeline.run(works, save)
        finally:
            for item in chunk:
                report = item if isinstance(item, FileReport) else reports.get(id(item))
                if report is not None:
                    yield report
        number += len(chunk)


def finished_size(before: Size, recipe: Recipe) -> Size:
    """The size that a picture of the size `before` will have when it is finished. Raises HostError if too large."""
    size = before
    if recipe["extend"].enabled:
        box = extended_box(size, recipe["extend"])
        size = Size(box.right - box.left, box.bottom - box.top)
    if recipe["upscale"].enabled:
        size = targets_of(size, recipe["upscale"].passes)[-1].size
    return size


class _Run:
    """What the pictures of a run share."""

    def __init__(
        self, host: Host, recipe: Recipe, saving: Saving, mask: Path | None, base: Base,
        base_for: BaseFor | None, records: Records | None, again: bool, used: Sequence[Path],
        detectors: Callable[[Stage], Sequence[str]],
    ) -> None:  # fmt: skip
        self._host, self._recipe, self._saving, self._mask = host, recipe, saving, mask
        self._base, self._base_for = base, base_for
        self._records, self._again = records, again
        files = [*used, *([] if mask is None else [mask])]
        self._work = WorkDigest(recipe, host, saving, files, detectors) if records is not None else None
        self.taken = Taken([])
        self._swept: set[Path] = set()

    def load(self, source: Source) -> _Loaded | FileReport:
        """The picture of a source with all that its result needs, settled before the work; or why there is none."""
        path = source.path
        sha256 = work = ""
        base = self._base
        own_notes: tuple[str, ...] = ()
        try:
            if self._base_for is not None:
                base, own_notes = self._base_for(load_header(path))
            if self._work is not None:
                sha256, work = content_hash(path), self._work.digest(path, base)
                done = self._finished_before(source, sha256, work)
                if done is not None:
                    return done
            picture = load_picture(path)
            picture = replace(picture, notes=(*picture.notes, *own_notes))
            base = replace(base, tiling=base.tiling or says_tiling(picture.infotext))
            size = size_of(picture.pixels)
            mask = None if self._mask is None else load_mask(self._mask, (size.width, size.height))
            target = target_of(self._saving, path, source.folder, transparent(picture.alpha) is not None)
            target.folder.mkdir(parents=True, exist_ok=True)
            self._sweep(target.folder)
            if not os.access(target.folder, os.W_OK):
                return FileReport(path, None, f"{target.folder}: nothing can be written there.")
        except PictureError as error:
            return FileReport(path, None, str(error))
        except OSError as error:
            return FileReport(path, None, f"{error.filename or path}: {error.strerror or error}.")
        # Whatever is odd in one file must not cost the others of the run.
        except Exception as error:
            logger.exception("The picture %s could not be taken.", path)
            return FileReport(path, None, f"{path}: the picture could not be taken ({damage(error)}).")
        # A size that the stage itself refuses is the stage's to say.
        with contextlib.suppress(HostError):
            problem = too_large(finished_size(size, self._recipe), target.written)
            if problem:
                return FileReport(path, None, f"{path}: {problem}.")
        return _Loaded(path, picture, mask, base, target, sha256, work, size)

    def _sweep(self, folder: Path) -> None:
        """Once in a run, what runs that were killed have left where results go."""
        if folder not in self._swept:
            self._swept.add(folder)
            sweep(folder)
            sweep_records(folder)

    def _finished_before(self, source: Source, sha256: str, work: str) -> FileReport | None:
        if self._records is None or self._again or self._saving.overwrite:
            return None
        folder = self._saving.folder / source.folder
        record = self._records.find(folder, source.path.name, sha256, work)
        if record is None:
            return None
        why = "finished already, of the same picture with the same settings"
        return FileReport(source.path, folder / record.output, "", skipped=why, left_out=record.left_out)

    def saved(self, item: _Loaded, done: Finished) -> FileReport:
        """The report of a picture whose result, if any, is saved."""
        try:
            return self._all_saved(item, done)
        # Whatever is wrong with one result must not cost those of the other pictures.
        except Exception as error:
            logger.debug("The result of %s could not be saved.", item.source, exc_info=True)
            return FileReport(item.source, None, f"the result could not be saved ({damage(error)})")

    def _all_saved(self, item: _Loaded, done: Finished) -> FileReport:
        if done.interrupted_in and not any(report.status in ("ran", "reused") for report in done.reports):
            why = f"interrupted in {done.interrupted_in}, before any stage was complete"
            return FileReport(item.source, None, why)
        notes, left_out = self._notes(item), tuple(done.left_out)
        target, ending = item.target, ".interrupted" if done.interrupted_in else ""
        try:
            path = self._save(item, ending, done, notes)
        except OSError as error:
            name = target.folder / f"{target.stem}{ending}{target.suffix}"
            return FileReport(item.source, None, f"{name}: cannot be written ({error.strerror or error}).")
        save_stages(self._saving, target.folder / "stages" / path.stem, done, self.taken, notes)
        without = None
        if done.without is not None:
            ending += f".without-{done.compared}"
            with noted(notes, f"the picture without {done.compared}"):
                without = self._save(item, ending, done.without, notes)
        report = FileReport(
            item.source, path, done.error, size_of(done.pixels), tuple(done.reports), tuple(dict.fromkeys(notes)),
            done.compared, without, left_out=left_out,
        )  # fmt: skip
        self._record(item, path, report)
        return report

    def _save(self, item: _Loaded, ending: str, done: Finished, notes: list[str]) -> Path:
        texts = texts_of(
            item.picture, item.size, done, self._host, self._recipe, item.base, notes, item.target.written is PNG
        )
        result = Result(done, done.alpha, texts, item.picture.side)
        return save_free(self._saving, item.target, ending, self.taken, result, notes, self._unrecorded)

    def _unrecorded(self, path: Path) -> bool:
        return self._records is not None and not self._again and not self._records.knows(path)

    def _notes(self, item: _Loaded) -> list[str]:
        notes = list(item.picture.notes)
        if self._recipe[BASE].mask == RESTRICTS and item.mask is None:
            notes.append("the mask was to restrict, but none is given, so the stages worked on the whole picture")
        if item.target.cut:
            notes.append(f"the name of the result was cut to {item.target.stem!r}: that of the source is too long")
        asked = self._saving.format_for(item.source)
        if transparent(item.picture.alpha) is not None and not asked.transparency:
            notes.append(f"saved as {item.target.written.label}: {asked.label} holds no transparency")
        return notes

    def _record(self, item: _Loaded, path: Path, report: FileReport) -> None:
        if self._records is None:
            return
        data = {**report.as_json(), "recipe": write_recipe(self._recipe), "seed": item.base.seed}
        self._records.add(
            path.parent,
            Record(
                source=item.source.name,
                input_sha256=item.input_sha256,
                work=item.work,
                output=path.name,
                status=FAILED if report.error else FINISHED,
                left_out=report.left_out,
                finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                finisher_version=__version__,
                report=data,
            ),
        )


def _chunks(sources: Iterable[Source], run: _Run) -> Iterator[list[_Loaded | FileReport]]:
    """Pictures that are finished together, with the reports of those that are not to be finished between them."""
    chunk: list[_Loaded | FileReport] = []
    pictures = pixels = 0
    for source in sources:
        item = run.load(source)
        if isinstance(item, _Loaded):
            if pictures and (pictures >= _CHUNK_PICTURES or pixels + item.size.area > _CHUNK_PIXELS):
                yield chunk
                chunk, pictures, pixels = [], 0, 0
            pictures, pixels = pictures + 1, pixels + item.size.area
        chunk.append(item)
    if chunk:
        yield chunk
