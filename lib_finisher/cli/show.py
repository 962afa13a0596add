"""The commands "recipe" and "family"."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from lib_finisher.cli.asked import recipe_of
from lib_finisher.cli.console import program, tell, warn
from lib_finisher.cli.status import FINISHED, SOME_FAILED
from lib_finisher.family_detection import Detected, detect
from lib_finisher.model_header import HeaderError
from lib_finisher.recipe import write_recipe
from lib_finisher.stages.diffusion_settings import EMBEDDED


def show_recipe(options: argparse.Namespace) -> int:
    """The command "recipe"; the exit status."""
    family = _detected(options.checkpoint).family.value if options.checkpoint is not None else EMBEDDED
    tell(json.dumps(write_recipe(recipe_of(options, family)), indent=2, ensure_ascii=False))
    return FINISHED


def show_family(options: argparse.Namespace) -> int:
    """The command "family"; the exit status."""
    status = FINISHED
    for file in options.checkpoints:
        try:
            found = _detected(file)
        except HeaderError as error:
            status = SOME_FAILED
            warn(f"finisher: {error}")
            continue
        tell(f"{file}: {found.label}, native {found.native_side}×{found.native_side} ({found.reason})")
    return status


def _detected(file: Path) -> Detected:
    """The family of a checkpoint. Raises HeaderError, for a picture with what is done with one."""
    try:
        return detect(file)
    except HeaderError as error:
        # What reads pictures is only needed where there is one.
        from lib_finisher.imaging.files import PictureError, load_header

        try:
            load_header(file)
        except PictureError:
            raise error from None
        raise HeaderError(
            f"{file}: this is a picture, and only a checkpoint (.safetensors or .gguf) has a model family. "
            f"To finish the picture: {program()} finish {shlex.quote(str(file))} --out finished"
        ) from error
