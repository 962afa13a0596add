"""Texture: fine skin and fabric detail, lifted where it is."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.texture import lift_detail
from lib_finisher.stages.stage import Estimate, Reads, Redraws, StageOutput, Tools, Work


@dataclass(frozen=True)
class TextureSettings:
    """The detail blend."""

    enabled: bool = control(True, label="Enable", help="Lift fine skin and fabric texture.")
    strength: float = control(
        0.4, label="Strength", prominent=True, help="How much fine texture is lifted; above 1 it looks sharpened.",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    radius: float = control(
        2.0, label="Radius", prominent=True, help="How fine the texture is that is lifted, in pixels.",
        minimum=1.0, maximum=8.0, step=0.5,
    )  # fmt: skip


class Texture:
    """See the module."""

    name = "texture"
    label = "Texture"
    settings = TextureSettings
    maps = True

    def reads(self, settings: TextureSettings) -> Reads:
        """See `Stage.reads`."""
        return Reads()

    def run(self, work: Work, settings: TextureSettings, tools: Tools) -> Redraws:
        """Maps pixels; nothing is sampled."""
        output = StageOutput(work.pixels)
        if settings.strength <= 0:
            output.status, output.reason = "skipped", "the strength is 0"
            return output
        output.pixels = lift_detail(work.pixels, settings.strength, settings.radius)
        output.reason = f"detail finer than {settings.radius:g} px lifted by {settings.strength:g}"
        return output
        yield  # a generator like every other stage, though it requests nothing

    def estimate(self, work: Work, size: Size, settings: TextureSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        return Estimate(size)
