"""One picture of a chunk, between and during stages."""

from __future__ import annotations

import copy
from dataclasses import replace

from lib_finisher.finished import Finished, StageReport
from lib_finisher.imaging.arrays import as_stored
from lib_finisher.imaging.one_hue import OneHue
from lib_finisher.imaging.transparency import bled, transparent
from lib_finisher.imaging.wrap import Around
from lib_finisher.quality.measured import Quality
from lib_finisher.redraw.patch import Request
from lib_finisher.stages.base import RESTRICTS, TO_REPAIR, BaseSettings
from lib_finisher.stages.stage import Redraws, Stage, Work
from lib_finisher.stages.wrap_around import wrap_of


class PictureState:
    """What is known of a picture so far, and the stage that runs on it."""

    def __init__(self, work: Work, base: BaseSettings, number: int, keeps_draft: bool = True) -> None:
        """`keeps_draft`: a stage will ask for the picture as it was before the first."""
        self.number = number
        self.is_comparison = False
        self.restricted = work.mask is not None and base.mask == RESTRICTS
        mask = work.mask if self.restricted or base.mask == TO_REPAIR else None
        pixels, alpha = as_stored(work.pixels), transparent(work.alpha)
        if alpha is not None:
            pixels = bled(pixels, alpha)
        draft = (pixels if work.draft is None else work.draft) if keeps_draft else None
        self.work = replace(work, pixels=pixels, mask=mask, draft=draft, alpha=alpha)
        self.work = replace(self.work, wrap=wrap_of(base, work.base.tiling))
        self.around: Around | None = None
        self.hue: OneHue | None = None
        self.done = Finished(self.work.pixels)
        self.key = ""
        self.running: Redraws | None = None
        self.request: Request | None = None
        self.doubtful = False
        self.quality: Quality | None = None
        self.seconds = 0.0
        self.outside = 0

    def without(self, stage: Stage) -> PictureState:
        """The same picture, on which `stage` does not work: what it comes to beside this one shows what that does."""
        other = copy.copy(self)
        other.is_comparison = True
        done = self.done
        left_out = StageReport(stage.name, stage.label, "skipped", "left out to compare", size=self.work.size)
        other.done = Finished(done.pixels, [*done.reports, left_out], dict(done.stages), dict(done.previews))
        return other
