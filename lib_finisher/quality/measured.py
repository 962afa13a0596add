"""All measures of one stage together, on a bounded part of the picture."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import size_of
from lib_finisher.quality.detail import detail_kept, detail_new, detail_sums
from lib_finisher.quality.edges import beyond_edges
from lib_finisher.quality.lattice import lattice
from lib_finisher.quality.sampling import one_frame, windows
from lib_finisher.quality.tint import tint_sums

_WORTH_A_WORD = 0.005


@dataclass(frozen=True)
class Quality:
    """What a stage has gained and lost.

    `detail_kept` is the share of the fine detail before that is left, `detail_new` that of other texture, both of the
    energy before; `brought_back` is the share that was smoothed away and put back. `halo` (L*) and `fringe` (a*, b*)
    are the mean overshoot near edges, `lattice` the periodic pattern that was not there before, in levels of 255, and
    `tint` the mean drift in a* and b*.
    """

    detail_kept: float
    detail_new: float
    halo: float
    fringe: float
    lattice: float
    tint: float
    brought_back: float = 0.0

    @property
    def told(self) -> str:
        """In one short line."""
        back = f" ({self.brought_back:.0%} brought back)" if self.brought_back >= _WORTH_A_WORD else ""
        return (
            f"detail {self.detail_kept:.0%} kept{back}, {self.detail_new:.0%} new, halo {self.halo:.1f}, "
            f"fringe {self.fringe:.1f}, lattice {self.lattice:.1f}, tint {self.tint:.1f}"
        )

    def as_json(self) -> dict[str, float]:
        """All figures by name."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def measured(before: Pixels, after: Pixels) -> Quality | None:
    """What became of a picture (height, width, 3; 0..1), at its size or resized; None where it shows another frame."""
    small, large = size_of(before), size_of(after)
    if not one_frame(small, large):
        return None
    energy = common = energy_after = halo = fringe = first = second = 0.0
    edge_pixels = pixels = 0
    pattern = 0.0
    scale = max(1.0, large.width / small.width)
    for window in windows(before, after):
        sums = detail_sums(window.before, window.after)
        energy, common, energy_after = energy + sums[0], common + sums[1], energy_after + sums[2]
        over, colour, count = beyond_edges(window.plain, window.made, scale)
        halo, fringe, edge_pixels = halo + over, fringe + colour, edge_pixels + count
        red, yellow, count = tint_sums(window.before, window.after)
        first, second, pixels = first + red, second + yellow, pixels + count
        pattern = max(pattern, lattice(window.made) - lattice(window.plain))
    return Quality(
        detail_kept(energy, common),
        detail_new(energy, common, energy_after),
        halo / max(1, edge_pixels),
        fringe / max(1, edge_pixels),
        pattern,
        math.hypot(first, second) / max(1, pixels),
    )
