"""The pictures of a chunk on their way through the stages, each handed on as soon as its own last stage has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from lib_finisher.events import Meter
from lib_finisher.finished import Finished
from lib_finisher.run.context import RunContext
from lib_finisher.run.picture_state import PictureState
from lib_finisher.run.stage_run import StageRun
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import Stage, Work

Through = Callable[[int, Finished], None]
"""Called with a picture's number within its chunk, from 0, and what became of it, when nothing more will."""


class Chunk:
    """Pictures that a recipe runs over together, with those that are finished without a stage to compare."""

    def __init__(self, context: RunContext, works: Iterable[Work], meter: Meter, through: Through | None) -> None:
        base = context.recipe[BASE]
        self._context, self._meter, self._through = context, meter, through
        self._compared = base.compare
        on = [number for number, stage in enumerate(STAGES) if context.recipe[stage.name].enabled]
        keeps_draft = any(STAGES[number].reads(context.recipe[STAGES[number].name]).draft for number in on)
        self._pictures = [PictureState(work, base, number, keeps_draft) for number, work in enumerate(works)]
        self._others: dict[int, PictureState] = {}
        self._ended: set[PictureState] = set()
        self._last = on[-1] if on else 0

    @property
    def states(self) -> list[PictureState]:
        """The pictures, and behind them those that they are compared with."""
        return [*self._pictures, *self._others.values()]

    def run(self) -> list[Finished]:
        """What became of each picture, in order."""
        for stage in STAGES[: self._last + 1]:
            states = self.states
            if stage.name == self._compared:
                states = self._pictures
                self._others = {state.number: state.without(stage) for state in states}
            StageRun(self._context, stage, states, self._meter, self._settled).run()
        return [state.done for state in self._pictures]

    def _settled(self, stage: Stage, state: PictureState) -> None:
        """A picture is through with a stage."""
        if stage.name == self._compared:
            self._compare(state)
        if stage is STAGES[self._last]:
            self._end(state)
            if stage.name == self._compared and state.number in self._others:
                self._end(self._others[state.number])

    def _compare(self, state: PictureState) -> None:
        """Keep what a picture is compared with where the stage has changed it; say so where there is nothing."""
        if state.is_comparison:
            return
        other = self._others.get(state.number)
        if other is not None and not np.array_equal(state.work.pixels, other.work.pixels):
            return
        self._others.pop(state.number, None)
        if not state.done.error:
            last = state.done.reports[-1]
            state.done.reports[-1] = replace(last, notes=(*last.notes, "nothing to compare: it changed nothing here"))

    def _end(self, state: PictureState) -> None:
        """The stages that are left are switched off: nothing more becomes of this picture."""
        for stage in STAGES[self._last + 1 :]:
            StageRun(self._context, stage, [], self._meter).settled_without_work(state)
            if stage.name == self._compared:
                self._compare(state)
        state.done.pixels, state.done.alpha = state.work.pixels, state.work.alpha
        self._ended.add(state)
        picture, other = self._pictures[state.number], self._others.get(state.number)
        if picture not in self._ended or (other is not None and other not in self._ended):
            return
        if other is not None and not other.done.error:
            picture.done.compared, picture.done.without = self._compared, other.done
        if self._through is not None:
            self._through(picture.number, picture.done)
