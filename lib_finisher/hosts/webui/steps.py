"""How far a sampler of the host is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Steps:
    """The share of its steps that a sampler has done, told by the noise level that it asks the model about.

    Calls of the model would not do: some samplers make two or three a step, and some go back and repeat steps.
    """

    def __init__(self) -> None:
        self._levels = np.zeros(1)
        self._first: float | None = None
        self._share = 0.0

    def begin(self, levels: Sequence[float]) -> None:
        """These are the noise levels of the whole schedule, falling to 0; sampling may begin at any of them."""
        self._levels = np.asarray(levels, dtype=np.float64)

    def reach(self, level: float) -> float:
        """The share that is done when the model is asked about this level: 0 the first time, and it never falls."""
        # In half precision a level is off by a few thousandths of a step.
        place = round(float(np.interp(level, self._levels[::-1], np.arange(len(self._levels))[::-1])), 2)
        if self._first is None:
            self._first = place
        left = len(self._levels) - 1 - self._first
        if left > 0:
            self._share = max(self._share, (place - self._first) / left)
        return self._share
