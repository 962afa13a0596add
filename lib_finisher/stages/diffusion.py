"""What follows from the settings that every diffusing stage shares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from lib_finisher.hosts.port import Host, Sampling
from lib_finisher.imaging.geometry import Size
from lib_finisher.redraw.patch import Patch
from lib_finisher.stages.diffusion_settings import PROMPT, Diffusion
from lib_finisher.stages.stage import Base, Estimate, calls_for

_TAG_HEAD = re.compile(r"<\w+:")


def sampling_of(settings: Diffusion, base: Base) -> Sampling:
    """The sampling that a stage's settings ask for, the base's values filled in."""
    return Sampling(
        denoising_strength=settings.denoising_strength,
        steps=settings.steps or base.steps,
        cfg_scale=settings.cfg_scale or base.cfg_scale,
        sampler=settings.sampler or base.sampler,
        scheduler=settings.scheduler or base.scheduler,
        checkpoint=settings.checkpoint,
        vae=settings.vae,
        text_encoders=settings.text_encoders,
        clip_skip=settings.clip_skip,
        distilled_cfg_scale=settings.distilled_cfg_scale,
        eta=settings.eta,
        s_noise=settings.s_noise,
        noise_multiplier=settings.noise_multiplier,
    )


def prompts_of(settings: Diffusion, base: Base) -> tuple[str, str]:
    """(prompt, negative prompt) of a stage: its own, or the base's.

    Where LoRA and styles are carried, an own prompt gets the base's styles, unless it takes the base prompt up, which
    has them already, and beside its own and the styles' each of the base's extra networks that it does not name itself.
    """
    prompt = _filled(settings.prompt, base.prompt, base.style if settings.carry else "")
    negative = _filled(settings.negative_prompt, base.negative_prompt, base.negative_style if settings.carry else "")
    if settings.carry:
        named = {_network(tag) for tag in extra_networks(prompt)}
        missing = [tag for tag in dict.fromkeys(extra_networks(base.prompt)) if _network(tag) not in named]
        prompt = " ".join([prompt, *missing])
    return prompt, negative


def extra_networks(prompt: str) -> list[str]:
    """The tags of a prompt as the hosts find them, such as <lora:name:0.8>: all up to the next ">".

    One pass: between two ">" only the first beginning counts, so no part is looked at twice.
    """
    tags, at = [], 0
    while (end := prompt.find(">", at)) >= 0:
        head = _TAG_HEAD.search(prompt, at, end)
        if head and head.end() < end:
            tags.append(prompt[head.start() : end + 1])
        at = end + 1
    return tags


def _network(tag: str) -> tuple[str, str]:
    """What a tag such as <lora:name:0.8> names, whatever its weight; the hosts take <lyco:...> for <lora:...>."""
    kind, _, rest = tag[1:-1].partition(":")
    return "lora" if kind == "lyco" else kind, rest.partition(":")[0].strip()


def estimated(size: Size, patches: Sequence[Patch], sampling: Sampling, host: Host) -> Estimate:
    """The estimate for patches that are already chosen, leaving a picture of `size`."""
    canvases = [patch.canvas for patch in patches]
    steps = sum(
        patch.canvas.megapixels * host.sampled_steps(replace(sampling, denoising_strength=patch.denoising_strength))
        for patch in patches
    )
    return Estimate(size, len(canvases), calls_for(canvases, host), steps)


def _filled(own: str, base: str, style: str) -> str:
    if not own:
        return base
    if PROMPT in own:
        return own.replace(PROMPT, base)
    return style.replace(PROMPT, own) if style else own
