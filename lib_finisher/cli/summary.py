"""What the command "finish" says of its pictures: each as soon as it is through, all of them at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lib_finisher.batch.inputs import Inputs
from lib_finisher.batch.report import FileReport
from lib_finisher.cli.console import tell_along, warn
from lib_finisher.cli.tables import report_table
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.json_text import json_text
from lib_finisher.whole_files import sweep, write_whole


def picture_text(report: FileReport) -> str:
    """What became of one picture, for people."""
    if report.skipped:
        return f"\n{report.source}: {report.skipped} ({report.output})"
    if report.output is None:
        return f"\n{report.source}: failed"
    lines = [f"\n{report.source} → {report.output} ({report.size})", report_table(report.stages)]
    if report.without is not None:
        lines.append(f"  without {report.compared}: {report.without}")
    lines += [f"  note: {note}" for note in report.notes]
    return "\n".join(lines)


def tell_end(reports: Sequence[FileReport], inputs: Inputs, left_out: Sequence[str]) -> None:
    """How many pictures were finished, and what was left out."""
    statuses = Counter(report.status for report in reports)
    parts = [f"{statuses['finished']} of {len(reports)} pictures finished"]
    if statuses["skipped"]:
        parts.append(f"{statuses['skipped']} finished already (--again finishes them again)")
    if statuses["failed"]:
        parts.append(f"{statuses['failed']} failed")
    if inputs.results:
        parts.append(f"{len(inputs.results)} left alone as results of Finisher (--take-results takes them)")
    tell_along("\n" + ", ".join(parts))
    for line in left_out:
        tell_along(f"left out: {line}")


def left_out_of(reports: Sequence[FileReport]) -> list[str]:
    """What was asked for and could not be had, each once, with the pictures that it is missing in."""
    lacking: dict[str, list[str]] = {}
    for report in reports:
        for text in report.left_out:
            lacking.setdefault(text, []).append(report.source.name)
    return [f"{text} ({_files(names)})" for text, names in lacking.items()]


def warn_of_failures(reports: Sequence[FileReport]) -> None:
    """A line for every picture that was not finished, with the reason."""
    for report in reports:
        if report.error:
            named = report.error if str(report.source) in report.error else f"{report.source}: {report.error}"
            warn(f"finisher: failed: {named}")


def report_text(host: EmbeddedHost, reports: Sequence[FileReport], inputs: Inputs, left_out: Sequence[str]) -> str:
    """The report for programs."""
    data = {
        "engine": host.capabilities.engine,
        "notes": host.remarks(),
        "left_out": list(left_out),
        "results_left_alone": [str(file) for file in inputs.results],
        "pictures": [report.as_json() for report in reports],
    }
    return json_text(data, indent=2)


def write_report(file: Path, text: str) -> None:
    """Write the report for programs to a file; a failure is only said."""
    sweep(file.parent)
    try:
        write_whole(file, f"{text}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        warn(f"finisher: the report could not be written to {file} ({error.strerror or error})")


def _files(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} pictures"
