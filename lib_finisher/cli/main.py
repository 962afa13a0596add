"""The command line: finish pictures, show what a run would do, print a recipe to start from."""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lib_finisher import __version__
from lib_finisher.cli import detectors, presets
from lib_finisher.cli.console import give_up, program, warn
from lib_finisher.cli.finish import add_options as add_finish_options
from lib_finisher.cli.finish import finish as finish_pictures
from lib_finisher.cli.options import add_recipe_options, add_run_options, cache_folder
from lib_finisher.cli.plan import show_plan
from lib_finisher.cli.show import show_family, show_recipe
from lib_finisher.cli.status import INTERRUPTED, NOT_USABLE
from lib_finisher.controls import SettingsError
from lib_finisher.hosts.port import HostError
from lib_finisher.model_header import HeaderError

_DESCRIPTION = """\
Finisher turns a draft into a finished picture, always in this order:

  refine → extend → repair → detail → upscale → texture → grade

Stages are switched on and off and set by controls, never reordered."""

_EXAMPLES = """\
examples:
  {program} finish portrait.png --out finished
  {program} finish drafts/ --out finished --upscale-to 3 --set refine.enabled=false
  {program} finish a.png --out finished --set grade.grain=0 --set detail.1.confidence=0.5
  {program} plan portrait.png --upscale-to 4
  {program} detectors               then:  detectors fetch hand_yolov8n
  {program} recipe > mine.json      then edit it, and:  finish a.png --recipe mine.json --out finished

Results are named after their source; an existing file is never replaced unless --overwrite is given.
A second run over the same pictures finishes only what is new or is to be finished otherwise.
Stage results are kept in a cache: a second run with only the grade changed redoes only the grade.
Ctrl-C stops and keeps the last complete stage of each picture; a second Ctrl-C stops at once.
Exit status: 0 all finished, 1 some failed (they are named) or with --strict something was left out,
2 the call cannot be carried out, 130 interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # Not every console can show every character of a file's name or of a table.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="finisher: %(message)s", stream=sys.stderr)
    try:
        return int(options.command(options))
    except (SettingsError, HostError, HeaderError) as error:
        warn(f"finisher: {error}")
        return NOT_USABLE
    except KeyboardInterrupt:
        warn("finisher: stopped")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough, as `head` has; the flush at exit must not fail again.
        give_up(sys.stdout)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program(),
        description=_DESCRIPTION,
        epilog=_EXAMPLES.replace("{program}", program()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"Finisher {__version__}")
    names = "{finish,plan,recipe,family,detectors,presets}"
    commands = parser.add_subparsers(title="commands", required=True, metavar=names)

    finish = commands.add_parser(
        "finish", help="finish pictures", description="Finish pictures, or all pictures of a folder.",
        epilog=_EXAMPLES.replace("{program}", program()), formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_finish_options(finish)
    finish.set_defaults(command=finish_pictures)

    plan = commands.add_parser("plan", help="show what a run would do and cost, without running it")
    add_run_options(plan)
    plan.set_defaults(command=show_plan)

    recipe = commands.add_parser("recipe", help="print a whole recipe as JSON, to start from")
    add_recipe_options(recipe)
    recipe.add_argument(
        "--for", dest="checkpoint", type=Path, metavar="FILE", help="a checkpoint: its family's defaults"
    )
    recipe.set_defaults(command=show_recipe)

    family = commands.add_parser("family", help="tell a checkpoint's model family from its header")
    family.add_argument("checkpoints", nargs="+", type=Path, metavar="FILE", help="a .safetensors or .gguf file")
    family.set_defaults(command=show_family)
    detectors.add_command(commands, cache_folder)
    presets.add_command(commands)
    return parser
