"""What the infotext, the lines under a picture and the saved intermediate pictures tell of its finishing."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modules import images, shared
from modules.processing import create_infotext
from PIL import Image

from lib_finisher.finished import Finished
from lib_finisher.hosts.webui.finish_only import with_alpha
from lib_finisher.hosts.webui.presets import Effective
from lib_finisher.hosts.webui.settings import Preferences
from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.imaging.opening import kinds_here
from lib_finisher.imaging.saving import save_png
from lib_finisher.infotext.writing import (
    KEY,
    KEY_ERROR,
    KEY_NOTES,
    KEY_PRESET,
    KEY_PROMPTS,
    KEY_SIZE,
    KEY_STAGES,
    KEY_VERSION,
    notes_of,
    outcome_pairs,
    preset_pairs,
    recipe_pairs,
)

logger = logging.getLogger(__name__)

_PICTURE_KEYS = (KEY_SIZE, KEY_STAGES, KEY_PROMPTS, KEY_NOTES, KEY_ERROR)
_KEYS = (KEY, KEY_VERSION, KEY_PRESET, *_PICTURE_KEYS)


def forget(p: Any) -> None:
    """Take out what an earlier use of this object told."""
    for key in _KEYS:
        p.extra_generation_params.pop(key, None)


def forget_picture(p: Any) -> None:
    """Take out what the picture before told."""
    for key in _PICTURE_KEYS:
        p.extra_generation_params.pop(key, None)


def recipe(p: Any, used: Effective, family: str) -> None:
    """Record the recipe, so that pasting the infotext brings it back, and the presets that it came from."""
    p.extra_generation_params.update(recipe_pairs(used.recipe, family, used.by_hand))
    p.extra_generation_params.update(preset_pairs(used.names, used.content))


def finished(p: Any, done: Finished, more: Sequence[str] = (), of_recipe: Sequence[str] = ()) -> None:
    """What became of a picture; what was refused or done otherwise also stands under it.

    What is said of the recipe comes first: it is true of every picture.
    """
    notes = [*of_recipe, *notes_of(done), *more]
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
    with _without_ours(p):
        text = _infotext(p)
    _save(p, pictures, text, wanted)


def save_deep(p: Any, done: Finished, wanted: Preferences) -> None:
    """Save the finished picture with 16 bits beside the other one, where that is wanted."""
    if not wanted.save_deep or not p.save_samples():
        return
    index, text, folder = p.batch_index, _infotext(p), wanted.folder or p.outpath_samples
    try:
        # The host finds a name and a folder; it cannot write 16 bits itself.
        name, _ = images.save_image(
            Image.fromarray(done.in_8_bits()), folder, "", p.seeds[index], p.prompts[index], "png", info=text, p=p,
            suffix="-finisher-16bit",
        )  # fmt: skip
        file = _last_of(Path(name))
        with Image.open(file, formats=kinds_here()) as written:
            # No more than the host has written: its setting, and other extensions, may keep the infotext out.
            texts = {key: value for key, value in written.info.items() if isinstance(value, str)}
        save_png(file, done.pixels, done.alpha, texts, depth=16)
    except OSError as error:
        p.comment(f"Finisher: the 16-bit picture could not be saved in {folder} ({error.strerror or error})")
        logger.warning("Finisher: the 16-bit picture could not be saved in %s: %s", folder, error)


def _last_of(file: Path) -> Path:
    """The file that the host wrote: where one of that name was there, it may have added a number."""
    number, last = 1, file
    while (numbered := file.with_name(f"{file.stem}-{number}{file.suffix}")).exists():
        number, last = number + 1, numbered
    return last


def before(p: Any, base: Image.Image) -> tuple[Image.Image, str]:
    """The picture as it was before it was finished, and the infotext that it would have had."""
    with _without_ours(p):
        text = _infotext(p)
    picture = base.copy()
    if shared.opts.enable_pnginfo:
        picture.info["parameters"] = text
    return picture, text


def without(p: Any, done: Finished, wanted: Preferences) -> tuple[Image.Image, str]:
    """The picture without the stage that is compared, and its infotext; saved beside the finished one."""
    assert done.without is not None
    picture = with_alpha(Image.fromarray(done.without.in_8_bits()), done.without.alpha)
    before = p.extra_generation_params
    with _without_ours(p):
        p.extra_generation_params |= {key: before[key] for key in (KEY, KEY_VERSION, KEY_PRESET) if key in before}
        p.extra_generation_params |= outcome_pairs(done.without, notes_of(done.without))
        text = _infotext(p)
    if p.save_samples():
        _save(p, {f"without-{done.compared}": picture}, text, wanted)
    if shared.opts.enable_pnginfo:
        picture.info["parameters"] = text
    return picture, text


def _infotext(p: Any) -> str:
    text: str = create_infotext(
        p, p.prompts, p.seeds, p.subseeds, index=p.batch_index, all_negative_prompts=p.negative_prompts
    )
    return text


def _save(p: Any, pictures: Mapping[str, Image.Image], text: str, wanted: Preferences) -> None:
    index = p.batch_index
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
