"""What the routes do: plans, findings and finished pictures of what a request sends."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from modules import call_queue, paths_internal, shared

from lib_finisher.api import answers, requests
from lib_finisher.api.presets import answer
from lib_finisher.api.problems import Problem, RequestError
from lib_finisher.events import Control, Event, Meter, Progress
from lib_finisher.hosts.webui import speed
from lib_finisher.hosts.webui.admission import Client
from lib_finisher.hosts.webui.assets import assets
from lib_finisher.hosts.webui.control import HostControl, Job, show
from lib_finisher.hosts.webui.detectors import detectors
from lib_finisher.hosts.webui.host import WebuiHost
from lib_finisher.hosts.webui.offered import offer
from lib_finisher.hosts.webui.outer import first_sampler, outer, told_fields
from lib_finisher.hosts.webui.presets import notes_on, reading, surroundings_of
from lib_finisher.imaging.files import LoadedPicture
from lib_finisher.imaging.geometry import size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.presets.errors import PresetError
from lib_finisher.recipe import Recipe
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.stage import Estimate, Tools, Work
from lib_finisher.store.results import ResultStore

logger = logging.getLogger(__name__)

LIMITS = requests.Limits()


class _Running:
    """How far the request that finishes now is; nothing where none does."""

    progress: Progress | None = None


def plan(data: Mapping[str, Any]) -> dict[str, Any]:
    """What finishing a picture would do and cost. Raises RequestError and HostError."""
    asked = requests.read_plan(data, reading(), offer(), LIMITS)
    work = _opened(asked)[1][0]
    with closing(outer()) as plain:
        host = WebuiHost(plain)
        found = make_plan(work, asked.recipe, Tools(host, detectors().detect, Meter(Control())))
        planned = answers.plan_json(found, work.size, speed.seconds(host, found))
        return {**planned, "notes": list(notes_on(asked.recipe_data))}


def presets(data: Mapping[str, Any]) -> dict[str, Any]:
    """What an action on presets gives. Raises RequestError."""
    try:
        return answer(data, surroundings_of(data))
    except PresetError as error:
        raise RequestError([Problem("preset", str(error))]) from error


def detect(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a detector finds in a picture. Raises RequestError and DetectorError."""
    asked = requests.read_detect(data, offer(), LIMITS)
    pixels = asked.upload.picture().pixels
    found = detectors().detect(asked.settings.detector, pixels, asked.settings.confidence)
    return answers.detections_json(found, size_of(pixels))


def asked_to_finish(data: Mapping[str, Any]) -> requests.FinishRequest:
    """A request to finish pictures, checked as far as that can be done before its turn. Raises RequestError."""
    return requests.read_finish(data, reading(), offer(), LIMITS)


def finish(asked: requests.FinishRequest, warnings: Sequence[str], client: Client) -> dict[str, Any]:
    """The finished pictures, once the host is free. The run ends when the client leaves.

    Raises RequestError, HostError, and ClientLeft where they have left before it began.
    """
    with call_queue.queue_lock, client.served(shared.state.interrupt):
        shared.state.begin(job="finisher")
        try:
            return _run(asked, warnings)
        finally:
            _Running.progress = None
            shared.state.end()
            shared.total_tqdm.clear()


def _run(asked: requests.FinishRequest, warnings: Sequence[str]) -> dict[str, Any]:
    """Finish all pictures together, stage by stage. The host is ours meanwhile."""
    pictures, works = _opened(asked)
    with closing(outer()) as plain:
        host = WebuiHost(plain)
        # A generation that ran until now may have had another checkpoint for a while.
        family = host.model().family
        recipe = reading()(asked.recipe_data)
        control = HostControl(last=True)
        tools = Tools(host, detectors().detect, Meter(control))
        plans = [_planned(work, recipe, tools) for work in works]
        requests.check_finished(sum(item.size.megapixels for item in plans), LIMITS)
        kept = getattr(shared.cmd_opts, "finisher_cache", False)
        store = ResultStore(Path(paths_internal.data_path) / "finisher" / "results") if kept else None
        pipeline = Pipeline(
            host, detectors().detect, recipe, store, _listen, control,
            identify=detectors().identity, free_detectors=detectors().free, rates=speed.rates(), assets=assets(),
        )  # fmt: skip
        try:
            with Job(sum(item.host_calls for item in plans)), torch.no_grad():
                done = pipeline.run(works)
        finally:
            host.close()
    bases = [work.base for work in works]
    return answers.finished_json(
        done,
        pictures,
        bases,
        recipe,
        family,
        asked.report,
        asked.recipe_data,
        (*warnings, *notes_on(asked.recipe_data)),
    )


def _planned(work: Work, recipe: Recipe, tools: Tools) -> Estimate:
    try:
        return make_plan(work, recipe, tools).total
    # Whatever is wrong concerns this picture alone; the stage itself will say it better.
    except Exception:
        logger.debug("The calls cannot be counted beforehand.", exc_info=True)
        return Estimate(work.size)


def _opened(asked: requests.FinishRequest) -> tuple[list[LoadedPicture], list[Work]]:
    """The pictures, their notes added to by how their own infotexts were taken, and the work of each.

    Raises RequestError where one is damaged.
    """
    plain = first_sampler()
    pictures, works = [], []
    for picture, mask in zip(*asked.opened()):
        own, told = told_fields(picture)
        # What the request says itself is not taken from the picture.
        of_use = [note for name, note in told.items() if asked.recipe[BASE].own_infotext and name not in asked.base]
        pictures.append(replace(picture, notes=(*picture.notes, *of_use)))
        works.append(Work(picture.pixels, asked.base_of(own, *plain), mask, alpha=picture.alpha))
    return pictures, works


def _listen(event: Event) -> None:
    show(event)
    if isinstance(event, Progress):
        _Running.progress = event


def progress() -> dict[str, Any]:
    """What the host is doing now and how far it is."""
    state = shared.state
    part = answers.share(state.job_no, state.job_count, state.sampling_step, state.sampling_steps)
    active = bool(state.job) or state.job_count != 0
    return answers.progress_json(active, state.job or "", state.textinfo or "", part, _Running.progress)
