"""What finishing a picture of a size would cost on this host, before it is there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np

from lib_finisher.api import answers
from lib_finisher.api.problems import Problem, RequestError, shown, unknown_keys
from lib_finisher.controls import SettingsError
from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.events import Control, Meter
from lib_finisher.hosts.webui import speed
from lib_finisher.hosts.webui.host import WebuiHost
from lib_finisher.hosts.webui.outer import outer
from lib_finisher.hosts.webui.presets import reading_of_the_page
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.plan.plan import make_plan
from lib_finisher.stages.stage import Base, Tools, Work

_SIDES = range(8, 16385)
_MOST_STEPS = 1000


def planned(data: Mapping[str, Any]) -> dict[str, Any]:
    """The plan for a picture that is not there yet: {"recipe": ..., "size": [width, height], "steps": ...}.

    What detectors would find in it nobody knows, so detail is left out. Raises RequestError and HostError.
    """
    problems = unknown_keys(data, ("id", "recipe", "size", "steps"))
    size, steps = data.get("size"), data.get("steps", Base().steps)
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and side in _SIDES for side in size)):
        problems.append(Problem("size", f"{shown(size)} is not accepted; it must be [width, height] in pixels."))
    if type(steps) is not int or not 1 <= steps <= _MOST_STEPS:
        problems.append(Problem("steps", f"{shown(steps)} is not accepted; it must be from 1 to {_MOST_STEPS}."))
    if problems:
        raise RequestError(problems)
    try:
        recipe = reading_of_the_page(data.get("recipe", {}))
    except SettingsError as error:
        raise RequestError([Problem("recipe", text) for text in error.problems]) from error
    width, height = data["size"]
    # Only its size is looked at: all pixels are one, and take no memory.
    blank = np.broadcast_to(np.float32(0.5), (height, width, 3))
    with closing(outer()) as plain:
        host = WebuiHost(plain)
        plan = make_plan(Work(blank, Base(steps=steps)), recipe, Tools(host, _nothing, Meter(Control())))
        return answers.plan_json(plan, Work(blank).size, speed.seconds(host, plan))


def _nothing(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
    return []
