"""Runs a recipe over one or many pictures, stage by stage.

Stage-major: a stage works on all pictures of a chunk before the next begins, so that a checkpoint is swapped twice a
chunk and patches of all its pictures share batches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from lib_finisher.assets import Assets
from lib_finisher.detect.search import Search
from lib_finisher.events import Control, Listener, Meter, ignore
from lib_finisher.finished import Finished
from lib_finisher.hosts.port import Host
from lib_finisher.plan.plan import make_plan
from lib_finisher.plan.rates import Rates
from lib_finisher.recipe import Recipe
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.patch import Cost
from lib_finisher.redraw.watching import PatchMemory
from lib_finisher.run.chunk import Chunk, Through
from lib_finisher.run.context import RunContext
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import Finder, Stage, Tools, Work
from lib_finisher.store.results import ResultStore, digest, digest_of_files

logger = logging.getLogger(__name__)


def _checkpoints(settings: Any) -> bool:
    """Whether a stage that is on swaps the checkpoint."""
    return settings.enabled and any(getattr(one, "checkpoint", "") for one in getattr(settings, "passes", (settings,)))


def _by_name(name: str, search: Search) -> str:
    return f"{name}/{search.identity}"


class Pipeline:
    """A recipe and all it needs to run. One object may run many chunks; it keeps what it learns about the device.

    `identify` gives a text that changes when the detector of a name does, or the search; `free_detectors` gives back
    the memory that loaded ones hold. `patches` is where finished patches are kept for later runs; without it they are
    kept in the store, and only until their stage is complete. `rates` learns how fast the engine was. `assets` are the
    folders of LUTs and reference pictures.
    """

    def __init__(
        self,
        host: Host,
        find: Finder,
        recipe: Recipe,
        store: ResultStore | None = None,
        listener: Listener = ignore,
        control: Control | None = None,
        keep_stages: bool = False,
        budget: AreaBudget | None = None,
        identify: Callable[[str, Search], str] = _by_name,
        patches: PatchMemory | None = None,
        free_detectors: Callable[[], None] | None = None,
        rates: Rates | None = None,
        assets: Assets | None = None,
    ) -> None:
        self._context = RunContext(
            host, find, recipe, store, listener, control or Control(), keep_stages,
            budget or AreaBudget(host.capabilities), identify, patches, free_detectors,
            _code_identity() if store is not None else "", assets or Assets(),
        )  # fmt: skip
        self._rates = rates

    def run(self, works: Iterable[Work], through: Through | None = None) -> list[Finished]:
        """Finish the pictures of a chunk; one result each, in order. A picture that fails does not touch the others.

        `through` gets each as soon as its own last stage has ended, while others may still be in work. Where nothing is
        sampled or enlarged by a model, no picture is held longer than its first stage needs it; so `works` may be an
        iterator that holds none either.
        """
        context = self._context
        reads = [stage.reads(context.recipe[stage.name]) for stage in STAGES if context.recipe[stage.name].enabled]
        # What a run will come to is reckoned from the pictures as they were given, when it is first asked for.
        given = list(works) if any(one.samples or one.upscalers for one in reads) else None
        meter = Meter(context.control, context.listener, lambda: sum(map(self._expected, given or ())), self._weight)
        chunk = Chunk(context, works if given is None else given, meter, through)
        results = chunk.run()
        if self._rates is not None:
            self._learn(self._rates, [report.cost for state in chunk.states for report in state.done.reports])
            for model_run in meter.model_runs:
                self._rates.record_model(context.host, model_run)
        return results

    def detectors(self, stage: Stage) -> list[str]:
        """What changes when a detector does that a stage's result depends on."""
        return self._context.detectors(stage)

    def _learn(self, rates: Rates, costs: Sequence[Cost]) -> None:
        """A run in which stages have checkpoints of their own tells nothing of a single one."""
        if not any(_checkpoints(self._context.recipe[stage.name]) for stage in STAGES):
            rates.record(self._context.host, "", sum(costs, Cost()))

    def _weight(self, name: str) -> float:
        """As how many megapixel-steps a megapixel through that upscaler model counts."""
        host = self._context.host
        return host.capabilities.upscaler_weight if self._rates is None else self._rates.weight(host, "", name)

    def _expected(self, work: Work) -> float:
        tools = Tools(self._context.host, self._context.find, Meter(self._context.control), self._context.assets)
        try:
            total = make_plan(work, self._context.recipe, tools).total
            return total.megapixel_steps + sum(part * self._weight(name) for name, part in total.models)
        # An estimate is only for the progress bar: whatever is wrong, the stage itself will say it better.
        except Exception:
            logger.debug("The cost cannot be estimated.", exc_info=True)
            return 0.0


def _code_identity() -> str:
    """Changes with the code and the models that results are made by: no stored result outlives its recipe's meaning."""
    rooms = ("imaging", "quality", "redraw", "stages", "run", "detect", "hosts")
    return digest(*(digest_of_files(Path(__file__).parent / room, ("*.py", "*.onnx")) for room in rooms))
