"""Grade: gentle colour and contrast, and grain as the very last thing that happens to a picture."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control
from lib_finisher.imaging.colour import clipped_shares, tone, white_balance
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.grain import grain
from lib_finisher.stages.stage import Estimate, Reads, Redraws, StageOutput, Tools, Work


@dataclass(frozen=True)
class GradeSettings:
    """Colour, contrast and grain."""

    enabled: bool = control(True, label="Enable", help="Gentle colour and contrast, then grain.")
    white_balance: float = control(
        0.0, label="White balance", help="How much of a colour cast is taken out; intended tints go too.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    contrast: float = control(
        0.1, label="Contrast", prominent=True, help="An S-curve on the lightness; negative flattens.",
        minimum=-1.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    saturation: float = control(
        0.05, label="Saturation", help="More or less colour; strong colours are spared.",
        minimum=-1.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    grain: float = control(
        0.1,
        label="Grain",
        prominent=True,
        help="Film grain, strongest in the mid-tones.",
        minimum=0.0,
        maximum=1.0,
        step=0.01,
    )
    grain_size: float = control(
        1.2, label="Grain size", help="Diameter of a grain in pixels.", minimum=1.0, maximum=4.0, step=0.1
    )


class Grade:
    """See the module."""

    name = "grade"
    label = "Grade"
    settings = GradeSettings
    maps = True

    def reads(self, settings: GradeSettings) -> Reads:
        """See `Stage.reads`."""
        return Reads()

    def run(self, work: Work, settings: GradeSettings, tools: Tools) -> Redraws:
        """White balance, contrast, saturation, grain; nothing is sampled, and each at 0 changes no bit."""
        pixels = white_balance(work.pixels, settings.white_balance)
        pixels = tone(pixels, settings.contrast, settings.saturation)
        pixels = grain(pixels, settings.grain, settings.grain_size, work.base.seed)
        if pixels is work.pixels:
            return StageOutput(pixels, "skipped", "everything is at 0")
        (crushed, blown), (crushed_after, blown_after) = clipped_shares(work.pixels), clipped_shares(pixels)
        told = f"black {crushed:.2%} to {crushed_after:.2%}, white {blown:.2%} to {blown_after:.2%}"
        return StageOutput(pixels, reason=told)
        yield  # a generator like every other stage, though it requests nothing

    def estimate(self, work: Work, size: Size, settings: GradeSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        return Estimate(size)
