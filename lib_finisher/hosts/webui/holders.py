"""Whose code stands in the model: found by the files that its functions come from."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

from modules import paths_internal, script_callbacks, sd_samplers, sd_samplers_common, shared

_CALLED = (FunctionType, MethodType, functools.partial)
_SAMPLING = ("cfg_denoiser", "cfg_denoised", "cfg_after_cfg", "extra_noise")


def holds(script: Any, files: set[str]) -> bool:
    """Whether one of these files belongs to the script's extension; to the script alone where it is the host's own."""
    own = Path(script.filename).resolve()
    folder = own.parent.parent
    if folder == Path(paths_internal.script_path).resolve() or own.parent.name != "scripts":
        return str(own) in files
    return any(Path(file).is_relative_to(folder) for file in files)


def files_at_work() -> set[str]:
    """The files of all code that a sampling goes through: the functions that stand on the parts of the loaded model and
    in its hooks, the model's and the host's samplers' own, and what is called at each step."""
    functions = (*_on_the_model(), *_in_the_samplers(), *_at_each_step())
    return {str(Path(file).resolve()) for file in {_file_of(function) for function in functions} - {""}}


def _on_the_model() -> Iterator[Any]:
    model = shared.sd_model
    parts = model.modules() if hasattr(model, "modules") else ()
    classes: set[type] = set()
    for part in parts:
        classes.update(type(part).__mro__)
        for value in vars(part).values():
            if isinstance(value, _CALLED):
                yield value
            elif isinstance(value, dict) and value:
                # torch keeps a module's hooks in dictionaries.
                yield from (item for item in value.values() if callable(item))
    for cls in classes:
        yield from (value for value in vars(cls).values() if isinstance(value, _CALLED))


def _in_the_samplers() -> Iterator[Any]:
    for module in (sd_samplers, sd_samplers_common):
        yield from (value for value in vars(module).values() if isinstance(value, _CALLED))


def _at_each_step() -> Iterator[Any]:
    for name in _SAMPLING:
        yield from (item.callback for item in script_callbacks.callback_map.get(f"callbacks_{name}", ()))


def _file_of(function: Any) -> str:
    """The file of the code that a call runs, "" where it has none."""
    while isinstance(function, (functools.partial, MethodType)):
        function = function.func if isinstance(function, functools.partial) else function.__func__
    if not hasattr(function, "__code__"):
        # An object that is called has its code in its class.
        function = next((vars(cls)["__call__"] for cls in type(function).__mro__ if "__call__" in vars(cls)), None)
    code = getattr(function, "__code__", None)
    return str(code.co_filename) if code is not None else ""
