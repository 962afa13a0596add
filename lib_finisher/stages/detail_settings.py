"""The settings of the detail stage: up to eight passes, each one detector and what becomes of its findings."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control, passes
from lib_finisher.stages.diffusion import Diffusion, strengths

LEFT_TO_RIGHT, BY_SIZE, BY_CONFIDENCE, BY_CENTRE = "left to right", "size", "confidence", "centre"
TOP_BY_CONFIDENCE, TOP_BY_AREA = "confidence", "area"
APART, MERGED, INVERTED = "none", "merge", "merge and invert"
_MOST_PASSES = 8


@dataclass(frozen=True)
class DetailPass(Diffusion):
    """One detector and how its findings are redrawn."""

    denoising_strength: float = control(
        0.35, label="Denoising strength", prominent=True,
        help="0.3 to 0.4 keeps the person; higher draws another face.",
        minimum=0.0, maximum=1.0, step=0.01, families=strengths(flow=0.3, embedded=0.25),
    )  # fmt: skip
    prompt: str = control(
        "", label="Prompt",
        help="Empty or [PROMPT]: the base's. [SEP]: next finding. [SKIP]: none. [FOR hand] or [FOR 2]: only these.",
    )  # fmt: skip
    negative_prompt: str = control("", label="Negative prompt", help="As the prompt, for each finding.")
    detector: str = control("face_yunet", label="Detector", prominent=True, help="What to look for.")
    confidence: float = control(
        0.3, label="Confidence", help="How sure the detector must be.", minimum=0.0, maximum=1.0, step=0.01
    )
    most: int = control(
        0, label="Top k", help="At most so many, the best first; 0 is all.", minimum=0, maximum=64, step=1
    )
    most_by: str = control(
        TOP_BY_CONFIDENCE, label="Top k by", help="Which are the best.", choices=(TOP_BY_CONFIDENCE, TOP_BY_AREA)
    )
    order: str = control(
        LEFT_TO_RIGHT, label="Order", help="Which is first, for prompts and seeds.",
        choices=(LEFT_TO_RIGHT, BY_SIZE, BY_CONFIDENCE, BY_CENTRE),
    )  # fmt: skip
    number_first: bool = control(
        False, label="Number before filtering",
        help="Prompts and seeds count all findings; off counts what the filters leave.",
    )  # fmt: skip
    smallest: int = control(
        12, label="Smallest side", help="Anything smaller is left alone, in pixels.", minimum=0, maximum=512, step=1
    )
    min_area: float = control(
        0.0, label="Mask min area ratio", help="Least share of the picture's area.",
        minimum=0.0, maximum=1.0, step=0.001,
    )  # fmt: skip
    max_area: float = control(
        1.0, label="Mask max area ratio", help="Largest share of the picture's area.",
        minimum=0.0, maximum=1.0, step=0.001,
    )  # fmt: skip
    only: str = control(
        "", label="Only", help="Labels or numbers, separated by commas; numbers count what the labels leave."
    )
    exclude: str = control("", label="Exclude", help="Labels or numbers that are left alone, separated by commas.")
    padding: float = control(
        0.5, label="Padding", help="Context around each finding, as a share of its longer side.",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    x_offset: float = control(
        0.0, label="Mask x offset", help="Moves the mask to the right, as a share of the finding's width.",
        minimum=-2.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    y_offset: float = control(
        0.0, label="Mask y offset", help="Moves the mask up, as a share of the finding's height.",
        minimum=-2.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    dilation: float = control(
        0.1, label="Mask dilation",
        help="How far the mask reaches beyond the finding, as a share of its side; below 0 erodes.",
        minimum=-0.5, maximum=1.0, step=0.05,
    )  # fmt: skip
    mask_blur: float = control(
        0.3, label="Mask blur", help="How softly the mask ends, as a share of the finding's side.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    merge: str = control(
        APART, label="Mask merge mode", help="One redraw of all findings together, or of everything but them.",
        choices=(APART, MERGED, INVERTED),
    )  # fmt: skip
    denoising_by_size: bool = control(
        False, label="Denoising strength by size",
        help="Small findings get up to half as much again, large ones down to half.",
    )  # fmt: skip
    resolution: int = control(
        0, label="Resolution", help="Side of the canvas it is redrawn on; 0 is the model's native size.",
        minimum=0, maximum=2048, step=64,
    )  # fmt: skip
    colour_lock: float = control(
        1.0, label="Colour lock", help="How firmly colours are held to the surroundings.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    gate: float = control(
        0.15, label="Gate", help="A redraw that makes the detector less sure by more than this is not used; 1 is off.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip


@dataclass(frozen=True)
class DetailSettings:
    """Up to eight passes, each with its own detector."""

    enabled: bool = control(True, label="Enable", help="Find faces and redraw each at full resolution.")
    passes: tuple[DetailPass, ...] = passes(
        DetailPass,
        (DetailPass(),),
        label="Passes",
        help="Detectors in turn, each with its own settings.",
        most=_MOST_PASSES,
    )
