"""What a nested call would leave behind in the host, put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from modules import paths_internal, sd_vae, shared

from lib_finisher.hosts.webui import probe

_PASSING = ("job", "textinfo", "sampling_step", "sampling_steps")


@contextmanager
def undisturbed(options: Mapping[str, Any]) -> Iterator[Callable[[], None]]:
    """Around one nested call with these overridden settings.

    "Stop after the current picture" is held back until the host's loop has looked at it, so that the picture in hand is
    finished; then what this yields is to be called, and it holds again: a second press becomes Interrupt only where it
    finds the first. Interrupt and Skip are left as they are.
    """
    state = shared.state
    passing = {name: getattr(state, name) for name in _PASSING}
    stopping, state.stopping_generation = state.stopping_generation, False

    def hold_again() -> None:
        state.stopping_generation = state.stopping_generation or stopping

    with _prompt_file(), _options(options), _generators(), _remarks():
        try:
            yield hold_again
        finally:
            for name, value in passing.items():
                setattr(state, name, value)
            hold_again()


@contextmanager
def _prompt_file() -> Iterator[None]:
    """params.txt belongs to the picture that the user asked for."""
    file = Path(paths_internal.data_path) / "params.txt"
    before = file.read_bytes() if file.is_file() else None
    try:
        yield
    finally:
        if before is None:
            file.unlink(missing_ok=True)
        elif not file.is_file() or file.read_bytes() != before:
            file.write_bytes(before)


@contextmanager
def _options(options: Mapping[str, Any]) -> Iterator[None]:
    """The host restores only those overridden settings that its configuration file already names, and where a model
    did not load A1111 stops even with these, at the VAE."""
    unnamed = [key for key in options if key not in shared.opts.data]
    named = {key: shared.opts.data[key] for key in options if key not in unnamed}
    try:
        yield
    finally:
        shared.opts.data.update(named)
        for key in unnamed:
            shared.opts.data.pop(key, None)
        # Without a model there is nothing to give it to; the next load takes it.
        if "sd_vae" in unnamed and not probe.has_forge_loader() and shared.sd_model is not None:
            sd_vae.reload_vae_weights()
        if {"forge_additional_modules", "sd_model_checkpoint"} & set(unnamed):
            probe.reload_modules()


@contextmanager
def _remarks() -> Iterator[None]:
    """What the model's parts had to say belongs to the outer picture's infotext."""
    holders = [item for item in probe.remark_holders() if hasattr(item, "comments")]
    before = [(item, item.comments, getattr(item, "extra_generation_params", {})) for item in holders]
    try:
        yield
    finally:
        for item, comments, parameters in before:
            item.comments, item.extra_generation_params = comments, parameters


@contextmanager
def _generators() -> Iterator[None]:
    """Nested calls seed torch's global generator; the outer run goes on as if they had not."""
    cuda = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=cuda):
        yield
