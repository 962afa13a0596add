"""What every stage run of a chunk works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lib_finisher.assets import Assets
from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.search import Search
from lib_finisher.events import Control, Listener
from lib_finisher.hosts.port import Host
from lib_finisher.recipe import Recipe
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.watching import PatchMemory
from lib_finisher.stages.keep_detail import detectors_read
from lib_finisher.stages.stage import Finder, Stage
from lib_finisher.stages.texture import NAME as TEXTURE
from lib_finisher.store.results import ResultStore


@dataclass(frozen=True, eq=False)
class RunContext:
    """All that a run works with; see `pipeline.Pipeline`. `code` changes with the code that results are made by."""

    host: Host
    find: Finder
    recipe: Recipe
    store: ResultStore | None
    listener: Listener
    control: Control
    keep_stages: bool
    budget: AreaBudget
    identify: Callable[[str, Search], str]
    patches: PatchMemory | None
    free_detectors: Callable[[], None] | None
    code: str
    assets: Assets = Assets()

    def detectors(self, stage: Stage) -> list[str]:
        """What changes when a detector does that a stage's result depends on."""
        identities = []
        for name, search in detectors_read(stage.reads(self.recipe[stage.name]), self.recipe[TEXTURE].kept):
            try:
                identities.append(self.identify(name, search))
            except DetectorError:
                # The stage itself will say that it is not there.
                identities.append("")
        return identities
