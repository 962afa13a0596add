"""The settings of the detail stage: up to eight passes, each one detector and what becomes of its findings."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control, passes
from lib_finisher.detect.search import OWN
from lib_finisher.stages.diffusion_settings import EMBEDDED, PROMPTS, SAMPLING, Diffusion, strengths

LEFT_TO_RIGHT, BY_SIZE, BY_CONFIDENCE, BY_CENTRE = "left to right", "size", "confidence", "centre"
TOP_BY_CONFIDENCE, TOP_BY_AREA = "confidence", "area"
APART, MERGED, INVERTED = "none", "merge", "merge and invert"
OUTLINE, ELLIPSE, BOX = "outline", "ellipse", "box"
BEFORE, AFTER = "before", "after"
MOST_PASSES = 8

_DETECTION, _CHOICE, _MASK, _CANVAS, _CARE = "Detection", "Which findings", "Mask", "Canvas", "Care"


@dataclass(frozen=True)
class DetailPass(Diffusion):
    """One detector and how its findings are redrawn."""

    detector: str = control(
        "face_yunet", label="Detector", prominent=True, several=True, group=_DETECTION,
        help="What to look for; several, separated by commas, are merged.",
    )  # fmt: skip
    denoising_strength: float = control(
        0.35, label="Denoising strength", prominent=True,
        help="0.3 to 0.4 keeps the person; higher draws another face.",
        minimum=0.0, maximum=1.0, step=0.01, families=strengths(flow=0.3, embedded=0.1),
        before={1: {EMBEDDED: 0.25}},
    )  # fmt: skip
    prompt: str = control(
        "", empty="as the base", label="Prompt", prominent=True, group=PROMPTS,
        help="Empty or [PROMPT]: the base's. [SEP]: next finding. [SKIP]: none. [FOR hand] or [FOR 2]: only these.",
    )  # fmt: skip
    active: bool = control(True, label="Active", group=_DETECTION, help="Off leaves this pass out.")
    classes: str = control(
        "", empty="all", label="Detector classes", group=_DETECTION,
        help="For YOLO-World: what to look for, in words, separated by commas.",
    )  # fmt: skip
    confidence: float = control(
        OWN, label="Confidence", group=_DETECTION, help="The detector's score that a finding needs; 0 is its own.",
        minimum=0.0, maximum=1.0, step=0.01, before={1: {"": 0.3}},
    )  # fmt: skip
    iou: float = control(
        0.45, label="IoU", group=_DETECTION, help="Findings of one kind that overlap by more than this are one.",
        minimum=0.05, maximum=0.95, step=0.05,
    )  # fmt: skip
    turned: bool = control(
        False, label="Turned faces", group=_DETECTION, help="Also looks for faces on their side or upside down."
    )
    repeat: bool = control(
        False, label="Redraw again", group=_DETECTION, help="Also what an earlier pass has redrawn already."
    )
    most: int = control(
        0, empty="all", label="Top k", group=_CHOICE, help="At most so many, the best first; 0 is all.",
        minimum=0, maximum=64, step=1,
    )  # fmt: skip
    most_by: str = control(
        TOP_BY_CONFIDENCE, label="Top k by", group=_CHOICE, help="Which are the best.",
        choices=(TOP_BY_CONFIDENCE, TOP_BY_AREA),
    )  # fmt: skip
    order: str = control(
        LEFT_TO_RIGHT, label="Order", group=_CHOICE, help="Which is first, for prompts and seeds.",
        choices=(LEFT_TO_RIGHT, BY_SIZE, BY_CONFIDENCE, BY_CENTRE),
    )  # fmt: skip
    number_first: bool = control(
        False, label="Number before filtering", group=_CHOICE,
        help="Prompts and seeds count all findings; off counts what the filters leave.",
    )  # fmt: skip
    smallest: int = control(
        12, label="Smallest side", group=_CHOICE, help="Anything smaller is left alone, in pixels.",
        minimum=0, maximum=512, step=1,
    )  # fmt: skip
    largest: int = control(
        0, empty="no limit", label="Largest side", group=_CHOICE,
        help="Anything larger is left alone, in pixels; 0 is no limit.",
        minimum=0, maximum=16384, step=1,
    )  # fmt: skip
    min_area: float = control(
        0.0, label="Mask min area ratio", group=_CHOICE, help="Least share of the picture's area.",
        minimum=0.0, maximum=1.0, step=0.001,
    )  # fmt: skip
    max_area: float = control(
        1.0, label="Mask max area ratio", group=_CHOICE, help="Largest share of the picture's area.",
        minimum=0.0, maximum=1.0, step=0.001,
    )  # fmt: skip
    only: str = control(
        "", empty="all", label="Only", group=_CHOICE,
        help="Labels, classes (#0) or numbers, separated by commas; numbers count what the labels leave.",
    )  # fmt: skip
    exclude: str = control(
        "", empty="none", label="Exclude", group=_CHOICE, help="Labels, classes (#0) or numbers to leave alone."
    )
    reseed: str = control(
        "", empty="none", label="Other seeds", group=_CHOICE,
        help="Finding number = how much is added to its seed, as in 2=1, 3=4.",
    )  # fmt: skip
    within: int = control(
        0, empty="off", label="Only within pass", group=_CHOICE,
        help="Only where the pass of that number finds any; 0 is off.",
        minimum=0, maximum=MOST_PASSES, step=1,
    )  # fmt: skip
    minus: int = control(
        0, empty="off", label="Minus pass", group=_CHOICE,
        help="Not where the pass of that number finds any; 0 is off.",
        minimum=0, maximum=MOST_PASSES, step=1,
    )  # fmt: skip
    negative_prompt: str = control(
        "", empty="as the base", label="Negative prompt", group=PROMPTS, help="As the prompt, for each finding."
    )
    mask_shape: str = control(
        OUTLINE, label="Mask shape", group=_MASK,
        help="outline follows segmentation or face landmarks where there are any.", choices=(OUTLINE, ELLIPSE, BOX),
    )  # fmt: skip
    x_offset: float = control(
        0.0, label="Mask x offset", group=_MASK, help="Moves the mask to the right, as a share of the finding's width.",
        minimum=-2.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    y_offset: float = control(
        0.0, label="Mask y offset", group=_MASK, help="Moves the mask up, as a share of the finding's height.",
        minimum=-2.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    dilation: float = control(
        0.1, label="Mask dilation", group=_MASK,
        help="How far the mask reaches beyond the finding, as a share of its side; below 0 erodes.",
        minimum=-0.5, maximum=1.0, step=0.05,
    )  # fmt: skip
    mask_blur: float = control(
        0.3, label="Mask blur", group=_MASK, help="How softly the mask ends, as a share of the finding's side.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    merge: str = control(
        APART, label="Mask merge mode", group=_MASK,
        help="One redraw of all findings together, or of everything but them.", choices=(APART, MERGED, INVERTED),
    )  # fmt: skip
    differential: bool = control(
        False, label="Differential", group=_MASK, help="The mask's edge joins in step by step instead of being blended."
    )
    only_masked: bool = control(
        True, label="Inpaint only masked", group=_CANVAS,
        help="Redraws a crop around the finding; off redraws it within the whole picture.",
    )  # fmt: skip
    padding: float = control(
        0.5, label="Padding", group=_CANVAS, help="Context around each finding, as a share of its longer side.",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    width: int = control(
        0, empty="as the model", label="Inpaint width", group=_CANVAS,
        help="Width of the canvas; 0 follows the model and the crop.",
        minimum=0, maximum=2048, step=8,
    )  # fmt: skip
    height: int = control(
        0, empty="as the model", label="Inpaint height", group=_CANVAS,
        help="Height of the canvas; 0 follows the model and the crop.",
        minimum=0, maximum=2048, step=8,
    )  # fmt: skip
    upright: bool = control(
        True, label="Redraw upright", group=_CANVAS,
        help="Turns the crop of a face on its side or on its head upright for the redraw.",
    )  # fmt: skip
    skip_large: bool = control(
        True, label="Skip large findings", group=_CANVAS,
        help="What is larger than the model's canvas already gains nothing and is left alone.",
    )  # fmt: skip
    enlarger: str = control(
        "", empty="none", label="Upscaler for small findings", group=_CANVAS,
        help="Enlarges crops that grow by more than half before they are redrawn; empty interpolates.",
    )  # fmt: skip
    denoising_by_size: bool = control(
        False, label="Denoising strength by size", group=SAMPLING,
        help="Small findings get up to half as much again, large ones down to half.",
    )  # fmt: skip
    restore: str = control(
        "",
        empty="off",
        label="Face restoration",
        group=_CARE,
        help="The host's model for it, used on each crop; empty is off.",
    )
    restore_blend: float = control(
        0.5, label="Restoration blend", group=_CARE, help="How much of the restored face is used.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    restore_when: str = control(
        AFTER, label="Restore", group=_CARE, help="Before the redraw or after it.", choices=(BEFORE, AFTER)
    )
    colour_lock: float = control(
        1.0, label="Colour lock", group=_CARE, help="How firmly colours are held to the surroundings.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    gate: float = control(
        0.15, label="Gate", group=_CARE,
        help="A redraw that makes the detector less sure by more than this is not used; 1 is off.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    likeness: float = control(
        0.0, empty="off", label="Likeness", group=_CARE,
        help="A redraw whose structure is less alike (SSIM) than this is not used; 0 is off.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip


@dataclass(frozen=True)
class DetailSettings:
    """Up to eight passes, each with its own detector."""

    enabled: bool = control(True, label="Enable", help="Find faces and redraw each at full resolution.")
    touch_up: float = control(
        0.0, empty="off", label="Touch-up after the upscale",
        help="Redraws the same regions once more, this lightly, after the upscale; 0 is off.",
        minimum=0.0, maximum=0.2, step=0.01,
    )  # fmt: skip
    passes: tuple[DetailPass, ...] = passes(
        DetailPass,
        (DetailPass(),),
        label="Passes",
        help="Detectors in turn, each with its own settings.",
        most=MOST_PASSES,
    )
