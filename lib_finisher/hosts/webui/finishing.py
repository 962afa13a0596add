"""Finishing the pictures of one generation: what is known of it between the hooks, and the chain's run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from modules import paths_internal, shared
from PIL import Image

from lib_finisher.events import Meter
from lib_finisher.finished import Finished
from lib_finisher.hosts.webui import finish_only, given, others, settings, speed
from lib_finisher.hosts.webui.assets import assets
from lib_finisher.hosts.webui.control import HostControl, Job, show
from lib_finisher.hosts.webui.detectors import detectors
from lib_finisher.hosts.webui.host import WebuiHost
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.recipe import Recipe
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import Tools, Work
from lib_finisher.store.results import ResultStore

logger = logging.getLogger(__name__)

_RESIZING = ("extend", "upscale")

Bytes = npt.NDArray[np.uint8]


@dataclass(eq=False)
class GenerationRun:
    """Finishing the pictures of one processing object.

    `budget` is what was learned of the device's memory; `ahead` holds the pictures of this batch finished together;
    `others_let_go` are the other extensions' scripts that let go of the model in this batch, None before they were
    asked. `beside` are the bases, and the pictures without the stage that is compared, with their infotexts; they join
    the others at the end. `notes` say what of the recipe was done otherwise, for every picture.
    """

    host: WebuiHost
    control: HostControl
    recipe: Recipe
    wanted: settings.Preferences
    budget: AreaBudget
    ahead: dict[int, tuple[Bytes, Finished]] = field(default_factory=dict)
    others_let_go: list[Any] | None = None
    beside: list[tuple[Image.Image, str]] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def finished_ahead(run: GenerationRun, index: int, picture: Bytes) -> Finished | None:
    """The result of the whole batch's turn, unless something has changed the picture since."""
    before, done = run.ahead.pop(index, (None, None))
    return done if before is not None and np.array_equal(before, picture) else None


def finish(p: Any, run: GenerationRun, pictures: Sequence[Bytes], numbers: Sequence[int]) -> list[Finished]:
    """The pictures of those numbers in their batch through the chain; one result each, in order."""
    recipe = run.recipe
    why = given.why_the_size_must_stay(p)
    if why and any(recipe[name].enabled for name in _RESIZING):
        p.comment(f"Finisher: the size was kept, because {why}.")
        for name in _RESIZING:
            recipe = recipe.changed(name, replace(recipe[name], enabled=False))
    if run.others_let_go is None and any(
        recipe[stage.name].enabled and stage.reads(recipe[stage.name]).samples for stage in STAGES
    ):
        run.others_let_go = others.let_go(p)
    use = recipe[BASE].mask
    works = []
    for picture, number in zip(pictures, numbers):
        mask = given.mask_of(p, Image.fromarray(picture), use)
        pixels, alpha = picture.astype(np.float32) / np.float32(255), finish_only.alpha(p, number)
        works.append(Work(pixels, given.base_of(p, number), mask, alpha=alpha))
    try:
        with Job(sum(_planned_calls(work, recipe, run) for work in works)):
            return _pipeline(run, recipe).run(works)
    finally:
        run.host.settle()


def _planned_calls(work: Work, recipe: Recipe, run: GenerationRun) -> int:
    try:
        return make_plan(work, recipe, Tools(run.host, detectors().detect, Meter(run.control))).total.host_calls
    # Only the progress bar asks; the stage itself will say it better.
    except Exception:
        logger.debug("The calls cannot be counted beforehand.", exc_info=True)
        return 0


def _pipeline(run: GenerationRun, recipe: Recipe) -> Pipeline:
    # Off unless asked for: what other extensions add to a generation is not part of a stored result's key.
    kept = getattr(shared.cmd_opts, "finisher_cache", False)
    store = ResultStore(Path(paths_internal.data_path) / "finisher" / "results") if kept else None
    pictures = run.wanted.save_stages or run.wanted.save_masks
    return Pipeline(
        run.host,
        detectors().detect,
        recipe,
        store,
        show,
        run.control,
        keep_stages=pictures,
        budget=run.budget,
        identify=detectors().identity,
        free_detectors=detectors().free,
        rates=speed.rates(),
        assets=assets(),
    )
