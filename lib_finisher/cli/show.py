"""The commands "recipe" and "family"."""

from __future__ import annotations

import argparse
import json

from lib_finisher.cli.console import tell, warn
from lib_finisher.cli.options import recipe_of
from lib_finisher.cli.status import FINISHED, SOME_FAILED
from lib_finisher.family import detect
from lib_finisher.model_header import HeaderError
from lib_finisher.recipe import write_recipe


def show_recipe(options: argparse.Namespace) -> int:
    """The command "recipe"; the exit status."""
    family = detect(options.checkpoint).family.value if options.checkpoint is not None else ""
    tell(json.dumps(write_recipe(recipe_of(options, family)), indent=2, ensure_ascii=False))
    return FINISHED


def show_family(options: argparse.Namespace) -> int:
    """The command "family"; the exit status."""
    status = FINISHED
    for file in options.checkpoints:
        try:
            found = detect(file)
        except HeaderError as error:
            status = SOME_FAILED
            warn(f"finisher: {error}")
            continue
        tell(f"{file}: {found.label}, native {found.native_side}×{found.native_side} ({found.reason})")
    return status
