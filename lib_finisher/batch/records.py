"""What has been finished, beside the results: one small report a result, so that nothing is done twice unasked.

A report says of which contents (sha256) by which work (recipe, seed, mask, files, output) a result was made. They lie
in the hidden folder `.finisher` of the folder that the results are in, under the results' names, and are safe to
delete. A ledger of many folders can be filled from them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lib_finisher.checked_json import kept_in, write_checked
from lib_finisher.whole_files import sweep

logger = logging.getLogger(__name__)

FOLDER = ".finisher"
_VERSION = 1
FINISHED, FAILED = "finished", "failed"


@dataclass(frozen=True)
class Record:
    """One result. `source` and `output` are names of files, `input_sha256` and `work` digests in hexadecimal digits.

    `status` is "finished" or "failed"; `left_out` names what was asked for and could not be had. `report` is the report
    of the command line as data, with the recipe.
    """

    source: str
    input_sha256: str
    work: str
    output: str
    status: str
    left_out: tuple[str, ...]
    finished_at: str
    finisher_version: str
    report: Mapping[str, Any]


class Records:
    """The reports of folders, each folder read when it is first asked about.

    What is added meanwhile is not looked up: two equal pictures of one run are both finished. Without `keep` nothing
    new is written, and what was said of a result that is replaced goes.
    """

    def __init__(self, keep: bool = True) -> None:
        self._keep = keep
        self._known: dict[Path, dict[tuple[str, str, str], Record]] = {}

    def find(self, folder: Path, source: str, input_sha256: str, work: str) -> Record | None:
        """The finished result in `folder` of a source of that name and contents by that work, if it is still there."""
        if folder not in self._known:
            self._known[folder] = {
                (record.source, record.input_sha256, record.work): record
                for record in records_in(folder)
                if record.status == FINISHED
            }
        record = self._known[folder].get((source, input_sha256, work))
        return record if record is not None and (folder / record.output).is_file() else None

    def knows(self, result: Path) -> bool:
        """Whether there is a report of a result, whatever it says."""
        return _file_of(result.parent, result.name).is_file()

    def add(self, folder: Path, record: Record) -> None:
        """Write the report of a result. What cannot be written only costs its being known the next time."""
        data = {"finisher_report": _VERSION, **asdict(record), "left_out": list(record.left_out)}
        file = _file_of(folder, record.output)
        try:
            if self._keep:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_checked(file, data)
            else:
                file.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("The report of %s could not be written (%s).", folder / record.output, error)


def records_in(folder: Path) -> Iterator[Record]:
    """Every report of a folder that can be read, the oldest first."""
    sweep_records(folder)
    try:
        files = sorted((folder / FOLDER).glob("*.json"), key=lambda file: file.stat().st_mtime)
    except OSError:
        return
    for file in files:
        data = kept_in(file)
        if data.get("finisher_report") == _VERSION:
            values = {field.name: data[field.name] for field in fields(Record)}
            yield Record(**{**values, "left_out": tuple(values["left_out"])})


def sweep_records(folder: Path) -> None:
    """Delete what killed runs have left among the reports of a folder's results."""
    sweep(folder / FOLDER)


def _file_of(folder: Path, output: str) -> Path:
    return folder / FOLDER / f"{output}.json"
