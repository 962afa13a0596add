"""What the infotext, the lines under a picture and the saved intermediate pictures tell of its finishing."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from modules import images, shared
from modules.processing import create_infotext
from PIL import Image

from lib_finisher.api.infotext import (
    KEY,
    KEY_ERROR,
    KEY_NOTES,
    KEY_PROMPTS,
    KEY_SIZE,
    KEY_STAGES,
    KEY_VERSION,
    notes_of,
    outcome_pairs,
    recipe_pairs,
)
from lib_finisher.finished import Finished
from lib_finisher.hosts.webui.settings import Preferences
from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.recipe import Recipe

logger = logging.getLogger(__name__)

_PICTURE_KEYS = (KEY_SIZE, KEY_STAGES, KEY_PROMPTS, KEY_NOTES, KEY_ERROR)
_KEYS = (KEY, KEY_VERSION, *_PICTURE_KEYS)


def forget(p: Any) -> None:
    """Take out what an earlier use of this object told."""
    for key in _KEYS:
        p.extra_generation_params.pop(key, None)


def forget_picture(p: Any) -> None:
    """Take out what the picture before told."""
    for key in _PICTURE_KEYS:
        p.extra_generation_params.pop(key, None)


def recipe(p: Any, used: Recipe, family: str) -> None:
    """Record the recipe, so that pasting the infotext brings it back."""
    p.extra_generation_params.update(recipe_pairs(used, family))


def finished(p: Any, done: Finished, more: Sequence[str] = ()) -> None:
    """What became of a picture; what was refused or done otherwise also stands under it."""
    notes = [*notes_of(done), *more]
    p.extra_generation_params.update(outcome_pairs(done, notes))
    for note in notes:
        p.comment(f"Finisher: {note}")
    if done.error:
        failed(p, done.error)


def failed(p: Any, reason: str) -> None:
    """Say it in the infotext, under the picture and in the log."""
    p.extra_generation_params[KEY_ERROR] = reason
    p.comment(f"Finisher: {reason}")
    logger.warning("Finisher: %s", reason)


def save_pictures(p: Any, base: Image.Image, done: Finished, wanted: Preferences) -> None:
    """Save the base, the stages and the mask previews, as far as they are wanted and pictures are saved at all."""
    if not p.save_samples():
        return
    pictures: dict[str, Image.Image] = {"base": base} if wanted.save_base else {}
    if wanted.save_stages:
        pictures |= {name: _image(pixels) for name, pixels in done.stages.items()}
    if wanted.save_masks:
        pictures |= {f"{name}-mask": _image(pixels) for name, pixels in done.previews.items()}
    if not pictures:
        return
    index = p.batch_index
    with _without_ours(p):
        text = create_infotext(
            p, p.prompts, p.seeds, p.subseeds, index=index, all_negative_prompts=p.negative_prompts
        )  # fmt: skip
    folder = wanted.folder or p.outpath_samples
    for name, picture in pictures.items():
        try:
            images.save_image(
                picture, folder, "", p.seeds[index], p.prompts[index], shared.opts.samples_format, info=text, p=p,
                suffix=f"-finisher-{name}",
            )  # fmt: skip
        except OSError as error:
            p.comment(f"Finisher: the picture {name!r} could not be saved in {folder} ({error.strerror or error})")
            logger.warning("Finisher: the picture %r could not be saved in %s: %s", name, folder, error)


@contextmanager
def _without_ours(p: Any) -> Iterator[None]:
    """The base and the stages are not the finished picture: their infotext is the base's."""
    before = p.extra_generation_params
    p.extra_generation_params = {key: value for key, value in before.items() if key not in _KEYS}
    try:
        yield
    finally:
        p.extra_generation_params = before


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(to_uint8(pixels))
