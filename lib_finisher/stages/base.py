"""Base: what the chain starts from. It runs nothing; it says how the picture and its mask are taken."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control

NAME, LABEL = "base", "Base"
TO_REPAIR, RESTRICTS, UNUSED = "repair", "restrict", "ignore"


@dataclass(frozen=True)
class BaseSettings:
    """How the picture that is finished comes to be."""

    finish_only: bool = control(
        False, label="Finish only", prominent=True, xyz=False,
        help="In img2img: no sampling at all, the picture goes straight into the stages at its own size.",
    )  # fmt: skip
    mask: str = control(
        TO_REPAIR, label="Mask", prominent=True, xyz=False, choices=(TO_REPAIR, RESTRICTS, UNUSED),
        help="An inpaint mask: repair redraws what it marks, restrict lets the stages change nothing else.",
    )  # fmt: skip
    own_infotext: bool = control(
        True, label="Picture's own prompt", xyz=False,
        help="Finish only with no prompt typed: prompt, seed and sampling come from the picture's infotext.",
    )  # fmt: skip
