"""The host's face restoration models, GFPGAN and CodeFormer, as the core wants to know them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from modules import shared
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from lib_finisher.hosts.port import Array, HostError, OutOfMemory
from lib_finisher.hosts.webui.memory import is_out_of_memory
from lib_finisher.imaging.arrays import to_uint8

# GFPGAN draws noise from the global generator.
_SEED = 0


def names() -> tuple[str, ...]:
    """The models by their names. The host downloads what it lacks of one when it is first used."""
    return tuple(item.name() for item in shared.face_restorers)


def restore(name: str, pixels: Array) -> Array:
    """`pixels` (height, width, 3), 0..1, with its faces restored; where nothing was, they stay to the bit.

    CodeFormer's weight is the host's setting. Raises HostError and OutOfMemory.
    """
    restorer = next((item for item in shared.face_restorers if item.name() == name), None)
    if restorer is None:
        raise HostError(f"There is no face restoration {name!r} here. There is: {', '.join(names()) or 'none'}.")
    given = to_uint8(pixels)
    try:
        with _generator(), _calls(restorer) as calls:
            found = restorer.restore(given)
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"{type(error).__name__}: {error}") from error
        raise HostError(f"The face restoration {name} failed: {type(error).__name__}: {error}") from error
    # The host answers a model that it cannot load with the very array it was given, and passes over a face that fails.
    if found is given:
        raise HostError(f"The face restoration {name} could not be loaded; the host's log says why.")
    if calls.begun != calls.finished:
        raise HostError(f"The face restoration {name} failed on a face; the host's log says why.")
    if getattr(found, "shape", None) != given.shape:
        raise HostError(f"The face restoration {name} gave no picture of that size; the host's log says why.")
    change = found.astype(np.float32) - given.astype(np.float32)
    return np.clip(pixels + change / np.float32(255), 0.0, 1.0, dtype=np.float32)


class _Calls:
    """How many calls of models have begun and come to their end."""

    begun = 0
    finished = 0


@contextmanager
def _calls(restorer: Any) -> Iterator[_Calls]:
    """Count this thread's calls of models; another one may be drawing the live preview.

    Each call of the restorer's own begins with the same noise, whatever loading it has drawn.
    """
    calls, mine = _Calls(), threading.get_ident()

    def begin(module: torch.nn.Module, _: Any) -> None:
        if threading.get_ident() == mine:
            calls.begun += 1
            if module is getattr(restorer, "net", None):
                torch.manual_seed(_SEED)

    def finish(*_: Any) -> None:
        calls.finished += threading.get_ident() == mine

    hooks = register_module_forward_pre_hook(begin), register_module_forward_hook(finish)
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _generator() -> Iterator[None]:
    """The outer run goes on as if no noise had been drawn."""
    cuda = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=cuda):
        yield
