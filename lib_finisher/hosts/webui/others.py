"""Other extensions that hold on to the model from `process` to `postprocess` (ControlNet on A1111, say).

What they do there is meant for the base picture, and fails at any other size: they let go while Finisher works, as they
do for ADetailer. The Forge family takes such changes back by itself.
"""

from __future__ import annotations

import copy
import logging
from typing import Any

from modules import scripts
from modules.processing import Processed

from lib_finisher.hosts.webui import probe

logger = logging.getLogger(__name__)


def let_go(p: Any) -> None:
    """Have them take their hands off the model."""
    for script in _holders(p):
        _call(script, "postprocess", p, Processed(p, [], p.seed, ""))


def take_hold(p: Any) -> None:
    """Have them prepare the next iteration of the same run."""
    for name in ("before_process", "process"):
        for script in _holders(p):
            _call(script, name, p)


def _holders(p: Any) -> list[Any]:
    if probe.is_forge_family() or p.scripts is None:
        return []
    return [
        script
        for script in p.scripts.alwayson_scripts
        if script.title() != "Finisher"
        and all(probe.overrides(script, scripts.Script, hook) for hook in ("process", "postprocess"))
    ]


def _call(script: Any, hook: str, p: Any, *more: Any) -> None:
    # On a copy: what they note there was noted before.
    aside = copy.copy(p)
    aside.extra_generation_params = dict(p.extra_generation_params)
    aside.comments = dict(p.comments or {})
    try:
        getattr(script, hook)(aside, *more, *p.script_args[script.args_from : script.args_to])
    # As the host does: another extension's fault is logged, and the rest goes on.
    except Exception:
        logger.exception("%s failed in %s.", script.filename, hook)
