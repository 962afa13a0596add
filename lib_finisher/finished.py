"""What became of a picture, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint8
from lib_finisher.imaging.dither import dithered
from lib_finisher.imaging.geometry import Size
from lib_finisher.notes import LeftOut
from lib_finisher.quality.measured import Quality
from lib_finisher.redraw.patch import Cost


@dataclass(frozen=True)
class StageReport:
    """What one stage did to one picture. `status` is "ran", "skipped", "reused" or "failed".

    `prompts` are those that wildcards were expanded in, by what they were for. `quality` is what a stage that ran, now
    or for the stored result, has gained and lost; None where it shows another frame.
    """

    stage: str
    label: str
    status: str
    reason: str
    seconds: float = 0.0
    cost: Cost = Cost()
    size: Size = Size(1, 1)
    notes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    quality: Quality | None = None

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was asked for and could not be had."""
        return tuple(str(note) for note in self.notes if isinstance(note, LeftOut))


@dataclass(eq=False)
class Finished:
    """A picture after its run. `error` is empty when every stage did its part.

    Where they are kept: `stages` holds the picture after each stage, `previews` the picture before detail or repair
    with what is redrawn marked. `without` is the same picture finished without the stage `compared`, where that was
    asked for and made a difference. `alpha` is the transparency (height, width), 0..1, None where it is opaque.
    """

    pixels: Pixels
    reports: list[StageReport] = field(default_factory=list)
    stages: dict[str, Pixels] = field(default_factory=dict)
    previews: dict[str, Pixels] = field(default_factory=dict)
    interrupted_in: str = ""
    compared: str = ""
    without: Finished | None = None
    alpha: Mask | None = None

    @property
    def left_out(self) -> list[str]:
        """What was asked for and could not be had, stage by stage."""
        return [f"{item.label.lower()}: {note}" for item in self.reports for note in item.left_out]

    @property
    def graded(self) -> bool:
        """Whether its colours were graded, so that they lie between the levels of 8 bits."""
        return any(item.stage == "grade" and item.status in ("ran", "reused") for item in self.reports)

    def in_8_bits(self) -> npt.NDArray[np.uint8]:
        """The picture with 8 bits a channel; a graded one without bands."""
        return dithered(self.pixels) if self.graded else to_uint8(self.pixels)

    @property
    def error(self) -> str:
        """What went wrong, "" if nothing."""
        failed = [f"{item.label.lower()} failed: {item.reason}" for item in self.reports if item.status == "failed"]
        if self.interrupted_in:
            failed.append(f"interrupted in {self.interrupted_in}; the last complete stage was kept")
        return "; ".join(failed)
