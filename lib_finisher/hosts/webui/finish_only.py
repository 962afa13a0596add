"""Finish only: an img2img that samples nothing. The host gets the pictures back as already decoded samples."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from modules import script_callbacks
from modules.processing import DecodedSamples
from PIL import Image

from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.webui.infotext import text_of, told_by
from lib_finisher.imaging.arrays import Mask, to_uint8
from lib_finisher.imaging.metadata import of_open_image
from lib_finisher.imaging.transparency import bled, transparent
from lib_finisher.infotext.layout import is_json
from lib_finisher.stages.base import BaseSettings

logger = logging.getLogger(__name__)

# What the object had before, methods of its own included; the pictures, and their transparency; the mask, hidden from
# the host meanwhile; the texts of other programs in the pictures.
_KEPT, _OWN, _ACTIVE, _MASK = "_finisher_kept", "_finisher_own", "_finisher_pictures", "_finisher_mask"
_ALPHAS, _TEXTS = "_finisher_alphas", "_finisher_texts"
# What stood where the host's own infotext goes, of a program whose words are not the host's.
_SOURCE_KEYWORD = "source parameters"
_METHODS = ("init", "sample")
_FIELDS = (
    "width", "height", "batch_size", "prompt", "negative_prompt", "seed", "steps", "cfg_scale", "sampler_name",
    "scheduler", "styles", "image_mask", "init_latent",
)  # fmt: skip

Bytes = npt.NDArray[np.uint8]


def applies(p: Any) -> bool:
    """Whether there is a picture to be finished: in img2img, not in txt2img."""
    return bool(getattr(p, "init_images", None))


def active(p: Any) -> bool:
    """Whether this object's sampling is left out."""
    return bool(getattr(p, _ACTIVE, None))


def mask(p: Any) -> Any:
    """The mask that the user drew for a picture whose sampling is left out, or None."""
    return getattr(p, _MASK, None)


def alpha(p: Any, index: int) -> Mask | None:
    """The transparency (height, width), 0..1, of a picture whose sampling is left out; None where it is opaque."""
    alphas: Sequence[Mask | None] = getattr(p, _ALPHAS, None) or ()
    return alphas[index] if index < len(alphas) else None


def with_alpha(picture: Image.Image, alpha: Mask | None) -> Image.Image:
    """A picture with a transparency of its size, (height, width), 0..1; as it is without one."""
    if alpha is None:
        return picture
    whole = picture.convert("RGB")
    whole.putalpha(Image.fromarray(to_uint8(alpha)))
    return whole


def begin(p: Any, settings: BaseSettings) -> None:
    """Leave the sampling out, of this object and this generation alone. `end` undoes it.

    The host's later steps all run. Its size is the picture's own, so that the infotext is true.
    """
    setattr(p, _KEPT, {name: getattr(p, name) for name in _FIELDS if hasattr(p, name)})
    setattr(p, _OWN, {name: p.__dict__[name] for name in _METHODS if name in p.__dict__})
    # First of all: the host goes on after whatever fails below, and would sample.
    # Bound to the object, not to its pictures: ControlNet keeps the first file's method for the whole batch tab.
    p.init = functools.partial(_init, p)
    p.sample = functools.partial(_sample, p)
    first = p.init_images[0]
    taken = [_taken(item) for item in p.init_images]
    if len(taken) == 1:
        taken = taken * p.batch_size
    pictures = [item[0] for item in taken]
    setattr(p, _ACTIVE, pictures)
    setattr(p, _ALPHAS, [item[1] for item in taken])
    setattr(p, _TEXTS, [_texts_of(item) for item in p.init_images])
    # Others take it for an inpainting: Soft inpainting composes with what it kept of an earlier one.
    setattr(p, _MASK, getattr(p, "image_mask", None))
    p.image_mask = None
    p.batch_size = len(pictures)
    p.height, p.width = pictures[0].shape[:2]
    if settings.own_infotext and isinstance(p.prompt, str) and not p.prompt.strip():
        _take_infotext(p, first)


def end(p: Any) -> None:
    """Put back what `begin` changed: the batch tab takes the same object for every file."""
    kept = p.__dict__.pop(_KEPT, None)
    if kept is None:
        # Never begun: an own `sample` is another script's (img2img alternative test).
        return
    for name, value in kept.items():
        setattr(p, name, value)
    for name in (_ACTIVE, _ALPHAS, _MASK, _TEXTS, *_METHODS):
        p.__dict__.pop(name, None)
    p.__dict__.update(p.__dict__.pop(_OWN, {}))


def register() -> None:
    """Have the host's files of finished pictures carry what other programs wrote into their sources."""
    remove = getattr(script_callbacks, "remove_callbacks_for_function", None)
    if remove is not None:
        remove(_with_texts)
    script_callbacks.on_before_image_saved(_with_texts)


def own_sizes(p: Any, samples: list[torch.Tensor]) -> list[torch.Tensor]:
    """The pictures of a batch at their own sizes; the host only takes a batch of one size."""
    pictures: Sequence[Bytes] = getattr(p, _ACTIVE, None) or ()
    if len(pictures) != len(samples):
        return samples
    return [item[:, : own.shape[0], : own.shape[1]] for item, own in zip(samples, pictures)]


def _taken(picture: Any) -> tuple[Bytes, Mask | None]:
    """A picture's colours, and its transparency where something of it is transparent: then the colours that are seen go
    on beneath. Forge's infotext in the last bit of an opaque picture's is none."""
    if picture.mode in ("LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    colours = np.asarray(picture.convert("RGB"))
    if picture.mode != "RGBA":
        return colours, None
    alpha = transparent(np.asarray(picture.getchannel("A"), dtype=np.float32) / np.float32(255))
    if alpha is None:
        return colours, None
    return to_uint8(bled(colours.astype(np.float32) / np.float32(255), alpha)), alpha


def _texts_of(picture: Any) -> dict[str, str]:
    """The texts of other programs in a picture, by keyword."""
    try:
        infotext, side = of_open_image(picture)
    # Whatever is odd in it must not keep the picture from being finished.
    except Exception:
        logger.warning("What other programs wrote into a picture cannot be read; it is left out.", exc_info=True)
        return {}
    texts = {item.keyword: item.text for item in side.texts}
    return {**texts, _SOURCE_KEYWORD: infotext} if is_json(infotext) else texts


def _with_texts(params: Any) -> None:
    kept = getattr(params.p, _TEXTS, None)
    if kept and isinstance(params.pnginfo, dict):
        texts = kept[min(getattr(params.p, "batch_index", 0), len(kept) - 1)]
        for keyword, text in texts.items():
            params.pnginfo.setdefault(keyword, text)


def _init(p: Any, all_prompts: Any, all_seeds: Any, all_subseeds: Any) -> None:
    # What an earlier file of a batch may have left: nothing is to be composed with the picture.
    p.mask_for_overlay = p.overlay_images = p.paste_to = p.color_corrections = None
    # Forge Neo tells conditionings apart by it.
    p.init_latent = torch.zeros(1, 4, 1, 1)


def _sample(p: Any, **arguments: Any) -> DecodedSamples:
    pictures: Sequence[Bytes] = getattr(p, _ACTIVE, None) or ()
    if not pictures:
        raise HostError(
            "The picture could not be taken for finish only, and nothing was sampled in its place. "
            "The host's log says why: load the picture again, or save it anew in another program."
        )
    height, width = (max(item.shape[axis] for item in pictures) for axis in (0, 1))
    decoded = DecodedSamples()
    for item in pictures:
        whole = np.zeros((height, width, 3), np.float32)
        # Half a level up: the host rounds down to 8 bits, and would give back 63 of 256 levels one too low.
        whole[: item.shape[0], : item.shape[1]] = (item.astype(np.float32) + 0.5) / 255 * 2 - 1
        decoded.append(torch.from_numpy(np.moveaxis(whole, 2, 0).copy()))
    return decoded


def _take_infotext(p: Any, picture: Any) -> None:
    """Prompt, styles, seed and sampling from the picture's own infotext, where it has one."""
    infotext, side = of_open_image(picture)
    own = told_by(infotext or text_of(picture), side)
    fields, notes = dict(own.fields), dict(own.notes)
    if p.negative_prompt and p.negative_prompt.strip():
        # What was typed holds.
        fields.pop("negative_prompt", None)
        notes.pop("negative_prompt", None)
    for note in notes.values():
        p.comment(f"Finisher: {note}")
    for name, value in fields.items():
        # The host calls the sampler otherwise.
        attribute = {"sampler": "sampler_name"}.get(name, name)
        if hasattr(p, attribute):
            setattr(p, attribute, value)
    if own.styles:
        p.styles = [*(p.styles or []), *own.styles]
