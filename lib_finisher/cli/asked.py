"""The recipe that a call asks for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib_finisher.cli.console import warn
from lib_finisher.controls import SettingsError
from lib_finisher.json_text import read_json
from lib_finisher.plain_files import read_file
from lib_finisher.recipe import SCHEMA, VERSION, Recipe, assign, default_recipe, read_recipe
from lib_finisher.stages.upscale_settings import scaled_to

# A preset is at most some kilobytes, an export of all of them some megabytes.
_MOST_BYTES = 64 << 20


def recipe_of(options: argparse.Namespace, family: str = "") -> Recipe:
    """The recipe of the call: --recipe, then --preset below it, --set and --upscale-to above. Raises SettingsError."""
    data: Mapping[str, Any] = _recipe_data(options.recipe)
    if options.preset:
        # Presets are only read where one is named.
        from lib_finisher.cli.chosen_presets import with_presets

        data = with_presets(options, data, family)
    recipe = read_recipe(assign(data, options.set), family)
    if options.upscale_to is None:
        return recipe
    if not 1.0 <= options.upscale_to <= 16.0:
        raise SettingsError([f"--upscale-to: {options.upscale_to:g} is not accepted; it must be from 1 to 16."])
    return recipe.changed("upscale", scaled_to(recipe["upscale"], options.upscale_to))


def asked_by_hand(options: argparse.Namespace, family: str = "") -> Recipe:
    """What --recipe and --set alone say, the defaults where they build on what a preset says."""
    try:
        return read_recipe(assign(_recipe_data(options.recipe), options.set), family)
    except SettingsError:
        return default_recipe(family)


def _recipe_data(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {VERSION: SCHEMA}
    try:
        text = read_file(file, _MOST_BYTES)
        data, notes = read_json(text)
    except OSError as error:
        raise SettingsError([f"{file}: cannot be read ({error.strerror or error})."]) from error
    except ValueError as error:
        raise SettingsError([f"{file}: not valid JSON ({error})."]) from error
    if not isinstance(data, dict):
        raise SettingsError([f"{file}: a recipe is an object of stages."])
    for note in notes:
        warn(f"finisher: {file}: {note}")
    return data
