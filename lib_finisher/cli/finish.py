"""The command "finish": pictures in, finished pictures and a report out."""

from __future__ import annotations

import argparse
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.inputs import pictures_in
from lib_finisher.batch.report import FileReport
from lib_finisher.batch.saving import Saving
from lib_finisher.cli.console import ProgressBar, report_table, tell, warn
from lib_finisher.cli.options import cache_folder
from lib_finisher.cli.run import composed
from lib_finisher.cli.status import FINISHED, INTERRUPTED, NOT_USABLE, SOME_FAILED
from lib_finisher.controls import SettingsError
from lib_finisher.events import Control
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.json_text import json_text
from lib_finisher.pipeline import Pipeline
from lib_finisher.stages.stage import Base
from lib_finisher.store.results import ResultStore, write_text


def finish(options: argparse.Namespace) -> int:
    """The command "finish"; the exit status."""
    run = composed(options)
    host, recipe = run.host, run.recipe
    store = None if options.no_cache else ResultStore(options.cache or cache_folder() / "results")
    control, progress = Control(), ProgressBar()
    pipeline = Pipeline(
        host, run.detectors.detect, recipe, store, progress, control,
        keep_stages=options.save_stages, identify=run.detectors.identity, free_detectors=run.detectors.free,
        rates=run.rates, assets=run.assets,
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
        used = run.files_named()
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


def _writable(folder: Path, report: Path | None) -> None:
    """Find out before the work whether its results can be saved. Raises SettingsError."""
    for place in [folder] if report is None else [folder, report.parent]:
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            raise SettingsError([f"{place}: nothing can be written there ({error.strerror or error})."]) from error


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
