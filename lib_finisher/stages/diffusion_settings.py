"""The settings that every diffusing stage shares."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control

MOST_STEPS = 150
SAMPLING, PROMPTS = "Sampling", "Prompt"
_AS_THE_BASE = "as the base"
PROMPT = "[PROMPT]"

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
