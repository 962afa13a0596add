"""The command line: finish pictures, show what a run would do, print a recipe to start from."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from lib_finisher import __version__, cli_detectors, cli_presets
from lib_finisher.assets import AssetError, Assets
from lib_finisher.console import ProgressBar, plan_table, report_table, tell, warn
from lib_finisher.controls import SettingsError
from lib_finisher.events import Control, Meter
from lib_finisher.family import detect
from lib_finisher.finishing import FileReport, Saving, finish_files, pictures_in
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.files import PictureError, load_mask, load_picture
from lib_finisher.json_text import json_text
from lib_finisher.model_header import HeaderError
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import Plan, make_plan
from lib_finisher.plan.rates import Rates
from lib_finisher.recipe import Recipe, assign, read_recipe, write_recipe
from lib_finisher.stages.base import TO_REPAIR
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.stages.upscale_targets import scaled_to
from lib_finisher.store.results import ResultStore, write_text

FINISHED, SOME_FAILED, NOT_USABLE, INTERRUPTED = 0, 1, 2, 130

_DESCRIPTION = """\
Finisher turns a draft into a finished picture, always in this order:

  refine → extend → repair → detail → upscale → texture → grade

Stages are switched on and off and set by controls, never reordered."""

_EXAMPLES = """\
examples:
  python -m lib_finisher finish portrait.png --out finished
  python -m lib_finisher finish drafts/ --out finished --upscale-to 3 --set refine.enabled=false
  python -m lib_finisher finish a.png --out finished --set grade.grain=0 --set detail.1.confidence=0.5
  python -m lib_finisher plan portrait.png --upscale-to 4
  python -m lib_finisher detectors               then:  detectors fetch hand_yolov8n
  python -m lib_finisher recipe > mine.json      then edit it, and:  finish a.png --recipe mine.json --out finished

Results are PNG, named after their source; an existing file is never replaced unless --overwrite is given.
Stage results are kept in a cache: a second run with only the grade changed redoes only the grade.
Ctrl-C stops and keeps the last complete stage of each picture; a second Ctrl-C stops at once.
Exit status: 0 all finished, 1 some failed (they are named), 2 the call cannot be carried out, 130 interrupted."""


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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lib_finisher",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"Finisher {__version__}")
    names = "{finish,plan,recipe,family,detectors,presets}"
    commands = parser.add_subparsers(title="commands", required=True, metavar=names)

    finish = commands.add_parser(
        "finish", help="finish pictures", description="Finish pictures, or all pictures of a folder.",
        epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    _common(finish, "+")
    finish.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    finish.add_argument("--report", type=Path, metavar="FILE", help="also write the report for programs to a file")
    finish.add_argument("--save-stages", action="store_true", help="also save the picture after every stage")
    finish.add_argument("--depth", type=int, choices=(8, 16), default=8, help="bits per channel of the results")
    finish.add_argument("--overwrite", action="store_true", help="replace results of the same name")
    finish.add_argument("--cache", type=Path, default=None, metavar="DIR", help="where stage results are kept")
    finish.add_argument("--no-cache", action="store_true", help="keep no stage results and use none")
    finish.set_defaults(command=_finish)

    plan = commands.add_parser("plan", help="show what a run would do and cost, without running it")
    _common(plan, "+")
    plan.set_defaults(command=_plan)

    recipe = commands.add_parser("recipe", help="print a whole recipe as JSON, to start from")
    _settings(recipe)
    recipe.add_argument(
        "--for", dest="checkpoint", type=Path, metavar="FILE", help="a checkpoint: its family's defaults"
    )
    recipe.set_defaults(command=_recipe)

    family = commands.add_parser("family", help="tell a checkpoint's model family from its header")
    family.add_argument("checkpoints", nargs="+", type=Path, metavar="FILE", help="a .safetensors or .gguf file")
    family.set_defaults(command=_family)
    cli_detectors.add_command(commands, _cache_folder)
    cli_presets.add_command(commands)
    return parser


def _common(parser: argparse.ArgumentParser, count: str) -> None:
    parser.add_argument("inputs", nargs=count, type=Path, metavar="IN", help="a picture or a folder of pictures")
    _settings(parser)
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="white marks what repair redraws; with --set base.mask=restrict, what the stages may change",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all noise and grain (default 0)")
    parser.add_argument("--models", type=Path, default=None, metavar="DIR", help="folder of upscaler model files")
    parser.add_argument("--luts", type=Path, default=None, metavar="DIR", help="folder of .cube files for grade.lut")
    parser.add_argument(
        "--references", type=Path, default=None, metavar="DIR", help="folder of pictures for grade.match_reference"
    )
    cli_detectors.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print a report for programs instead of a table")


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe as JSON; what it leaves out has defaults")
    parser.add_argument(
        "--set", action="append", default=[], metavar="STAGE.CONTROL=VALUE", help="set one control; may be repeated"
    )
    cli_presets.add_options(parser)
    parser.add_argument("--upscale-to", type=float, metavar="FACTOR", help="how many times larger the result is")


def _finish(options: argparse.Namespace) -> int:
    host = EmbeddedHost(options.models or _cache_folder() / "upscalers")
    recipe = _read_recipe(options, host.model().family)
    if options.mask is not None and recipe["base"].mask == TO_REPAIR:
        recipe = recipe.changed("repair", _enabled(recipe["repair"]))
    store = None if options.no_cache else ResultStore(options.cache or _cache_folder() / "results")
    control, progress = Control(), ProgressBar()
    finders = cli_detectors.detectors_of(options, _cache_folder())
    recipe = cli_presets.at_hand(options, recipe, host, finders.listed())
    assets = _assets(options)
    pipeline = Pipeline(
        host, finders.detect, recipe, store, progress, control,
        keep_stages=options.save_stages, identify=finders.identity, free_detectors=finders.free, rates=_rates(),
        assets=assets,
    )  # fmt: skip
    _writable(options.out, options.report)
    before = _on_interrupt(control)
    reports: list[FileReport] = []
    files = pictures_in(options.inputs)
    try:
        if not options.json:
            tell(f"engine: {host.capabilities.engine}")
            for remark in host.remarks():
                tell(f"  note: {remark}")
        saving = Saving(options.out, options.overwrite, options.save_stages, options.depth)
        base = Base(seed=options.seed)
        used = _files_named(recipe, assets)
        for report in finish_files(files, pipeline, host, recipe, base, saving, options.mask, control, used):
            reports.append(report)
            progress.close()
            if not options.json:
                tell(_told(report))
    except KeyboardInterrupt:
        warn("finisher: stopped at once")
    except Exception as error:
        # What is finished stays so, and the report says which pictures that are.
        why = f"not finished: the run ended early ({type(error).__name__}: {error})"
        _write_report(options, host, _complete(reports, files, why))
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    reports = _complete(reports, files, "not begun: the run was interrupted")
    _write_report(options, host, reports)
    return _end(options, host, reports, control)


def _end(options: argparse.Namespace, host: EmbeddedHost, reports: Sequence[FileReport], control: Control) -> int:
    failed = [report for report in reports if report.error]
    if options.json:
        tell(_report_text(host, reports))
    else:
        tell(f"{len(reports) - len(failed)} of {len(reports)} pictures finished")
    for report in failed:
        warn(f"finisher: failed: {_named(report)}")
    if not reports:
        warn("finisher: there is no picture in what was given")
        return NOT_USABLE
    if control.interrupted:
        return INTERRUPTED
    return SOME_FAILED if failed else FINISHED


def _complete(reports: Sequence[FileReport], files: Sequence[Path], why: str) -> list[FileReport]:
    """A report for every file; the ones there is none of yet were not finished, and `why` says why not."""
    return [*reports, *(FileReport(file, None, why) for file in files[len(reports) :])]


def _report_text(host: EmbeddedHost, reports: Sequence[FileReport]) -> str:
    pictures = [report.as_json() for report in reports]
    return json_text({"engine": host.capabilities.engine, "notes": host.remarks(), "pictures": pictures}, indent=2)


def _write_report(options: argparse.Namespace, host: EmbeddedHost, reports: Sequence[FileReport]) -> None:
    if options.report is None:
        return
    try:
        write_text(options.report, _report_text(host, reports) + "\n")
    except OSError as error:
        warn(f"finisher: the report could not be written to {options.report} ({error.strerror or error})")


def _plan(options: argparse.Namespace) -> int:
    host = EmbeddedHost(options.models or _cache_folder() / "upscalers")
    recipe = _read_recipe(options, host.model().family)
    if options.mask is not None and recipe["base"].mask == TO_REPAIR:
        recipe = recipe.changed("repair", _enabled(recipe["repair"]))
    finders = cli_detectors.detectors_of(options, _cache_folder())
    recipe = cli_presets.at_hand(options, recipe, host, finders.listed())
    tools = Tools(host, finders.detect, Meter(Control()), _assets(options))
    rates = _rates()
    told: list[dict[str, Any]] = []
    failed = False
    for file in pictures_in(options.inputs):
        try:
            picture = load_picture(file).pixels
            mask = None if options.mask is None else load_mask(options.mask, (picture.shape[1], picture.shape[0]))
            plan = make_plan(Work(picture, Base(seed=options.seed), mask), recipe, tools)
        except PictureError as error:
            failed = True
            told.append({"input": str(file), "error": str(error)})
            warn(f"finisher: {error}")
            continue
        seconds = rates.seconds(host, "", plan.total.megapixel_steps)
        told.append({"input": str(file), **_plan_json(plan), "seconds": seconds and round(seconds, 1)})
        if not options.json:
            tell(f"{file}\n{plan_table(plan, seconds)}")
    if options.json:
        tell(json.dumps({"engine": host.capabilities.engine, "pictures": told}, indent=2, ensure_ascii=False))
    if not told:
        warn("finisher: there is no picture in what was given")
        return NOT_USABLE
    return SOME_FAILED if failed else FINISHED


def _recipe(options: argparse.Namespace) -> int:
    family = detect(options.checkpoint).family.value if options.checkpoint is not None else ""
    tell(json.dumps(write_recipe(_read_recipe(options, family)), indent=2, ensure_ascii=False))
    return FINISHED


def _family(options: argparse.Namespace) -> int:
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


def _read_recipe(options: argparse.Namespace, family: str = "") -> Recipe:
    data: Any = {}
    if options.recipe is not None:
        try:
            data = json.loads(options.recipe.read_bytes())
        except OSError as error:
            raise SettingsError([f"{options.recipe}: cannot be read ({error.strerror or error})."]) from error
        except (ValueError, RecursionError) as error:
            raise SettingsError([f"{options.recipe}: not valid JSON ({error})."]) from error
        if not isinstance(data, dict):
            raise SettingsError([f"{options.recipe}: a recipe is an object of stages."])
    recipe = read_recipe(assign(cli_presets.with_presets(options, data, family), options.set), family)
    if options.upscale_to is None:
        return recipe
    if not 1.0 <= options.upscale_to <= 16.0:
        raise SettingsError([f"--upscale-to: {options.upscale_to:g} is not accepted; it must be from 1 to 16."])
    return recipe.changed("upscale", scaled_to(recipe["upscale"], options.upscale_to))


def _writable(folder: Path, report: Path | None) -> None:
    """Find out before the work whether its results can be saved. Raises SettingsError."""
    for place in [folder] if report is None else [folder, report.parent]:
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            raise SettingsError([f"{place}: nothing can be written there ({error.strerror or error})."]) from error


def _enabled(settings: Any) -> Any:
    return type(settings)(**{**vars(settings), "enabled": True})


def _plan_json(plan: Plan) -> dict[str, Any]:
    steps = [
        {
            "stage": step.stage,
            "runs": step.runs,
            "reason": step.reason,
            "size": [step.estimate.size.width, step.estimate.size.height],
            "patches": step.estimate.patches,
            "host_calls": step.estimate.host_calls,
            "megapixel_steps": round(step.estimate.megapixel_steps, 4),
        }
        for step in plan.steps
    ]
    total = plan.total
    return {
        "size": [plan.size.width, plan.size.height],
        "patches": total.patches,
        "host_calls": total.host_calls,
        "megapixel_steps": round(total.megapixel_steps, 4),
        "stages": steps,
    }


def _told(report: FileReport) -> str:
    if report.output is None:
        return f"\n{report.source}: failed"
    lines = [f"\n{report.source} → {report.output} ({report.size})", report_table(report.stages)]
    if report.without is not None:
        lines.append(f"  without {report.compared}: {report.without}")
    lines += [f"  note: {note}" for note in report.notes]
    return "\n".join(lines)


def _named(report: FileReport) -> str:
    return report.error if str(report.source) in report.error else f"{report.source}: {report.error}"


def _on_interrupt(control: Control) -> Any:
    """The first Ctrl-C lets the run end cleanly, the second ends it at once."""

    def stop(number: int, current: FrameType | None) -> None:
        if control.interrupted:
            raise KeyboardInterrupt
        warn("\nfinisher: stopping; what is complete is saved (Ctrl-C again to stop at once)")
        control.interrupt()

    return signal.signal(signal.SIGINT, stop)


def _assets(options: argparse.Namespace) -> Assets:
    """The folders of files that settings name. Raises SettingsError for one that is not there."""
    for option, folder in (("--luts", options.luts), ("--references", options.references)):
        if folder is not None and not folder.is_dir():
            raise SettingsError([f"{option}: there is no folder {folder}."])
    luts, references = ([] if folder is None else [folder] for folder in (options.luts, options.references))
    return Assets(tuple(luts), tuple(references))


def _files_named(recipe: Recipe, assets: Assets) -> list[Path]:
    """The LUTs and reference pictures that the recipe uses, as far as they are there."""
    files = []
    for stage in STAGES:
        for kind, name in stage.reads(recipe[stage.name]).assets:
            with contextlib.suppress(AssetError):
                files.append(assets.find(kind, name))
    return files


def _rates() -> Rates:
    return Rates(_cache_folder() / "rates.json")


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "finisher"
