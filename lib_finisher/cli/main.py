"""The command line: finish pictures, show what a run would do, print a recipe to start from."""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lib_finisher import __version__
from lib_finisher.cli.console import give_up, program, warn
from lib_finisher.cli.finish_options import add_finish_options
from lib_finisher.cli.options import DETECTORS, PRESETS, add_recipe_options, add_run_options
from lib_finisher.cli.status import INTERRUPTED, NOT_USABLE

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
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(words).parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="finisher: %(message)s", stream=sys.stderr)
    try:
        return int(options.command(options))
    except (ValueError, RuntimeError) as error:
        if not _in_words(error):
            raise
        warn(f"finisher: {error}")
        return NOT_USABLE
    except KeyboardInterrupt:
        warn("finisher: stopped")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough, as `head` has; the flush at exit must not fail again.
        give_up(sys.stdout)
        return INTERRUPTED


def _in_words(error: Exception) -> bool:
    """Whether what is wrong is told for people: with the call, with a model's file, or what the engine could not do."""
    from lib_finisher.controls import SettingsError
    from lib_finisher.hosts.port import HostError
    from lib_finisher.model_header import HeaderError

    return isinstance(error, (SettingsError, HeaderError, HostError))


def _later(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """A command that is imported when it is run: help, and what works on no picture, must not wait for the others."""

    def run(options: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(f"lib_finisher.cli.{module}"), name)(options))

    return run


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for those words. What only a command with commands of its own needs is left out where it is not among
    them."""
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
    finish.set_defaults(command=_later("finish", "finish"))

    plan = commands.add_parser("plan", help="show what a run would do and cost, without running it")
    add_run_options(plan)
    plan.set_defaults(command=_later("plan", "show_plan"))

    recipe = commands.add_parser("recipe", help="print a whole recipe as JSON, to start from")
    add_recipe_options(recipe)
    recipe.add_argument(
        "--for", dest="checkpoint", type=Path, metavar="FILE", help="a checkpoint: its family's defaults"
    )
    recipe.set_defaults(command=_later("show", "show_recipe"))

    family = commands.add_parser("family", help="tell a checkpoint's model family from its header")
    family.add_argument("checkpoints", nargs="+", type=Path, metavar="FILE", help="a .safetensors or .gguf file")
    family.set_defaults(command=_later("show", "show_family"))
    for name, about in (("detectors", DETECTORS), ("presets", PRESETS)):
        if name in words:
            importlib.import_module(f"lib_finisher.cli.{name}").add_command(commands)
        else:
            commands.add_parser(name, help=about[0].lower() + about[1:-1])
    return parser
