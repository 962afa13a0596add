"""A stage's checkpoint, VAE or text encoders that do not load, and what the host is left with."""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules import devices, shared

from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.webui import probe
from lib_finisher.model_header import HeaderError, read_header

logger = logging.getLogger(__name__)

# What the settings that choose a model are called to people.
_NAMES = {"sd_model_checkpoint": "checkpoint", "sd_vae": "VAE", "forge_additional_modules": "modules"}


class NotLoaded(HostError):
    """The model that a stage asked for could not be loaded; the user's own is there again. `short_of_memory` says that
    there was no room for it."""

    def __init__(self, message: str, short_of_memory: bool = False) -> None:
        super().__init__(message)
        self.short_of_memory = short_of_memory


def may_be_why(options: Mapping[str, Any]) -> bool:
    """Whether a nested call with these settings that failed before its `init` failed to load a model."""
    return any(key in options for key in _NAMES) or getattr(shared.sd_model, "sd_checkpoint_info", None) is None


def first_of(error: BaseException | None) -> BaseException | None:
    """The error that came first: a host that puts its VAE back without a model raises another over it."""
    while error is not None and error.__cause__ is None and error.__context__ and not error.__suppress_context__:
        error = error.__context__
    return error


def problem(options: Mapping[str, Any], error: BaseException | None, short_of_memory: bool) -> str:
    """What could not be loaded and why, for people."""
    chosen = [f"{name} {_written(options[key])}" for key, name in _NAMES.items() if _is_named(options.get(key))]
    model = " with the ".join(chosen) or "checkpoint"
    reason = f"{type(error).__name__}: {error}".rstrip(": ").splitlines()[0]
    if short_of_memory:
        advice = "There was no memory for it: choose a smaller one, or close what else uses the memory."
    else:
        advice = _damage(options) or "Choose another, or replace its file."
    return f"The {model} could not be loaded ({reason}). {advice}"


def _is_named(value: Any) -> bool:
    # A word for "the checkpoint's own" is no file.
    return bool(value) and value not in probe.VAE_WORDS


def _damage(options: Mapping[str, Any]) -> str:
    """What is wrong with the checkpoint's file, by its own header; "" where nothing."""
    name = str(options.get("sd_model_checkpoint", ""))
    if not name.lower().endswith((".safetensors", ".gguf")):
        return ""
    file = Path(probe.checkpoint_info(name).filename)
    moved = file.with_name(f"{file.name}.corrupted")
    if not file.exists() and moved.exists():
        return f"The host found the file damaged and renamed it {moved.name}: download it again."
    try:
        read_header(file)
    except HeaderError as error:
        return str(error)
    return ""


def load_again() -> str:
    """Load the user's own model after a failed load; "" or why that failed too.

    To be called when the error is gone: its traceback keeps what the failed load had taken.
    """
    gc.collect()
    devices.torch_gc()
    try:
        probe.load_from_file()
    # Whatever a host's loader raises, the base picture is still to be handed over.
    except Exception as error:
        logger.exception("The chosen checkpoint could not be loaded again.")
        return f"{type(error).__name__}: {error}"
    return ""


def _written(value: Any) -> str:
    names = value if isinstance(value, (list, tuple)) else [value]
    return ", ".join(Path(str(name)).name for name in names)
