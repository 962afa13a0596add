"""The routes under /finisher/v1/, on the host's own server and behind the host's API password."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from modules import script_callbacks, shared

from lib_finisher.api import answers, requests
from lib_finisher.api.problems import Problem, RequestError, told
from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.fetching import FetchError
from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.webui import route_work as work
from lib_finisher.hosts.webui.access import before_each
from lib_finisher.hosts.webui.admission import Bodies, Client, ClientLeft, Lane, Room, watched
from lib_finisher.hosts.webui.detectors import fetched, listed
from lib_finisher.hosts.webui.offered import offer

logger = logging.getLogger(__name__)

PREFIX = "/finisher/v1"
_WRONG_REQUEST, _REFUSED_BY_HOST, _CLIENT_LEFT = 422, 409, 499


def register() -> None:
    """Ask the host for its server; called whenever the host loads its scripts."""
    remove = getattr(script_callbacks, "remove_callbacks_for_function", None)
    if remove is not None:
        remove(add_to)
    script_callbacks.on_app_started(add_to)


def add_to(demo: Any, app: Any) -> None:
    """Add the routes to the host's server, if its API is on. Every one asks for the API's password, if there is one.
    None does anything for another web page."""
    options = shared.cmd_opts
    if not (options.api or options.nowebui):
        return
    router = APIRouter(prefix=PREFIX, tags=["Finisher"], dependencies=before_each(options))
    posts = Posts(Room())
    for path, method, handler in (
        ("/schema", "GET", schema),
        ("/plan", "POST", posts.plan),
        ("/detect", "POST", posts.detect),
        ("/detectors", "GET", known_detectors),
        ("/detectors/fetch", "POST", posts.fetch_detector),
        ("/finish", "POST", posts.finish),
        ("/presets", "GET", known_presets),
        ("/presets", "POST", posts.presets),
        ("/progress", "GET", progress),
    ):
        router.add_api_route(path, handler, methods=[method], response_model=None)
    app.include_router(router)


async def schema(request: Request) -> Response:
    """Every control with its range and default (`?family=sdxl` for a family's), and what this host offers."""
    family = request.query_params.get("family", "")
    return await run_in_threadpool(_answer, lambda: answers.schema_json(offer(), work.LIMITS, family))


async def known_detectors() -> Response:
    """Every detector that is here, and those that are known."""
    return await run_in_threadpool(_answer, listed)


async def known_presets(request: Request) -> Response:
    """Every preset, and which of them a checkpoint gets and why (`?checkpoint=`; the chosen one without)."""
    checkpoint = request.query_params.get("checkpoint", "")
    return await run_in_threadpool(_answer, lambda: work.presets({"action": "show", "checkpoint": checkpoint}))


async def progress() -> JSONResponse:
    """What the host is doing now and how far it is."""
    return JSONResponse(work.progress())


class Posts:
    """The routes that are sent something: as many wait, and as much is held of them, as there is room for."""

    def __init__(self, room: Room) -> None:
        self._bodies = Bodies(room)
        self._checking, self._finishing, self._looking = Lane(room), Lane(room), Lane(room)
        self._fetching, self._presets = Lane(room), Lane(room)

    async def finish(self, request: Request) -> Response:
        """Finish pictures, with the prompts and seeds of their own infotexts unless the request has others."""
        async with self._bodies.read(request) as body, watched(request) as client:
            with self._finishing.entered():
                # Whatever is wrong with the request is said at once, not after other generations.
                checked = await self._checking.turn(partial(_checked, body, client))
                # What waits is the pictures as they came, not their text as well.
                del body
                if isinstance(checked, Response):
                    return checked
                asked, warnings = checked
                return await self._finishing.turn(lambda: _answer(lambda: work.finish(asked, warnings, client)))

    async def plan(self, request: Request) -> Response:
        """What finishing a picture would do and cost, stage by stage. Nothing is sampled."""
        return await self._answered(request, self._looking, work.plan)

    async def detect(self, request: Request) -> Response:
        """What a detector finds in a picture."""
        return await self._answered(request, self._looking, work.detect)

    async def fetch_detector(self, request: Request) -> Response:
        """Fetch the file of a known detector into the host's folder of models; answers when it is there."""
        return await self._answered(request, self._fetching, fetched)

    async def presets(self, request: Request) -> Response:
        """Show, save, rename, lock, delete, compare, export or import presets: {"action": ..., ...}."""
        return await self._answered(request, self._presets, work.presets)

    async def _answered(
        self, request: Request, lane: Lane, act: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> Response:
        async with self._bodies.read(request) as body, watched(request) as client:
            with lane.entered():
                return await lane.turn(lambda: _answer(lambda: _with_warnings(act, body, client)))


def _checked(body: bytes, client: Client) -> tuple[requests.FinishRequest, tuple[str, ...]] | Response:
    """What a request to finish asks, and the notes on its body; or the answer that refuses it."""
    try:
        client.check()
        data, warnings = requests.json_object_noted(body)
        return work.asked_to_finish(data), warnings
    except (RequestError, HostError, DetectorError, ClientLeft) as error:
        return _refusal(error)


def _with_warnings(act: Callable[[Mapping[str, Any]], dict[str, Any]], body: bytes, client: Client) -> dict[str, Any]:
    """The answer, and what of the body counts otherwise than it may have been meant."""
    client.check()
    data, warnings = requests.json_object_noted(body)
    result = act(data)
    return {**result, "warnings": list(warnings)} if warnings else result


def _answer(act: Callable[[], dict[str, Any]]) -> Response:
    """The answer of `act`, or the reason why there is none. In a thread: the server goes on meanwhile."""
    try:
        return JSONResponse(act())
    except (RequestError, HostError, DetectorError, FetchError, ClientLeft) as error:
        return _refusal(error)


def _refusal(error: Exception) -> Response:
    if isinstance(error, ClientLeft):
        logger.info("A request was dropped: whoever sent it has left.")
        return Response(status_code=_CLIENT_LEFT)
    if isinstance(error, RequestError):
        return JSONResponse(told(error.problems), _WRONG_REQUEST)
    return JSONResponse(told([Problem("host", str(error))]), _REFUSED_BY_HOST)
