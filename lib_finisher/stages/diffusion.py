"""The settings that every diffusing stage shares, and what follows from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lib_finisher.controls import control
from lib_finisher.hosts.port import Host, Sampling
from lib_finisher.imaging.geometry import Size
from lib_finisher.redraw.patch import Patch
from lib_finisher.stages.stage import Base, Estimate, calls_for

MOST_STEPS = 150
SAMPLING, PROMPTS = "Sampling", "Prompt"
_AS_THE_BASE = "as the base"
PROMPT = "[PROMPT]"

_TAG_HEAD = re.compile(r"<\w+:")

# Rectified-flow families sample on a shifted schedule: the same strength begins at a higher noise level there.
FLOW_FAMILIES = ("sd3", "flux", "flux2", "chroma", "lumina2", "z_image", "qwen_image", "qwen_image_21", "krea2")

# The embedded engine knows textures but no things: beyond gentle strengths it can only smooth.
EMBEDDED = "embedded"


def strengths(flow: float, embedded: float) -> dict[str, float]:
    """Default denoising strengths for the rectified-flow families and for the embedded engine."""
    return {**dict.fromkeys(FLOW_FAMILIES, flow), EMBEDDED: embedded}


@dataclass(frozen=True)
class Diffusion:
    """How a stage samples. Zeros and empty texts stand for what the base picture used."""

    denoising_strength: float = control(
        0.3,
        label="Denoising strength",
        help="How much is redrawn: 0 leaves the picture as it is, 1 replaces it.",
        minimum=0.0,
        maximum=1.0,
        step=0.01,
    )
    steps: int = control(
        0,
        empty=_AS_THE_BASE,
        group=SAMPLING,
        label="Steps",
        help="Sampling steps; 0 uses the base's.",
        minimum=0,
        maximum=MOST_STEPS,
        step=1,
    )
    cfg_scale: float = control(
        0.0, empty=_AS_THE_BASE, group=SAMPLING, label="CFG scale",
        help="How closely the prompt is followed; 0 uses the base's.",
        minimum=0.0, maximum=30.0, step=0.5,
    )  # fmt: skip
    sampler: str = control("", empty=_AS_THE_BASE, group=SAMPLING, label="Sampler", help="Empty uses the base's.")
    scheduler: str = control("", empty=_AS_THE_BASE, group=SAMPLING, label="Scheduler", help="Empty uses the base's.")
    checkpoint: str = control(
        "", empty=_AS_THE_BASE, group=SAMPLING, label="Checkpoint",
        help="Another checkpoint; the host's own batches swap to it for every picture. Empty uses the base's.",
    )  # fmt: skip
    vae: str = control(
        "", empty=_AS_THE_BASE, group=SAMPLING, label="VAE", help="Another VAE for this; empty uses the base's."
    )
    text_encoders: str = control(
        "",
        empty=_AS_THE_BASE,
        group=SAMPLING,
        label="Text encoders",
        several=True,
        help="Forge's text encoder modules, separated by commas; empty uses the base's.",
    )
    clip_skip: int = control(
        0, empty=_AS_THE_BASE, group=SAMPLING, label="Clip skip", help="0 uses the base's.",
        minimum=0, maximum=12, step=1,
    )  # fmt: skip
    distilled_cfg_scale: float = control(
        0.0, empty=_AS_THE_BASE, group=SAMPLING, label="Distilled CFG scale",
        help="For Flux and its kin; 0 uses the base's.",
        minimum=0.0, maximum=30.0, step=0.1,
    )  # fmt: skip
    eta: float = control(
        -1.0, empty=_AS_THE_BASE, group=SAMPLING, label="Eta",
        help="How much noise ancestral samplers and DDIM add again; -1 uses the base's.",
        minimum=-1.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    s_noise: float = control(
        0.0, empty=_AS_THE_BASE, group=SAMPLING, label="Sigma noise",
        help="Strength of the noise that samplers add (s_noise); 0 uses the base's.",
        minimum=0.0, maximum=1.5, step=0.005,
    )  # fmt: skip
    noise_multiplier: float = control(
        1.0, label="Noise multiplier", help="Strength of the noise that sampling begins with.",
        minimum=0.5, maximum=1.5, step=0.01, group=SAMPLING,
    )  # fmt: skip
    prompt: str = control(
        "", empty=_AS_THE_BASE, group=PROMPTS, label="Prompt", help="Empty uses the base's; [PROMPT] stands for it."
    )
    negative_prompt: str = control(
        "",
        empty=_AS_THE_BASE,
        group=PROMPTS,
        label="Negative prompt",
        help="Empty uses the base's; [PROMPT] stands for it.",
    )
    carry: bool = control(
        True,
        group=PROMPTS,
        label="Carry LoRA and styles",
        help="A prompt of its own also gets the base's extra networks and styles.",
    )


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
