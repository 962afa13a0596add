"""What the script's hooks do."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from modules import paths_internal, shared
from PIL import Image

from lib_finisher import __version__
from lib_finisher.controls import SettingsError
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import DetectorError
from lib_finisher.events import Meter
from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.webui.arguments import read_arguments
from lib_finisher.hosts.webui.control import HostControl, Job, show
from lib_finisher.hosts.webui.host import WebuiHost
from lib_finisher.hosts.webui.record import recorded
from lib_finisher.imaging.arrays import to_uint8
from lib_finisher.imaging.geometry import size_of
from lib_finisher.pipeline import Finished, Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.recipe import Recipe, read_recipe
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.store.results import ResultStore

logger = logging.getLogger(__name__)

KEY, KEY_VERSION, KEY_ERROR = "Finisher", "Finisher version", "Finisher error"
KEY_SIZE, KEY_STAGES, KEY_NOTES = "Finisher size", "Finisher stages", "Finisher notes"
_PICTURE_KEYS = (KEY_SIZE, KEY_STAGES, KEY_NOTES, KEY_ERROR)
_KEYS = (KEY, KEY_VERSION, *_PICTURE_KEYS)
_LONGEST_NOTES = 600
_RUN = "_finisher_run"
_INNER = ("_ad_inner", "_finisher_inner")
_RESIZING = ("extend", "upscale")
_DONE = ("ran", "reused")


@dataclass(frozen=True, eq=False)
class _Run:
    """Finishing the pictures of one processing object."""

    host: WebuiHost
    control: HostControl
    recipe: Recipe
    pipeline: Pipeline


def before_process(p: Any, values: Sequence[Any]) -> None:
    """Forget the last use of this object: the batch tab takes the same one for every file."""
    setattr(p, _RUN, None)
    if not _is_inner(p):
        for key in _KEYS:
            p.extra_generation_params.pop(key, None)


def process(p: Any, values: Sequence[Any]) -> None:
    """Read what is asked for. The overridden settings hold by now, so the checkpoint is the one that will run."""
    if _is_inner(p):
        return
    try:
        asked = read_arguments(values)
        if not asked.enabled:
            return
        host = WebuiHost(p)
        recipe = read_recipe(asked.recipe, host.model().family)
    except SettingsError as error:
        _fail(p, " ".join(error.problems))
        return
    except HostError as error:
        _fail(p, str(error))
        return
    control = HostControl()
    setattr(p, _RUN, _Run(host, control, recipe, _pipeline(host, recipe, control)))
    p.extra_generation_params[KEY] = json.dumps(recorded(recipe, host.model().family))
    p.extra_generation_params[KEY_VERSION] = __version__


def after_composite(p: Any, pp: Any) -> None:
    """Finish one picture. It comes after the host's compositing, so a change of size survives."""
    run: _Run | None = getattr(p, _RUN, None)
    if run is None or _is_inner(p):
        return
    for key in _PICTURE_KEYS:
        p.extra_generation_params.pop(key, None)
    if shared.state.interrupted or shared.state.skipped:
        _fail(p, "the picture was interrupted before it could be finished, so it was left as it is")
        return
    try:
        done = _finish(p, pp.image, run)
    # Whatever goes wrong, the user gets the picture as it was and learns the reason.
    except Exception as error:
        logger.exception("Finishing failed.")
        _fail(p, f"{type(error).__name__}: {error}")
        return
    _tell(p, done)
    if done.error:
        _fail(p, done.error)
    if any(item.status in _DONE for item in done.reports):
        finished = Image.fromarray(to_uint8(done.pixels))
        finished.info.update(pp.image.info)
        pp.image = finished


def postprocess(p: Any) -> None:
    """The end of a run: the user's checkpoint is loaded again."""
    run: _Run | None = getattr(p, _RUN, None)
    if run is not None and not _is_inner(p):
        setattr(p, _RUN, None)
        run.host.close()


def _tell(p: Any, done: Finished) -> None:
    """What became of the picture, into its infotext; what was refused or done otherwise also under it."""
    size = size_of(done.pixels)
    stages = ", ".join(item.stage for item in done.reports if item.status in _DONE)
    p.extra_generation_params[KEY_SIZE] = f"{size.width} x {size.height}"
    p.extra_generation_params[KEY_STAGES] = stages or "none"
    notes = [f"{item.stage}: {note}" for item in done.reports for note in (*item.notes, *item.refusals)]
    if notes:
        p.extra_generation_params[KEY_NOTES] = "; ".join(notes)[:_LONGEST_NOTES]
        for note in notes:
            p.comment(f"Finisher: {note}")


def _finish(p: Any, image: Image.Image, run: _Run) -> Finished:
    recipe, pipeline = run.recipe, run.pipeline
    if _size_must_stay(p) and any(recipe[name].enabled for name in _RESIZING):
        p.comment("Finisher: the size was kept, because the host composes the inpaint mask with the result.")
        for name in _RESIZING:
            recipe = recipe.changed(name, replace(recipe[name], enabled=False))
        pipeline = _pipeline(run.host, recipe, run.control)
    work = Work(np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255), _base(p))
    try:
        with Job(_planned_calls(work, recipe, run)):
            return pipeline.run([work])[0]
    finally:
        run.host.settle()


def _planned_calls(work: Work, recipe: Recipe, run: _Run) -> int:
    try:
        return make_plan(work, recipe, Tools(run.host, detectors().detect, Meter(run.control))).total.host_calls
    except (HostError, DetectorError) as error:
        # Only the progress bar asks; the stage itself will say it.
        logger.debug("The calls cannot be counted beforehand: %s", error)
        return 0


def _pipeline(host: WebuiHost, recipe: Recipe, control: HostControl) -> Pipeline:
    # Off unless asked for: what other extensions add to a generation is not part of a stored result's key.
    kept = getattr(shared.cmd_opts, "finisher_cache", False)
    store = ResultStore(Path(paths_internal.data_path) / "finisher" / "results") if kept else None
    return Pipeline(host, detectors().detect, recipe, store, listener=show, control=control)


def _base(p: Any) -> Base:
    """What the picture in hand was made with; the texts with styles and extra networks, as the host expanded them."""
    index = p.batch_index
    return Base(
        prompt=p.prompts[index],
        negative_prompt=p.negative_prompts[index],
        seed=int(p.seeds[index]),
        steps=int(p.steps),
        cfg_scale=float(p.cfg_scale),
        sampler=p.sampler_name or "",
        scheduler=getattr(p, "scheduler", None) or "",
    )


def _size_must_stay(p: Any) -> bool:
    """Whether the host will put the mask and the picture together afterwards, which fails on another size."""
    composes = shared.opts.return_mask_composite or shared.opts.save_mask_composite
    return bool(composes) and getattr(p, "mask_for_overlay", None) is not None


def _is_inner(p: Any) -> bool:
    return any(getattr(p, marker, False) for marker in _INNER)


def _fail(p: Any, reason: str) -> None:
    """Say it in the infotext, under the picture and in the log."""
    p.extra_generation_params[KEY_ERROR] = reason
    p.comment(f"Finisher: {reason}")
    logger.warning("Finisher: %s", reason)


@functools.cache
def detectors() -> Detectors:
    """The detectors, loaded once."""
    return Detectors()
