"""Finishing picture files: loading, running in chunks, saving, and a report of each. No front of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib_finisher.batch.report import FileReport
from lib_finisher.batch.saving import Saving, Taken, noted, save_free, save_stages, texts_of
from lib_finisher.batch.transparency import alpha_of
from lib_finisher.events import Control
from lib_finisher.finished import Finished
from lib_finisher.hosts.port import Host
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.files import LoadedPicture, PictureError, damage, load_mask, load_picture
from lib_finisher.imaging.geometry import size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.base import RESTRICTS
from lib_finisher.stages.stage import Base, Work

logger = logging.getLogger(__name__)

# As many as one swap of the checkpoint should serve; the pixels bound the memory.
_CHUNK_PICTURES = 8
_CHUNK_PIXELS = 8 * 1024 * 1024


@dataclass(eq=False)
class _Loaded:
    source: Path
    picture: LoadedPicture
    mask: Mask | None


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
    taken = Taken([*sources, *used, *([] if mask is None else [mask])])
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
    item: _Loaded, done: Finished, host: Host, recipe: Recipe, base: Base, saving: Saving, taken: Taken
) -> FileReport:
    try:
        return _all_saved(item, done, host, recipe, base, saving, taken)
    # Whatever is wrong with one result must not cost those of the other pictures.
    except Exception as error:
        logger.debug("The result of %s could not be saved.", item.source, exc_info=True)
        return FileReport(item.source, None, f"the result could not be saved ({damage(error)})")


def _all_saved(
    item: _Loaded, done: Finished, host: Host, recipe: Recipe, base: Base, saving: Saving, taken: Taken
) -> FileReport:
    picture, size, notes = item.picture, size_of(done.pixels), list(item.picture.notes)
    if done.interrupted_in and not any(report.status in ("ran", "reused") for report in done.reports):
        return FileReport(item.source, None, f"interrupted in {done.interrupted_in}, before any stage was complete")
    if recipe[BASE].mask == RESTRICTS and (item.mask is None or not (item.mask > 0).any()):
        notes.append("the mask was to restrict, but none marks anything, so the stages worked on the whole picture")
    alpha = None if picture.alpha is None else alpha_of(picture.alpha, done, recipe)
    stem = item.source.stem + (".interrupted" if done.interrupted_in else "")
    try:
        texts = texts_of(picture, done, host, recipe, base)
        path = save_free(saving, stem, taken, done, alpha, texts, picture.side)
    except OSError as error:
        return FileReport(
            item.source, None, f"{saving.folder / stem}.png: cannot be written ({error.strerror or error})."
        )
    save_stages(saving, path.stem, done, taken, notes)
    without = None
    if done.without is not None:
        other = f"{stem}.without-{done.compared}"
        with noted(notes, f"the picture without {done.compared}"):
            texts = texts_of(picture, done.without, host, recipe, base)
            own = None if picture.alpha is None else alpha_of(picture.alpha, done.without, recipe)
            without = save_free(saving, other, taken, done.without, own, texts, picture.side)
    return FileReport(item.source, path, done.error, size, tuple(done.reports), tuple(notes), done.compared, without)
