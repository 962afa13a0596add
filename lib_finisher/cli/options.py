"""The options that several commands share, and the recipe that a call asks for."""

from __future__ import annotations

import argparse
import os
import random
from pathlib import Path
from typing import Any

from lib_finisher.cli import chosen_presets, detectors
from lib_finisher.cli.console import warn
from lib_finisher.controls import SettingsError, refusal
from lib_finisher.infotext.fields import MOST_DRAWN, RANDOM_SEED, ROWS
from lib_finisher.json_text import read_json
from lib_finisher.plain_files import read_file
from lib_finisher.recipe import SCHEMA, VERSION, Recipe, assign, default_recipe, read_recipe
from lib_finisher.stages.upscale_targets import scaled_to

# A preset is at most some kilobytes, an export of all of them some megabytes.
_MOST_BYTES = 64 << 20


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command that works on pictures."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="a picture or a folder of pictures")
    parser.add_argument("--recursive", action="store_true", help="look into sub-folders too, and keep their structure")
    add_recipe_options(parser)
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="white marks what repair redraws; with --set base.mask=restrict, what the stages may change",
    )
    parser.add_argument(
        "--seed", type=_seed, default=None, metavar="N",
        help="seed of all noise and grain; -1 draws one (default: the one in the picture's infotext, else 0)",
    )  # fmt: skip
    parser.add_argument("--models", type=Path, default=None, metavar="DIR", help="folder of upscaler model files")
    parser.add_argument(
        "--luts", type=Path, default=None, metavar="DIR", help="folder of .cube files and HaldCLUTs for grade.lut"
    )
    parser.add_argument(
        "--references", type=Path, default=None, metavar="DIR", help="folder of pictures for grade.match_reference"
    )
    detectors.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print a report for programs instead of a table")


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command that has a recipe."""
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe as JSON; what it leaves out has defaults")
    parser.add_argument(
        "--set", action="append", default=[], metavar="STAGE.CONTROL=VALUE", help="set one control; may be repeated"
    )
    chosen_presets.add_options(parser)
    parser.add_argument("--upscale-to", type=float, metavar="FACTOR", help="how many times larger the result is")


def _seed(text: str) -> int:
    """A seed by the rule of the API's. Raises ArgumentTypeError."""
    try:
        wrong = refusal(ROWS["seed"], int(text))
    except ValueError:
        wrong = f"{text[:40]!r} is no whole number"
    if wrong:
        raise argparse.ArgumentTypeError(wrong)
    return random.randrange(MOST_DRAWN) if int(text) == RANDOM_SEED else int(text)


def recipe_of(options: argparse.Namespace, family: str = "") -> Recipe:
    """The recipe of the call: --recipe, then --preset below it, --set and --upscale-to above. Raises SettingsError."""
    data = chosen_presets.with_presets(options, _recipe_data(options.recipe), family)
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


def cache_folder() -> Path:
    """Where stage results, models and what was learned are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "finisher"
