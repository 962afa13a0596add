"""What can be known to be wrong before the work: a call that cannot be carried out costs no time."""

from __future__ import annotations

import argparse
import difflib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lib_finisher.assets import LUT, REFERENCE, AssetError
from lib_finisher.batch.inputs import Inputs
from lib_finisher.batch.saving import Saving
from lib_finisher.cli.run import Run
from lib_finisher.controls import SettingsError, controls_of
from lib_finisher.detect.detection import DetectorError
from lib_finisher.imaging.files import PictureError, load_header, load_picture
from lib_finisher.imaging.format_kinds import FORMATS, PNG
from lib_finisher.imaging.formats import FormatError, check_writable
from lib_finisher.imaging.geometry import size_of
from lib_finisher.presets.missing import Here, same_here
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.upscaler_choices import AUTO_UPSCALER, LANCZOS

_NO_MODEL = ("", AUTO_UPSCALER, LANCZOS)
# "stages", the shortest stem that a name is cut to, and a file in there that is being written.
_LONG_NAME = len("stages/") + 16 + len("/") + 68
_FOLDERS = {LUT: "--luts", REFERENCE: "--references"}


def saving_of(options: argparse.Namespace) -> Saving:
    """Where and how results are written. Raises SettingsError."""
    wanted = FORMATS.get(options.format)
    if wanted is not None:
        try:
            check_writable(wanted)
        except FormatError as error:
            raise SettingsError([f"--format {options.format}: {error}"]) from error
    if options.depth == 16 and wanted is not PNG:
        raise SettingsError([f"--depth 16: only PNG has 16 bits here; leave out --format {options.format}."])
    if options.quality is not None:
        if wanted is PNG:
            raise SettingsError(["--quality: PNG keeps every pixel; name --format jpeg, webp, avif or source with it."])
        if not 1 <= options.quality <= 100:
            raise SettingsError([f"--quality: {options.quality} is not accepted; it must be from 1 to 100."])
    return Saving(options.out, options.overwrite, options.save_stages, options.depth, wanted, options.quality or 0)


def check_before_work(options: argparse.Namespace, run: Run, inputs: Inputs) -> None:
    """Raises SettingsError with a line for everything that cannot go well."""
    problems = list(dict.fromkeys([*_unavailable(run), *_mask_problems(options.mask, inputs)]))
    if problems:
        raise SettingsError(problems)
    _check_formats(options, inputs)
    _check_folder(options.out, "--out")
    if options.report is not None:
        _check_folder(options.report.parent, "--report")


def _unavailable(run: Run) -> Iterator[str]:
    """The detectors, models and files that stages which are on ask for, and that are not here.

    What presets ask for was replaced before, or is left out where nothing can take its place, as of a LUT; what is
    asked for by hand is neither.
    """
    for stage in STAGES:
        if run.recipe[stage.name].enabled:
            for settings in (run.recipe[stage.name], run.asked[stage.name]):
                for name, search in stage.reads(settings).detectors:
                    try:
                        run.detectors.identity(name, search)
                    except DetectorError as error:
                        yield f"{stage.name}: {error}"
                yield from _unavailable_models(stage.name, settings, run.here)
            for kind, name in stage.reads(run.asked[stage.name]).assets:
                try:
                    run.assets.find(kind, name)
                except AssetError as error:
                    yield f"{stage.name}: {error} ({_FOLDERS[kind]} DIR).{_near(name, run.assets.names(kind))}"


def _unavailable_models(where: str, settings: Any, here: Here) -> Iterator[str]:
    for row in controls_of(type(settings)):
        value = getattr(settings, row.name)
        if row.kind == "passes":
            for number, one in enumerate(value, 1):
                if getattr(one, "active", True):
                    yield from _unavailable_models(f"{where}.{number}", one, here)
        elif row.name in here and row.name != "detector" and row.kind == "text" and value not in _NO_MODEL:
            there = here[row.name]
            if value not in there:
                yield f"{where}.{row.name}: there is no {row.label.lower()} {value!r} here.{_near(value, there)}"


def _near(value: str, there: Sequence[str]) -> str:
    near = same_here(value, there) or next(iter(difflib.get_close_matches(value, there, n=1)), "")
    hint = f" Did you mean {near!r}?" if near else ""
    return f"{hint} Here: {', '.join(there) or 'none'}."


def _mask_problems(mask: Path | None, inputs: Inputs) -> Iterator[str]:
    """What is wrong with the mask; where it fits some of the pictures, the others are told one by one."""
    if mask is None:
        return
    try:
        size = size_of(load_picture(mask).pixels)
    except PictureError as error:
        yield f"--mask: {error}"
        return
    others = []
    for source in inputs.sources:
        try:
            width, height = load_header(source.path).size
        except PictureError:
            continue
        if (width, height) == (size.width, size.height):
            return
        others.append(f"{source.path} is {width}×{height}")
    if others:
        more = f" and {len(others) - 1} more pictures of other sizes" if len(others) > 1 else ""
        yield f"--mask: {mask} is {size}, but {others[0]}{more}. Save the mask at the picture's size."


def _check_formats(options: argparse.Namespace, inputs: Inputs) -> None:
    """Where results are as their sources, whether all of those formats can be written."""
    if FORMATS.get(options.format) is not None:
        return
    saving = Saving(options.out, wanted=None)
    for wanted in {saving.format_for(source.path) for source in inputs.sources}:
        try:
            check_writable(wanted)
        except FormatError as error:
            raise SettingsError([f"--format source: {error}"]) from error


def _check_folder(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # With a name as long as those that files have while they are written: Windows limits whole paths.
        with tempfile.TemporaryFile(dir=folder, prefix=f".{'x' * _LONG_NAME}"):
            pass
    except OSError as error:
        why = error.strerror or error
        hint = "name another folder, or change its permissions"
        raise SettingsError([f"{option}: nothing can be written in {folder} ({why}); {hint}."]) from error
