"""The settings of the refine stage."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control
from lib_finisher.stages.diffusion_settings import EMBEDDED, MOST_STEPS, PROMPTS, Diffusion, strengths


@dataclass(frozen=True)
class RefineSettings(Diffusion):
    """Whole-image img2img."""

    enabled: bool = control(
        False, label="Enable", help="Redraw the whole picture once before anything else.", before={1: {"": True}}
    )
    denoising_strength: float = control(
        0.35,
        label="Denoising strength",
        prominent=True,
        help="0.3 to 0.5 cleans up a draft; above 0.5 the picture becomes another one.",
        minimum=0.0,
        maximum=1.0,
        step=0.01,
        families=strengths(flow=0.3, embedded=0.05),
        before={1: {EMBEDDED: 0.15}},
    )
    steps: int = control(
        0, empty="as the base", label="Steps", prominent=True, help="Sampling steps; 0 uses the base's.",
        minimum=0, maximum=MOST_STEPS, step=1,
    )  # fmt: skip
    prompt: str = control(
        "", empty="as the base", label="Prompt", group=PROMPTS,
        help="Empty uses the base's. To add to it: [PROMPT], sharp focus. Anything else takes its place.",
    )  # fmt: skip
    colour_lock: float = control(
        0.0, label="Colour lock", help="How firmly colours are held to the draft; 0 leaves them to the model.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
