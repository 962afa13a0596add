"""What somebody may have meant who wrote a name that there is not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

MOST_HINTS = 20
_LONGEST_WORD = 100

# What other programs call a control, and ours for it; the first that is known where the word was written counts.
OTHER_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "denoise": ("denoising_strength",),
    "denoising": ("denoising_strength",),
    "strength": ("denoising_strength",),
    "scale": ("factor",),
    "scalefactor": ("factor",),
    "scaleby": ("factor",),
    "upscaleby": ("factor",),
    "upscalefactor": ("factor",),
    "times": ("factor",),
    "size": ("side", "grain_size", "width"),
    "model": ("upscaler", "detector", "checkpoint"),
    "modelname": ("upscaler", "detector", "checkpoint"),
    "upscalemodel": ("upscaler", "enlarger"),
    "admodel": ("detector",),
    "sdmodel": ("checkpoint",),
    "ckpt": ("checkpoint",),
    "enable": ("enabled",),
    "on": ("enabled",),
    "active": ("enabled",),
    "brightness": ("exposure",),
    "lightness": ("exposure",),
    "gamma": ("exposure",),
    "temperature": ("white_balance",),
    "warmth": ("white_balance",),
    "tint": ("white_balance",),
    "color": ("saturation", "colour_lock"),
    "hue": ("colour_words",),
    "clarity": ("local_contrast",),
    "sharpness": ("sharpening",),
    "sharpen": ("sharpening",),
    "noise": ("grain", "noise_multiplier"),
    "cfg": ("cfg_scale",),
    "guidance": ("cfg_scale", "distilled_cfg_scale"),
    "guidancescale": ("cfg_scale", "distilled_cfg_scale"),
    "samplername": ("sampler",),
    "schedule": ("scheduler",),
    "negative": ("negative_prompt",),
    "threshold": ("confidence", "sharpening_threshold"),
    "conf": ("confidence",),
    "score": ("confidence",),
    "blur": ("mask_blur",),
    "feather": ("mask_blur", "overlap"),
    "dilate": ("dilation",),
    "erode": ("dilation",),
    "erosion": ("dilation",),
    "margin": ("padding",),
    "tilesize": ("tile",),
    "tileoverlap": ("overlap",),
})  # fmt: skip


def meant(word: str, known: Collection[str]) -> str:
    """The name that was probably meant, "" where none comes near: other programs' words first, then the spelling."""
    plain = _plain(word)
    by_plain = {_plain(name): name for name in known}
    if plain in by_plain:
        return by_plain[plain]
    for name in OTHER_WORDS.get(plain, ()):
        if name in known:
            return name
    near = difflib.get_close_matches(plain, by_plain, n=1)
    return by_plain[near[0]] if near else ""


def did_you_mean(word: str, known: Collection[str], before: str = "", told: int = 0) -> str:
    """A sentence with a blank before it that asks, "" where nothing comes near. `before` is put before the name.

    Where so much is `told` already that nobody reads on, nothing is looked for: it takes long over thousands of words.
    """
    name = meant(word, known) if told < MOST_HINTS and len(word) <= _LONGEST_WORD else ""
    return f" Did you mean {before + name!r}?" if name else ""


def _plain(word: str) -> str:
    return re.sub(r"[\W_]+", "", word.casefold())
