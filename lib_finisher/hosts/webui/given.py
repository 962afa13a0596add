"""What a processing object tells of the picture in hand."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from modules import shared
from modules.processing import create_binary_mask
from PIL import Image

from lib_finisher.hosts.webui import finish_only
from lib_finisher.hosts.webui.infotext import style_texts
from lib_finisher.imaging.arrays import Mask
from lib_finisher.stages.base import UNUSED
from lib_finisher.stages.stage import Base

# Scripts of the host and of others that make a picture of many generations, and what they do with each.
_GOING_ON = {
    "SD upscale": "puts its pictures together",
    "Ultimate SD upscale": "puts its pictures together",
    "Outpainting mk2": "puts its pictures together",
    "Poor man's outpainting": "puts its pictures together",
    "Loopback": "makes the next picture of each",
}


def base_of(p: Any, index: int) -> Base:
    """What picture `index` of the batch was made with; the texts with styles and extra networks, as expanded."""
    # ADetailer's "skip img2img" sets a single step of Euler, and keeps what was asked for.
    own = getattr(p, "_ad_orig", None)
    return Base(
        prompt=p.prompts[index],
        negative_prompt=p.negative_prompts[index],
        seed=int(p.seeds[index]),
        steps=int(getattr(own, "steps", p.steps)),
        cfg_scale=float(p.cfg_scale),
        sampler=getattr(own, "sampler_name", p.sampler_name) or "",
        scheduler=getattr(p, "scheduler", None) or "",
        tiling=bool(getattr(p, "tiling", False)),
        **style_texts(list(getattr(p, "styles", None) or [])),
    )


def mask_of(p: Any, image: Image.Image, use: str) -> Mask | None:
    """The inpaint mask at the picture's size, white where the user marked it, or None where there is none.

    After an inpainting it is the one that the host pasted with; in finish only it is the drawn one, with its blur.
    """
    if use == UNUSED:
        return None
    if finish_only.active(p):
        drawn = finish_only.mask(p)
        if drawn is None:
            return None
        mask = _blurred(_binary(drawn, p), p)
    elif getattr(p, "image_mask", None) is not None and p.mask_for_overlay is not None:
        mask = p.mask_for_overlay.convert("L")
    else:
        return None
    fitted = mask.resize(image.size, Image.Resampling.BILINEAR) if mask.size != image.size else mask
    return np.asarray(fitted, dtype=np.float32) / np.float32(255)


def why_the_size_must_stay(p: Any) -> str:
    """What the host will do with the picture afterwards that fails on another size; "" where it does nothing."""
    composes = shared.opts.return_mask_composite or shared.opts.save_mask_composite
    if composes and getattr(p, "mask_for_overlay", None) is not None:
        return "the host composes the inpaint mask with the result"
    return ""


def why_left_alone(p: Any) -> str:
    """Why a picture is not to be finished: the chosen script goes on with it, and would have it finished again and
    again; "" where none does."""
    script = chosen_script(p)
    return f"the script {script} {_GOING_ON[script]}" if script in _GOING_ON else ""


def shown_as_they_are(p: Any) -> bool:
    """Whether the pictures of this generation go to the gallery as they are: no script takes them one by one, and
    none is put in the place of the one that is upscaled from the gallery."""
    return not chosen_script(p) and not getattr(p, "txt2img_upscale", False)


def shows_its_base(p: Any) -> bool:
    """Whether the untouched base may stand behind the result: on the page, where it does not lie already as the input.

    Programs get the pictures that they asked for and no more.
    """
    return not getattr(p, "is_api", True) and not finish_only.active(p) and shown_as_they_are(p)


def hires_note(p: Any, before: tuple[int, int], after: tuple[int, int]) -> str:
    """With the host's hires fix: what the base was enlarged to already and what the stages add; "" without it."""
    if not getattr(p, "enable_hr", False) or before == after:
        return ""
    first, base, done = (f"{width} x {height}" for width, height in ((p.width, p.height), before, after))
    return f"hires fix is part of the base: {first} became {base} by it, and the stages made that {done}"


def chosen_script(p: Any) -> str:
    """The title of the script that the user chose in the list of scripts, "" for none."""
    listed = getattr(p.scripts, "selectable_scripts", None) or []
    number = p.script_args[0] if p.script_args and isinstance(p.script_args[0], int) else 0
    return str(listed[number - 1].title()) if 0 < number <= len(listed) else ""


def _binary(drawn: Any, p: Any) -> Image.Image:
    """The mask as the host reads it: grey levels stay, transparency is rounded."""
    mask = create_binary_mask(drawn, round=getattr(p, "mask_round", True)).convert("L")
    return mask.point(lambda level: 255 - level) if getattr(p, "inpainting_mask_invert", 0) else mask


def _blurred(mask: Image.Image, p: Any) -> Image.Image:
    across, down = (float(getattr(p, name, 0) or 0) for name in ("mask_blur_x", "mask_blur_y"))
    if across <= 0 and down <= 0:
        return mask
    pixels = np.asarray(mask)
    return Image.fromarray(cv2.GaussianBlur(pixels, (0, 0), sigmaX=max(across, 0.1), sigmaY=max(down, 0.1)))
