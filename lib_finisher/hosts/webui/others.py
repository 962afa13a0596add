"""Other extensions that hold on to the model from `process` to `postprocess` (ControlNet on A1111, say).

What they do there is meant for the base picture, and fails at any other size: they let go while Finisher works, as they
do for ADetailer. After the last picture of each batch they take hold again, so that the end of the generation finds
them as without Finisher: what they add to the gallery there (ControlNet its detected maps) is not lost. Whoever does
not hold the model is left alone: his message would go out twice. The Forge family takes such changes back by itself.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from modules import scripts
from modules.processing import Processed

from lib_finisher.hosts.webui import holders, probe

logger = logging.getLogger(__name__)


def let_go(p: Any) -> list[Any]:
    """Have those who hold the model take their hands off it; they are to take hold again afterwards."""
    held = _holders(p)
    for script in held:
        # What it forgets now it will need again: ControlNet its reference picture's latents, drawn but once a run.
        with _as_it_was(p, set(vars(p))):
            _call(script, "postprocess", p, Processed(p, [], p.seed, ""))
    return held


def take_hold(p: Any, held: Sequence[Any]) -> None:
    """Have them prepare what follows in the same run: the next iteration, or its end."""
    # What it keeps on the object for itself it will look for at the end; the picture's own it had changed before.
    own = {field.name for field in dataclasses.fields(p)} & set(vars(p))
    for name in ("before_process", "process"):
        for script in held:
            with _as_it_was(p, own):
                _call(script, name, p)


def _holders(p: Any) -> list[Any]:
    if probe.is_forge_family() or p.scripts is None:
        return []
    able = [
        script
        for script in p.scripts.alwayson_scripts
        if script.title() != "Finisher"
        and all(probe.overrides(script, scripts.Script, hook) for hook in ("process", "postprocess"))
    ]
    files = holders.files_at_work() if able else set()
    return [script for script in able if holders.holds(script, files)]


def _call(script: Any, hook: str, p: Any, *more: Any) -> None:
    try:
        getattr(script, hook)(p, *more, *p.script_args[script.args_from : script.args_to])
    # As the host does: another extension's fault is logged, and the rest goes on.
    except Exception:
        logger.exception("%s failed in %s.", script.filename, hook)


@contextmanager
def _as_it_was(p: Any, names: Collection[str]) -> Iterator[None]:
    """Around something that may change these attributes, their lists and dictionaries included."""
    before = {name: vars(p)[name] for name in names}
    contents = {name: copy.copy(value) for name, value in before.items() if isinstance(value, (list, dict))}
    try:
        yield
    finally:
        # Past the setters, which would do more than put back.
        vars(p).update(before)
        for name, content in contents.items():
            if isinstance(content, list):
                before[name][:] = content
            else:
                before[name].clear()
                before[name].update(content)
