"""The routes under /finisher/v1/, on the host's own server and behind the host's API password."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic
from modules import call_queue, paths_internal, script_callbacks, shared
from starlette.exceptions import HTTPException

from lib_finisher.api import answers, requests
from lib_finisher.api.presets import answer
from lib_finisher.api.problems import Problem, RequestError, told
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.fetching import FetchError
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.events import Control, Event, Meter, Progress
from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.webui import offered, speed
from lib_finisher.hosts.webui.assets import assets
from lib_finisher.hosts.webui.control import HostControl, Job, show
from lib_finisher.hosts.webui.detectors import detectors, fetched, listed
from lib_finisher.hosts.webui.host import WebuiHost
from lib_finisher.hosts.webui.outer import first_sampler, outer, told_fields
from lib_finisher.hosts.webui.presets import notes_on, reading, surroundings_of
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.presets.errors import PresetError
from lib_finisher.recipe import Recipe
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.stage import Estimate, Tools, Work
from lib_finisher.store.results import ResultStore

logger = logging.getLogger(__name__)

PREFIX = "/finisher/v1"
LIMITS = requests.Limits()
_WRONG_REQUEST, _REFUSED_BY_HOST = 422, 409

_basic = HTTPBasic(auto_error=False)


class _Running:
    """How far the request that finishes now is; nothing where none does."""

    progress: Progress | None = None


def register() -> None:
    """Ask the host for its server; called whenever the host loads its scripts."""
    remove = getattr(script_callbacks, "remove_callbacks_for_function", None)
    if remove is not None:
        remove(add_to)
    script_callbacks.on_app_started(add_to)


def add_to(demo: Any, app: Any) -> None:
    """Add the routes to the host's server, if its API is on. Every one asks for the API's password, if there is one."""
    options = shared.cmd_opts
    if not (options.api or options.nowebui):
        return
    gate = [Depends(_gate(options.api_auth))] if options.api_auth else []
    router = APIRouter(prefix=PREFIX, tags=["Finisher"], dependencies=gate)
    for path, method, handler in (
        ("/schema", "GET", schema),
        ("/plan", "POST", plan),
        ("/detect", "POST", detect),
        ("/detectors", "GET", known_detectors),
        ("/detectors/fetch", "POST", fetch_detector),
        ("/finish", "POST", finish),
        ("/presets", "GET", known_presets),
        ("/presets", "POST", presets),
        ("/progress", "GET", progress),
    ):
        router.add_api_route(path, handler, methods=[method], response_model=None)
    app.include_router(router)


async def schema(request: Request) -> JSONResponse:
    """Every control with its range and default (`?family=sdxl` for a family's), and what this host offers."""
    family = request.query_params.get("family", "")
    return await _answered(lambda: answers.schema_json(offer(), LIMITS, family))


async def plan(request: Request) -> JSONResponse:
    """What finishing a picture would do and cost, stage by stage. Nothing is sampled."""
    body = await request.body()
    return await _answered(lambda: _with_warnings(_plan(requests.json_object(body)), body))


async def detect(request: Request) -> JSONResponse:
    """What a detector finds in a picture."""
    body = await request.body()
    return await _answered(lambda: _with_warnings(_detect(requests.json_object(body)), body))


async def known_detectors() -> JSONResponse:
    """Every detector that is here, and those that are known."""
    return await _answered(listed)


async def fetch_detector(request: Request) -> JSONResponse:
    """Fetch the file of a known detector into the host's folder of models; answers when it is there."""
    body = await request.body()
    return await _answered(lambda: _with_warnings(fetched(requests.json_object(body)), body))


async def finish(request: Request) -> JSONResponse:
    """Finish pictures, with the prompts and seeds of their own infotexts unless the request has others."""
    body = await request.body()
    return await _answered(lambda: _finish(requests.json_object(body), requests.repeated_keys_noted(body)))


async def known_presets(request: Request) -> JSONResponse:
    """Every preset, and which of them a checkpoint gets and why (`?checkpoint=`; the chosen one without)."""
    checkpoint = request.query_params.get("checkpoint", "")
    return await _answered(lambda: _presets({"action": "show", "checkpoint": checkpoint}))


async def presets(request: Request) -> JSONResponse:
    """Show, save, rename, lock, delete, compare, export or import presets: {"action": ..., ...}."""
    body = await request.body()
    return await _answered(lambda: _with_warnings(_presets(requests.json_object(body)), body))


async def progress() -> JSONResponse:
    """What the host is doing now and how far it is."""
    return JSONResponse(_progress())


def _with_warnings(result: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The answer, and what of the body counts otherwise than it may have been meant."""
    warnings = requests.repeated_keys_noted(body)
    return {**result, "warnings": list(warnings)} if warnings else result


async def _answered(act: Callable[[], dict[str, Any]]) -> JSONResponse:
    """The answer of `act`, or the reason why there is none. In a thread: the server goes on meanwhile."""
    return await run_in_threadpool(_answer, act)


def _answer(act: Callable[[], dict[str, Any]]) -> JSONResponse:
    try:
        return JSONResponse(act())
    except RequestError as error:
        return JSONResponse(told(error.problems), _WRONG_REQUEST)
    except (HostError, DetectorError, FetchError) as error:
        return JSONResponse(told([Problem("host", str(error))]), _REFUSED_BY_HOST)


def _gate(allowed: str) -> Callable[[Request], Awaitable[None]]:
    """The host's own rule: "user:password", several of them with commas between."""
    users = [item.partition(":") for item in allowed.split(",")]

    async def check(request: Request) -> None:
        try:
            given = await _basic(request)
        except HTTPException:
            given = None
        # As bytes: texts beyond ASCII cannot be compared in constant time.
        name, word = ("", "") if given is None else (given.username, given.password)
        known = [
            secrets.compare_digest(name.encode(), user.encode())
            & secrets.compare_digest(word.encode(), password.encode())
            for user, _, password in users
        ]
        if given is None or not any(known):
            # Starlette's own: A1111 answers FastAPI's without the header, and then no browser asks.
            raise HTTPException(401, "Incorrect username or password", {"WWW-Authenticate": "Basic"})

    return check


def _plan(data: Mapping[str, Any]) -> dict[str, Any]:
    asked = requests.read_plan(data, reading(), offer(), LIMITS)
    work = _works(asked)[1][0]
    with closing(outer()) as plain:
        host = WebuiHost(plain)
        found = make_plan(work, asked.recipe, Tools(host, find_beside, Meter(Control())))
        planned = answers.plan_json(found, work.size, speed.seconds(host, found))
        return {**planned, "notes": list(notes_on(asked.recipe_data))}


def _presets(data: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return answer(data, surroundings_of(data))
    except PresetError as error:
        raise RequestError([Problem("preset", str(error))]) from error


def _detect(data: Mapping[str, Any]) -> dict[str, Any]:
    asked = requests.read_detect(data, offer(), LIMITS)
    pixels = asked.picture.pixels
    found = find_beside(asked.settings.detector, pixels, asked.settings.confidence)
    return answers.detections_json(found, size_of(pixels))


def _finish(data: Mapping[str, Any], warnings: Sequence[str] = ()) -> dict[str, Any]:
    # Whatever is wrong with the request is said at once, not after other generations.
    asked = requests.read_finish(data, reading(), offer(), LIMITS)
    asked, works = _works(asked)
    with call_queue.queue_lock:
        shared.state.begin(job="finisher")
        try:
            return _run(asked, works, warnings)
        finally:
            _Running.progress = None
            shared.state.end()
            shared.total_tqdm.clear()


def _run(asked: requests.FinishRequest, works: Sequence[Work], warnings: Sequence[str]) -> dict[str, Any]:
    """Finish all pictures together, stage by stage. The host is ours meanwhile."""
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
        asked.pictures,
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


def _works(asked: requests.FinishRequest) -> tuple[requests.FinishRequest, list[Work]]:
    """The request, its pictures' notes added to by how their own infotexts were taken, and the work of each."""
    plain = first_sampler()
    pictures, works = [], []
    for picture, mask in zip(asked.pictures, asked.masks):
        own, notes = told_fields(picture)
        uses_own_seed = asked.recipe[BASE].own_infotext and "seed" not in asked.base
        pictures.append(replace(picture, notes=(*picture.notes, *(notes if uses_own_seed else ()))))
        works.append(Work(picture.pixels, asked.base_of(own, *plain), mask, alpha=picture.alpha))
    return replace(asked, pictures=tuple(pictures)), works


def offer() -> requests.Offer:
    """What this host has for the controls that name something of it."""
    return requests.Offer(offered.choices(), offered.also())


def find_beside(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
    """Detect beside a running generation: where both ask the same detector, one waits for the other."""
    return detectors().detect(name, pixels, confidence, search)


def _listen(event: Event) -> None:
    show(event)
    if isinstance(event, Progress):
        _Running.progress = event


def _progress() -> dict[str, Any]:
    state = shared.state
    part = answers.share(state.job_no, state.job_count, state.sampling_step, state.sampling_steps)
    active = bool(state.job) or state.job_count != 0
    return answers.progress_json(active, state.job or "", state.textinfo or "", part, _Running.progress)
