"""What a detector's scores say; see `detect.calibration`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Calibration:
    """How a detector's scores (0..1) are read where no confidence is named.

    What it scores `considered` or more is looked at. With a `confirmed` above 0 all but what scores `certain` is looked
    at a second time and counts where its landmarks lie as a face's and the second look says at least `confirmed`. What
    only a window of the picture showed, and what has to be turned about, needs `many_looks`: many looks are many
    chances to be wrong. What ends below `sure` is doubtful. `measured` says that the figures come from a measurement
    here; the others keep what their authors use.
    """

    considered: float = 0.3
    confirmed: float = 0.0
    many_looks: float = 0.0
    certain: float = 1.0
    sure: float = 0.5
    measured: bool = False

    @property
    def identity(self) -> str:
        """Changes with every figure."""
        return f"{self.considered:g}/{self.confirmed:g}/{self.many_looks:g}/{self.certain:g}/{self.sure:g}"

    @property
    def least(self) -> float:
        """What a finding of this detector scores at least when it counts."""
        return max(self.considered, self.confirmed)


AUTHORS = Calibration()
"""What detectors that could not be measured here are used with by those who made them."""
