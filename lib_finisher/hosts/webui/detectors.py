"""The host's detectors: where their files lie, where they run, and fetching one for whoever asks by a route."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from modules import devices, paths_internal, shared

from lib_finisher.api.problems import Problem, RequestError, shown, unknown_keys
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.fetching import fetch
from lib_finisher.detect.known import KNOWN, find_known
from lib_finisher.hosts.webui import settings

logger = logging.getLogger(__name__)

FETCH_HERE = 'POST {{"name": "{name}"}} to /finisher/v1/detectors/fetch, or put the file into models/finisher'

_ON_CPU = frozenset({"finisher", "adetailer", "all"})
_fetching = threading.Lock()


def detectors() -> Detectors:
    """The detectors with their models, the same ones until folders, device or trusted files are set otherwise."""
    return _detectors(_folders(), _device(), settings.read().trusted_models)


def listed() -> dict[str, Any]:
    """Every detector that is here or known, as JSON data."""
    return {"detectors": [asdict(item) for item in detectors().listed()]}


def fetched(data: Mapping[str, Any]) -> dict[str, Any]:
    """Fetch the file of a known detector: its name and its entry in the list. Raises RequestError and FetchError."""
    problems = unknown_keys(data, ("name",))
    name = data.get("name")
    entry = find_known(name) if isinstance(name, str) else None
    if entry is None or not entry.is_file:
        files = ", ".join(repr(item.name) for item in KNOWN if item.fetchable)
        problems.append(Problem("name", f"{shown(name)} is not accepted; it must be one of {files}."))
    if problems or entry is None:
        raise RequestError(problems)
    # Who asks for the same file meanwhile waits, and then finds it there.
    with _fetching:
        logger.warning("Fetching %s from %s, as was asked for.", entry.name, entry.url or entry.source)
        fetch(entry, _own_folder())
    return {"name": entry.name, "detectors": listed()["detectors"]}


class Choosable:
    """What a pass's detector may be: a name, however it is spelled, or several with commas between."""

    def __contains__(self, value: object) -> bool:
        names = str(value).split(",")
        return all(name.strip() in detectors() for name in names)


@functools.lru_cache(maxsize=1)
def _detectors(folders: tuple[Path, ...], device: str, trusted: frozenset[str]) -> Detectors:
    return Detectors(folders, device, trusted, fetch_with=FETCH_HERE)


def _own_folder() -> Path:
    return Path(paths_internal.models_path) / "finisher"


def _folders() -> tuple[Path, ...]:
    """Finisher's own folder, ADetailer's, and those that ADetailer's setting adds, if it is there."""
    models = Path(paths_internal.models_path)
    more = getattr(shared.opts, "ad_extra_models_dir", "") if "ad_extra_models_dir" in shared.opts.data_labels else ""
    extra = [Path(item.strip()) for item in str(more or "").split("|") if item.strip()]
    return (_own_folder(), models / "adetailer", *extra)


def _device() -> str:
    asked = {str(item).lower() for item in getattr(shared.cmd_opts, "use_cpu", None) or ()}
    if asked & _ON_CPU or not torch.cuda.is_available():
        return "cpu"
    # Of several cards the host's own.
    return str(devices.device) if str(devices.device).startswith("cuda") else "cuda"
