"""The settings of the repair stage."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control
from lib_finisher.detect.search import OWN
from lib_finisher.stages.diffusion_settings import PROMPTS, Diffusion

ORIGINAL, FILL = "original", "fill"
ONLY_MASKED, WHOLE_PICTURE = "only masked", "whole picture"

_MASK, _CANVAS, _DETECTION, _CARE = "Mask", "Canvas", "Detection", "Care"


@dataclass(frozen=True)
class RepairSettings(Diffusion):
    """Inpainting of marked regions, and of what a detector finds."""

    enabled: bool = control(False, label="Enable", help="Redraw the regions marked by a mask.")
    denoising_strength: float = control(
        0.5, label="Denoising strength", prominent=True, help="0.4 to 0.7: higher draws something new in the region.",
        minimum=0.0, maximum=1.0, step=0.01,
    )  # fmt: skip
    prompt: str = control(
        "", empty="as the base", label="Prompt", group=PROMPTS,
        help="Empty or [PROMPT]: the base's. [SEP]: next region, left to right. [SKIP]: none. [FOR 2]: only it.",
    )  # fmt: skip
    negative_prompt: str = control(
        "", empty="as the base", label="Negative prompt", group=PROMPTS, help="As the prompt, for each region."
    )
    mask_blur: int = control(
        8, label="Mask blur", prominent=True, group=_MASK,
        help="How softly a region's edge is blended, in pixels; 4 to 16 is usual.",
        minimum=0, maximum=64, step=1,
    )  # fmt: skip
    content: str = control(
        ORIGINAL, label="Masked content", group=_MASK, choices=(ORIGINAL, FILL),
        help="What the redraw begins with: what is there, or the surroundings carried on in its place.",
    )  # fmt: skip
    area: str = control(
        ONLY_MASKED, label="Area", group=_CANVAS, choices=(ONLY_MASKED, WHOLE_PICTURE),
        help="A crop around each region at its best size, or the whole picture as far as the model goes.",
    )  # fmt: skip
    padding: float = control(
        0.35, label="Padding", group=_CANVAS, help="Context around the region, as a share of its longer side.",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    detector: str = control(
        "", empty="none", several=True, label="Detector", group=_DETECTION,
        help="Also repairs what it finds, beside what is marked; several with commas between. Empty is off.",
    )  # fmt: skip
    classes: str = control(
        "", empty="all", label="Detector classes", group=_DETECTION,
        help="For YOLO-World: what to look for, in words, separated by commas.",
    )  # fmt: skip
    confidence: float = control(
        OWN, label="Confidence", group=_DETECTION, help="The detector's score that a finding needs; 0 is its own.",
        minimum=0.0, maximum=1.0, step=0.01, before={1: {"": 0.3}},
    )  # fmt: skip
    gate: bool = control(
        True, label="Only where better", group=_CARE,
        help="A finding's redraw is used only where the detector is surer of it afterwards.",
    )  # fmt: skip
    colour_lock: float = control(
        1.0, label="Colour lock", group=_CARE, help="How firmly colours are held to the surroundings of the region.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
