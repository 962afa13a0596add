"""What a stage tells the later ones about the picture's regions: what was redrawn where, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from lib_finisher.hosts.port import Sampling
from lib_finisher.imaging.geometry import Box


@dataclass(frozen=True)
class Region:
    """A finding that the detail stage has redrawn: where, as what, with which prompts, seed and sampling.

    `padding`, `dilation` and `mask_blur` are shares of its side, as in the pass that redrew it. `touch_up` is the
    denoising strength of one more redraw after the upscale, 0 for none.
    """

    box: Box
    label: str
    prompt: str
    negative_prompt: str
    seed: int
    sampling: Sampling
    padding: float
    dilation: float
    mask_blur: float
    touch_up: float = 0.0

    def scaled(self, factor: float) -> Region:
        """The same region in the picture enlarged by `factor`."""
        return replace(self, box=self.box.scaled(factor))

    def as_json(self) -> dict[str, Any]:
        """As JSON data; `region_from` reads it."""
        return asdict(self)


def moved(region: Region, right: int, down: int) -> Region:
    """The same region of a picture in which everything lies so many pixels further on."""
    return replace(region, box=region.box.moved(right, down))


def region_from(data: Mapping[str, Any]) -> Region:
    """The region that `Region.as_json` wrote. Raises TypeError or KeyError for anything else."""
    return Region(**{**data, "box": Box(**data["box"]), "sampling": Sampling(**data["sampling"])})
