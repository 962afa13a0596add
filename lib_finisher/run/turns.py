"""Pictures that are redrawn together and go on one by one, and how much of the time was each one's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lib_finisher.redraw.patch import Outcome
from lib_finisher.run.picture_state import PictureState


class Turns:
    """Whose turn has come, of pictures that asked for a redraw at one time.

    `surprised` says that a picture raised an error in its own turn, so that none came of the redraw.
    """

    def __init__(self, asking: Sequence[PictureState]) -> None:
        self._asking = list(asking)
        self._left = dict(enumerate(self._asking))
        self._since = time.perf_counter()
        self.surprised = False

    def left(self) -> list[PictureState]:
        """Those that have not had theirs."""
        return list(self._left.values())

    @contextmanager
    def of(self, index: int, outcomes: Sequence[Outcome]) -> Iterator[PictureState]:
        """A picture's turn. It is told its share of the time that has passed in no one's turn, by what was sampled."""
        passed = time.perf_counter() - self._since
        work = sum(outcomes[number].cost.megapixel_steps for number in self._left)
        share = outcomes[index].cost.megapixel_steps / work if work > 0 else 1.0 / len(self._left)
        state = self._left.pop(index)
        state.seconds += passed * share
        began = time.perf_counter()
        try:
            yield state
        except BaseException:
            self.surprised = True
            raise
        # What is not this one's is for those to come; the turn itself is nobody's wait.
        self._since += passed * share + time.perf_counter() - began
