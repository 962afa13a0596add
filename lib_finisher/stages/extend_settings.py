"""The settings of the extend stage."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lib_finisher.controls import SettingsError, control
from lib_finisher.stages.diffusion_settings import EMBEDDED, PROMPTS, Diffusion

CENTRE, LEFT, TOP, RIGHT, BOTTOM = "centre", "left", "top", "right", "bottom"
ANCHORS = (CENTRE, LEFT, TOP, RIGHT, BOTTOM)

_NUMBER = r"(\d{1,5}(?:\.\d{1,6})?)"
_ASPECT = re.compile(rf"{_NUMBER}(?:\s*[:x×/]\s*{_NUMBER})?")
_MOST_ASPECT = 8.0
_MOST_PIXELS = 2048
_EDGE, _CARE = "Edge", "Care"


def aspect_of(text: str) -> float | None:
    """Width over height of a text like "16:9", "4x5" or "1.85"; None for an empty one.

    Raises ValueError for any other text, and for an aspect beyond 8:1 or 1:8.
    """
    if not text.strip():
        return None
    found = _ASPECT.fullmatch(text.strip())
    width, height = (float(found[1]), float(found[2] or 1.0)) if found else (0.0, 0.0)
    if not (width and height and 1 / _MOST_ASPECT <= width / height <= _MOST_ASPECT):
        raise ValueError("it must be an aspect from 1:8 to 8:1, as in 16:9 or 4:5 or 1.85, or empty")
    return width / height


def _side(label: str) -> int:
    value: int = control(
        0, label=label, prominent=True, help="Pixels to add on this side.", minimum=0, maximum=_MOST_PIXELS, step=8
    )
    return value


@dataclass(frozen=True)
class ExtendSettings(Diffusion):
    """Outpainting. Raises SettingsError for an aspect that cannot be read."""

    enabled: bool = control(False, label="Enable", help="Add picture beyond its borders.")
    denoising_strength: float = control(
        0.75, label="Denoising strength", help="How freely the new border is drawn; 0.7 to 0.9 is usual.",
        minimum=0.0, maximum=1.0, step=0.01, families={EMBEDDED: 0.35},
    )  # fmt: skip
    prompt: str = control(
        "",
        empty="as the base",
        label="Prompt",
        group=PROMPTS,
        help="What the border shows. Empty: the base's; [PROMPT] stands for it.",
    )
    left: int = _side("Left")
    top: int = _side("Top")
    right: int = _side("Right")
    bottom: int = _side("Bottom")
    aspect: str = control(
        "", empty="as it is", label="Aspect", prominent=True, xyz=False,
        help="As in 16:9, 4:5 or 1.85: grows to it after the pixels above, never crops. Empty is off.",
    )  # fmt: skip
    anchor: str = control(
        CENTRE, label="Anchor", help="Where the old picture stays when it grows to an aspect.", choices=ANCHORS
    )
    overlap: int = control(
        16, label="Overlap", group=_EDGE, help="How far the old picture is redrawn along the edge, in pixels.",
        minimum=0, maximum=256, step=4,
    )  # fmt: skip
    feather: int = control(
        16, label="Feather", group=_EDGE, help="Over how many more pixels the redraw fades into the old picture.",
        minimum=0, maximum=256, step=4,
    )  # fmt: skip
    most_per_pass: float = control(
        0.5, label="Most per pass", group=_EDGE,
        help="Share of the picture, and of the model's size, that one pass may add; more takes several.",
        minimum=0.1, maximum=4.0, step=0.05,
    )  # fmt: skip
    colour_lock: float = control(
        1.0, label="Colour lock", group=_CARE, help="How firmly colours are held to the old picture.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip

    def __post_init__(self) -> None:
        try:
            aspect_of(self.aspect)
        except ValueError as error:
            raise SettingsError([f"extend.aspect: {self.aspect!r} is not accepted; {error}."]) from None
