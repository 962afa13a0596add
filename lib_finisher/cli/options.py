"""The options that several commands share; nothing is imported here that only the commands need."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

DETECTORS = "List the detectors that are here or known, or fetch one."
PRESETS = "List, show, resolve, save, import, export and compare presets."
"""What the commands with commands of their own are for."""
FOLDER_HELP = "folder of detectors' model files, .pt and .onnx"
_TRUST_HELP = (
    "let the model file with this sha256 run code of its own when it is loaded; only for a file whose maker you trust "
    "as you would trust a program; may be repeated"
)


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
    _add_detector_options(parser)
    parser.add_argument("--json", action="store_true", help="print a report for programs instead of a table")


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command that has a recipe."""
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe as JSON; what it leaves out has defaults")
    parser.add_argument(
        "--set", action="append", default=[], metavar="STAGE.CONTROL=VALUE", help="set one control; may be repeated"
    )
    _add_preset_options(parser)
    parser.add_argument("--upscale-to", type=float, metavar="FACTOR", help="how many times larger the result is")


def _add_detector_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detectors", type=Path, default=None, metavar="DIR", help=FOLDER_HELP)
    parser.add_argument("--trust-model", action="append", default=[], metavar="SHA256", help=_TRUST_HELP)


def _add_preset_options(parser: argparse.ArgumentParser) -> None:
    told = 'use a preset, or "auto" for what the model gets by itself; may be repeated, the last lies on top'
    parser.add_argument("--preset", action="append", default=[], metavar="NAME", help=told)
    parser.add_argument("--presets", type=Path, default=None, metavar="DIR", help="folder of presets")


def _seed(text: str) -> int:
    """A seed by the rule of the API's. Raises ArgumentTypeError."""
    import random

    from lib_finisher.controls import refusal
    from lib_finisher.infotext.fields import MOST_DRAWN, RANDOM_SEED, ROWS

    try:
        wrong = refusal(ROWS["seed"], int(text))
    except ValueError:
        wrong = f"{text[:40]!r} is no whole number"
    if wrong:
        raise argparse.ArgumentTypeError(wrong)
    return random.randrange(MOST_DRAWN) if int(text) == RANDOM_SEED else int(text)


def cache_folder() -> Path:
    """Where stage results, models and what was learned are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "finisher"
