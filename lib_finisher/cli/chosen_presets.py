"""The presets that a call chooses, and what comes of them here."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib_finisher.cli.console import warn
from lib_finisher.controls import SettingsError
from lib_finisher.detect.listing import Listed
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.missing import Here, with_what_is_here
from lib_finisher.presets.resolve import Resolved, read_choice
from lib_finisher.recipe import Recipe, recorded

if TYPE_CHECKING:
    from lib_finisher.hosts.port import Host


def presets_folder() -> Path:
    """Where the command line keeps presets."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "finisher" / "presets"


def with_presets(options: argparse.Namespace, data: Mapping[str, Any], family: str) -> Mapping[str, Any]:
    """Recipe data laid over the presets that the call names; the data itself where it names none."""
    if not options.preset:
        return data
    found = _chosen(options, data, family)
    for note in found.notes:
        warn(f"finisher: {note}")
    return recorded(found.recipe, family)


def here_of(host: Host, listed: Sequence[Listed]) -> Here:
    """The names of what the engine has, by the controls that take them."""
    upscalers = [item.name for item in host.upscalers()]
    return {
        "upscaler": [*upscalers, *host.capabilities.latent_upscalers],
        "enlarger": upscalers,
        "detector": [item.name for item in listed if item.present],
        "sampler": host.capabilities.samplers,
        "scheduler": host.capabilities.schedulers,
        "restore": host.face_restorers(),
    }


def at_hand(options: argparse.Namespace, recipe: Recipe, host: Host, here: Here) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with models of presets that are not here replaced, and a line for each; as it is without presets."""
    if not options.preset:
        return recipe, ()
    found = _chosen(options, None, host.model().family)
    recipe, notes = with_what_is_here(recipe, here, found.instead)
    for note in notes:
        warn(f"finisher: {note}")
    return recipe, notes


def _chosen(options: argparse.Namespace, data: Mapping[str, Any] | None, family: str) -> Resolved:
    choice = read_choice(options.preset)
    try:
        return Library(options.presets or presets_folder()).resolve(Checkpoint("", family=family), data, choice)
    except PresetError as error:
        raise SettingsError([str(error)]) from error
