"""The command "finish": pictures in, finished pictures and a report out."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.inputs import Inputs, inputs_of
from lib_finisher.batch.records import Records
from lib_finisher.batch.report import FileReport
from lib_finisher.batch.saving import Saving
from lib_finisher.cli.checks import check_before_work, saving_of
from lib_finisher.cli.console import tell, tell_along, warn
from lib_finisher.cli.options import cache_folder
from lib_finisher.cli.progress import ProgressLine
from lib_finisher.cli.run import Run, composed
from lib_finisher.cli.status import FINISHED, INTERRUPTED, NOT_USABLE, SOME_FAILED
from lib_finisher.cli.stopping import stopped_by_signals
from lib_finisher.cli.summary import (
    left_out_of,
    picture_text,
    report_text,
    tell_end,
    warn_of_failures,
    write_report,
)  # fmt: skip
from lib_finisher.events import Control
from lib_finisher.imaging.files import Header
from lib_finisher.infotext.own_base import own_base
from lib_finisher.pipeline import Pipeline
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.stage import Base
from lib_finisher.store.results import ResultStore


def finish(options: argparse.Namespace) -> int:
    """Run the command; the exit status."""
    saving = saving_of(options)
    run = composed(options)
    inputs = inputs_of(options.inputs, options.recursive, options.take_results)
    check_before_work(options, run, inputs)
    control, progress = Control(), ProgressLine()
    files = [source.path for source in inputs.sources]
    reports: list[FileReport] = [
        FileReport(folder, None, f"{folder}: the folder cannot be read ({why}).") for folder, why in inputs.unreadable
    ]
    try:
        with stopped_by_signals(control):
            if not options.json:
                tell_along(f"engine: {run.host.capabilities.engine}")
                for remark in run.host.remarks():
                    tell_along(f"  note: {remark}")
            for report in _finished(options, run, inputs, saving, control, progress):
                reports.append(report)
                progress.close()
                if not options.json:
                    tell_along(picture_text(report))
    except KeyboardInterrupt:
        warn("finisher: stopped at once")
    except Exception as error:
        # What is finished stays so, and the report says which pictures that are.
        why = f"not finished: the run ended early ({type(error).__name__}: {error})"
        _end(options, run, inputs, _complete(reports, files, why), only_file=True)
        raise
    finally:
        progress.close()
    reports = _complete(reports, files, "not begun: the run was interrupted")
    left_out = _end(options, run, inputs, reports)
    if not reports:
        warn(_nothing(inputs))
        return NOT_USABLE
    if control.interrupted:
        return INTERRUPTED
    if any(report.error for report in reports):
        return SOME_FAILED
    return SOME_FAILED if options.strict and left_out else FINISHED


def _finished(
    options: argparse.Namespace, run: Run, inputs: Inputs, saving: Saving, control: Control, progress: ProgressLine
) -> Iterator[FileReport]:
    store = None if options.no_cache else ResultStore(options.cache or cache_folder() / "results")
    pipeline = Pipeline(
        run.host, run.detectors.detect, run.recipe, store, progress, control,
        keep_stages=options.save_stages, identify=run.detectors.identity, free_detectors=run.detectors.free,
        rates=run.rates, assets=run.assets,
    )  # fmt: skip
    base = Base(seed=options.seed or 0)

    def base_for(header: Header) -> tuple[Base, tuple[str, ...]]:
        own, told = own_base(header.infotext, header.side, base)
        notes = tuple(note for name, note in told.items() if name != "seed" or options.seed is None)
        return (own if options.seed is None else replace(own, seed=options.seed)), notes

    return finish_files(
        inputs.sources, pipeline, run.host, run.recipe, base, saving, options.mask, control, run.files_named(),
        records=Records(keep=not (options.no_cache and options.overwrite)), again=options.again, begin=progress.begin,
        base_for=base_for if run.recipe[BASE].own_infotext else None,
    )  # fmt: skip


def _end(
    options: argparse.Namespace, run: Run, inputs: Inputs, reports: Sequence[FileReport], only_file: bool = False
) -> list[str]:
    """Say what became of the pictures, and write the report; what was left out."""
    left_out = [*run.left_out, *left_out_of(reports)]
    text = report_text(run.host, reports, inputs, left_out)
    if options.report is not None:
        write_report(options.report, text)
    if only_file:
        return left_out
    if options.json:
        tell(text)
    else:
        tell_end(reports, inputs, left_out)
    warn_of_failures(reports)
    if options.strict and left_out:
        warn(f"finisher: --strict: {len(left_out)} left out, see above")
    return left_out


def _complete(reports: Sequence[FileReport], files: Sequence[Path], why: str) -> list[FileReport]:
    """The reports, and for each file that there is none of one that says `why` it was not finished."""
    told = Counter(report.source for report in reports)
    missing = []
    for file in files:
        if told[file]:
            told[file] -= 1
        else:
            missing.append(FileReport(file, None, why))
    return [*reports, *missing]


def _nothing(inputs: Inputs) -> str:
    if inputs.results:
        return (
            "finisher: there is nothing but results of Finisher in what was given; "
            "--take-results takes them as pictures to finish"
        )
    if inputs.deeper:
        return f"finisher: there are pictures only below {inputs.deeper[0]}; --recursive looks into sub-folders"
    return "finisher: there is no picture in what was given"
