"""The preview of regions in the page: looks at once, redraws in the host's queue, saves where the host saves."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from modules import call_queue, images, paths_internal, progress, shared
from PIL import Image

from lib_finisher.api import regions, requests
from lib_finisher.api.cross_site import refusal
from lib_finisher.api.pictures import Upload
from lib_finisher.api.problems import RequestError
from lib_finisher.detect.detection import DetectorError
from lib_finisher.detect.fetching import FetchError
from lib_finisher.events import Control, Meter
from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.webui import access, offered, route_work, speed
from lib_finisher.hosts.webui.control import HostControl, Job, show
from lib_finisher.hosts.webui.costs import planned
from lib_finisher.hosts.webui.detectors import detectors, fetched, listed
from lib_finisher.hosts.webui.finish_only import with_alpha
from lib_finisher.hosts.webui.host import WebuiHost
from lib_finisher.hosts.webui.outer import first_sampler, on_the_hosts_thread, outer, styled, told_fields
from lib_finisher.hosts.webui.presets import answer_to_the_page, reading_of_the_page
from lib_finisher.imaging.arrays import to_uint8
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.presets.errors import PresetError
from lib_finisher.review.regions import look, only_pass
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.store.recent import Recent, RecentPatches
from lib_finisher.ui.regions import Service
from lib_finisher.ui.table import page_table

logger = logging.getLogger(__name__)

_MIB = 1 << 20


@dataclass(frozen=True)
class _Kept:
    """What is remembered of the latest requests, whoever made them; the keys follow from the pictures themselves."""

    pictures: Recent[str] = field(default_factory=lambda: Recent(256 * _MIB))
    patches: RecentPatches = field(default_factory=lambda: RecentPatches(512 * _MIB))
    stopped: Recent[bool] = field(default_factory=lambda: Recent(64))


@functools.cache
def _kept() -> _Kept:
    return _Kept()


def service(tab: str) -> Service:
    """Who answers the panel of one tab."""

    def drawn(task: str, text: str) -> tuple[str, str]:
        return on_the_hosts_thread(_draw, task, text)

    def saved(text: str) -> str:
        return _answered(text, functools.partial(_saved, tab))

    drawing = call_queue.wrap_gradio_gpu_call(drawn, extra_outputs=[""])
    return Service(_table, _look, drawing, saved, _stop, _catalogue, _plan, _presets, _refused)


def _table(text: str) -> str:
    """The table of controls, with what this host has for them now."""
    return _answered(text, lambda asked: {"id": regions.identity_of(asked), **page_table(offered.for_the_page())})


def _refused(text: str, request: Any) -> str:
    """The answer to what another web page has a browser press; "" for the page itself and for programs."""
    if request is None:
        why = "Whose page asks is not known, so nothing was changed."
    else:
        found = refusal(request.headers, access.address(shared.cmd_opts, access.port_of(request)))
        if found is None:
            return ""
        why = found[1].text
    return regions.as_text(regions.problems_json(regions.identity_of(text), [why]))


def _catalogue(text: str) -> str:
    """The detectors, after fetching the one that is named, if one is."""

    def told(asked: str) -> dict[str, Any]:
        name = requests.json_object(asked.encode()).get("name")
        return {"id": regions.identity_of(asked), **(fetched({"name": name}) if name else listed())}

    return _answered(text, told)


def _plan(text: str) -> str:
    """What finishing a picture of a size would cost."""
    return _answered(
        text, lambda asked: {"id": regions.identity_of(asked), **planned(requests.json_object(asked.encode()))}
    )


def _presets(text: str) -> str:
    """What is asked about presets."""

    def told(asked: str) -> dict[str, Any]:
        data = requests.json_object(asked.encode())
        return {"id": regions.identity_of(asked), **answer_to_the_page(data)}

    return _answered(text, told)


def _look(text: str) -> str:
    """What the chosen pass would do. Nothing is sampled, so nobody waits for a generation that runs."""
    return _answered(text, _seen)


def _draw(task: str, text: str) -> tuple[str, str]:
    """The chosen pass on the picture; the host's queue is ours meanwhile. The second text is for the host's remarks."""
    if _kept().stopped.get(task):
        return regions.as_text(
            regions.problems_json(regions.identity_of(text), ["It was stopped before it began."])
        ), ""
    return _answered(text, _drawn), ""


def _stop(task: str) -> None:
    """End a task of this panel, also one that still waits, and no other's."""
    _kept().stopped.put(task, True)
    if progress.current_task == task:
        shared.state.interrupt()


def _answered(text: str, act: Callable[[str], dict[str, Any]]) -> str:
    """The answer of `act` as JSON, or in words why there is none."""
    identity = regions.identity_of(text)
    try:
        return regions.as_text(act(text))
    except regions.ForgottenError:
        return regions.as_text(regions.forgotten_json(identity))
    except RequestError as error:
        problems = [f"{item.field}: {item.text}" for item in error.problems]
    except (HostError, DetectorError, FetchError, PresetError, OSError) as error:
        problems = [str(error)]
    # Whatever it is, the page is told, and the log has the traceback.
    except Exception as error:
        logger.exception("The regions could not be shown.")
        problems = [f"{type(error).__name__}: {error}"]
    return regions.as_text(regions.problems_json(identity, problems))


def _seen(text: str) -> dict[str, Any]:
    asked = _asked(text)
    with closing(outer()) as plain:
        tools = Tools(WebuiHost(plain), detectors().detect, Meter(Control()))
        return regions.regions_json(asked, look(asked.picture.pixels, _base(asked), asked.recipe, asked.number, tools))


def _drawn(text: str) -> dict[str, Any]:
    asked = _asked(text)
    work = Work(asked.picture.pixels, _base(asked), alpha=asked.picture.alpha)
    with closing(outer()) as plain, torch.no_grad():
        host = WebuiHost(plain)
        find = detectors().detect
        control = HostControl(last=True)
        tools = Tools(host, find, Meter(control))
        try:
            seen = look(work.pixels, work.base, asked.recipe, asked.number, tools)
            recipe = only_pass(asked.recipe, asked.number)
            pipeline = Pipeline(
                host,
                find,
                recipe,
                None,
                show,
                control,
                patches=_kept().patches,
                free_detectors=detectors().free,
                rates=speed.rates(),
            )
            with Job(make_plan(work, recipe, tools).total.host_calls):
                (done,) = pipeline.run([work])
        finally:
            host.close()
            shared.total_tqdm.clear()
    return regions.redrawn_json(asked, seen, done, work.base, recipe, host.model().family)


def _saved(tab: str, text: str) -> dict[str, Any]:
    """Save a finished picture as the host saves those of the tab, and say where."""
    data = requests.json_object(text.encode("utf-8", "surrogatepass"))
    upload = Upload(data.get("picture"), "picture")
    if upload.size.megapixels > route_work.LIMITS.megapixels:
        raise HostError(
            f"{upload.size.megapixels:.1f} megapixels are too many; at most {route_work.LIMITS.megapixels:g}."
        )
    picture = upload.picture()
    told, _ = told_fields(picture)
    options = shared.opts
    folder = options.outdir_samples or getattr(options, f"outdir_{tab}_samples")
    image = with_alpha(Image.fromarray(to_uint8(picture.pixels)), picture.alpha)
    file, _ = images.save_image(
        image, folder, "", told.get("seed", 0), told.get("prompt", ""),
        options.samples_format, info=picture.infotext or None, suffix="-finisher",
    )  # fmt: skip
    return {"id": regions.identity_of(text), "saved": _shown(Path(file))}


def _asked(text: str) -> regions.RegionsRequest:
    return regions.read_regions(text, reading_of_the_page, offered.offer(), route_work.LIMITS, _kept().pictures)


def _base(asked: regions.RegionsRequest) -> Base:
    own, _ = told_fields(asked.picture)
    return asked.base_of(own, styled(dict(asked.fields), list(asked.styles)), *first_sampler())


def _shown(file: Path) -> str:
    """A path as the host's own page shows it: below its data folder where it lies there."""
    whole, home = file.resolve(), Path(paths_internal.data_path).resolve()
    return str(whole.relative_to(home)) if whole.is_relative_to(home) else str(whole)
