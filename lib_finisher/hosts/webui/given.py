"""What a processing object tells of the picture in hand."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from modules import shared
from PIL import Image

from lib_finisher.hosts.webui import finish_only
from lib_finisher.imaging.arrays import Mask
from lib_finisher.stages.base import UNUSED
from lib_finisher.stages.diffusion import PROMPT
from lib_finisher.stages.stage import Base


def base_of(p: Any, index: int) -> Base:
    """What picture `index` of the batch was made with; the texts with styles and extra networks, as expanded."""
    styles = getattr(p, "styles", None) or []
    return Base(
        prompt=p.prompts[index],
        negative_prompt=p.negative_prompts[index],
        seed=int(p.seeds[index]),
        steps=int(p.steps),
        cfg_scale=float(p.cfg_scale),
        sampler=p.sampler_name or "",
        scheduler=getattr(p, "scheduler", None) or "",
        style=shared.prompt_styles.apply_styles_to_prompt(PROMPT, styles) if styles else "",
        negative_style=shared.prompt_styles.apply_negative_styles_to_prompt(PROMPT, styles) if styles else "",
    )


def mask_of(p: Any, image: Image.Image, use: str) -> Mask | None:
    """The inpaint mask at the picture's size, white where the user marked it, or None where there is none.

    After an inpainting it is the one that the host pasted with; in finish only it is the drawn one, with its blur.
    """
    if use == UNUSED or getattr(p, "image_mask", None) is None:
        return None
    if finish_only.active(p):
        mask = _blurred(_drawn(p), p)
    elif p.mask_for_overlay is not None:
        mask = p.mask_for_overlay.convert("L")
    else:
        return None
    fitted = mask.resize(image.size, Image.Resampling.BILINEAR) if mask.size != image.size else mask
    return np.asarray(fitted, dtype=np.float32) / np.float32(255)


def size_must_stay(p: Any) -> bool:
    """Whether the host will put the mask and the picture together afterwards, which fails on another size."""
    composes = shared.opts.return_mask_composite or shared.opts.save_mask_composite
    return bool(composes) and getattr(p, "mask_for_overlay", None) is not None


def hires_note(p: Any, before: tuple[int, int], after: tuple[int, int]) -> str:
    """With the host's hires fix: what the base was enlarged to already and what the stages add; "" without it."""
    if not getattr(p, "enable_hr", False) or before == after:
        return ""
    first, base, done = (f"{width} x {height}" for width, height in ((p.width, p.height), before, after))
    return f"hires fix is part of the base: {first} became {base} by it, and the stages made that {done}"


def _drawn(p: Any) -> Image.Image:
    """The mask as the page or a client gives it: white on black, or marked by its transparency."""
    mask = p.image_mask
    if mask.mode == "RGBA" and mask.getextrema()[-1] != (255, 255):
        mask = mask.split()[-1]
    mask = mask.convert("L").point(lambda level: 255 if level > 128 else 0)
    return mask.point(lambda level: 255 - level) if getattr(p, "inpainting_mask_invert", 0) else mask


def _blurred(mask: Image.Image, p: Any) -> Image.Image:
    across, down = (float(getattr(p, name, 0) or 0) for name in ("mask_blur_x", "mask_blur_y"))
    if across <= 0 and down <= 0:
        return mask
    pixels = np.asarray(mask)
    return Image.fromarray(cv2.GaussianBlur(pixels, (0, 0), sigmaX=max(across, 0.1), sigmaY=max(down, 0.1)))
