"""Base: what the chain starts from. It runs nothing; it says how the picture and its mask are taken, and which refiner
the host draws the picture's last steps with."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control
from lib_finisher.stages.sections import NAMES as STAGE_NAMES

NAME, LABEL = "base", "Base"
TO_REPAIR, RESTRICTS, UNUSED = "repair", "restrict", "ignore"
GIVEN = ("img2img",)
NOTHING = "nothing"
REFINER = "SDXL refiner"
AUTO, OFF, HORIZONTAL, VERTICAL, BOTH = "auto", "off", "horizontal", "vertical", "both"


@dataclass(frozen=True)
class BaseSettings:
    """How the picture that is finished comes to be."""

    finish_only: bool = control(
        False, label="Finish only", prominent=True, xyz=False, tabs=GIVEN,
        help="In img2img: no sampling at all, the picture goes straight into the stages at its own size.",
    )  # fmt: skip
    mask: str = control(
        TO_REPAIR, label="Mask", prominent=True, xyz=False, choices=(TO_REPAIR, RESTRICTS, UNUSED), tabs=GIVEN,
        help="An inpaint mask: repair redraws what it marks, restrict lets the stages change nothing else.",
    )  # fmt: skip
    own_infotext: bool = control(
        True, label="Picture's own prompt", xyz=False, tabs=GIVEN,
        help="Finish only with no prompt typed: prompt, seed and sampling come from the picture's infotext.",
    )  # fmt: skip
    compare: str = control(
        NOTHING, label="Compare without", xyz=False, choices=(NOTHING, *STAGE_NAMES),
        help="Also finishes each picture without this stage and shows it too; what both share is done once.",
    )  # fmt: skip
    one_hue: bool = control(
        True, label="Grey stays grey", xyz=False,
        help="A grey picture, or one of a single hue (sepia), gets no other colours but by a grade that tints.",
    )  # fmt: skip
    wrap: str = control(
        AUTO, label="Wrap around", xyz=False, choices=(AUTO, OFF, HORIZONTAL, VERTICAL, BOTH),
        help="A seamless texture (both) or 360° picture (horizontal) stays so; auto: where it was made with Tiling.",
    )  # fmt: skip
    refiner_checkpoint: str = control(
        "", empty="as the host is set", label="Refiner", group=REFINER,
        help="An SDXL refiner that draws the last steps of an SDXL picture; empty: as the host is set.",
    )  # fmt: skip
    refiner_switch_at: float = control(
        0.9, label="Refiner switch at", group=REFINER, minimum=0.1, maximum=0.99, step=0.01,
        help="After this share of the sampling steps: 0.85 to 0.95, with 30 to 40 steps.",
    )  # fmt: skip
