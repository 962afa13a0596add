"""The command line's detectors: the command that lists and fetches them, and those that a run has."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib_finisher.cli.console import program, tell, warn
from lib_finisher.cli.options import DETECTORS, FOLDER_HELP, cache_folder
from lib_finisher.controls import SettingsError
from lib_finisher.detect.known import KNOWN, Known, find_known
from lib_finisher.detect.listing import Listed, listed_in

_MEGA = 1e6


def add_command(commands: Any) -> None:
    """The command "detectors" among the others."""
    parser = commands.add_parser("detectors", help=DETECTORS[0].lower() + DETECTORS[1:-1], description=DETECTORS)
    parser.add_argument("--json", action="store_true", help="print the list for programs instead of a table")
    parser.add_argument("--detectors", type=Path, default=None, metavar="DIR", help=FOLDER_HELP)
    parser.set_defaults(command=lambda options: _list(options, cache_folder()))
    fetching = parser.add_subparsers(title="commands", metavar="{fetch}").add_parser(
        "fetch", help="fetch a known detector's file from its source",
        description="Show a known detector's source, size and sha256, then fetch its file and check it.",
    )  # fmt: skip
    fetching.add_argument("name", metavar="NAME", help='a name of the list; ".pt" may be left out')
    # What stands before "fetch" must not be undone by this one's default.
    fetching.add_argument("--detectors", type=Path, default=argparse.SUPPRESS, metavar="DIR", help="where to put it")
    fetching.set_defaults(command=lambda options: _fetch(options, cache_folder()))


def _list(options: argparse.Namespace, cache: Path) -> int:
    listed = listed_in([detectors_folder(options, cache)])
    if options.json:
        tell(json.dumps({"detectors": [asdict(item) for item in listed]}, indent=2, ensure_ascii=False))
    else:
        where = f"Files are looked for in {detectors_folder(options, cache)}."
        tell(f'{_table(listed)}\n\n{where}\nTo fetch one: {program()} detectors fetch "NAME"')
    return 0


def _fetch(options: argparse.Namespace, cache: Path) -> int:
    # The line's protocols are only needed where something is fetched.
    from lib_finisher.detect.fetching import FetchError, fetch

    folder = detectors_folder(options, cache)
    entry = find_known(options.name)
    if entry is None or not entry.is_file:
        files = ", ".join(item.name for item in KNOWN if item.fetchable)
        why = "needs no file" if entry is not None else "is not among the detectors that can be fetched"
        raise SettingsError([f"{options.name!r} {why}: {files}."])
    for line in _told(entry, folder):
        warn(line)
    progress = _Progress(entry.name)
    try:
        path = fetch(entry, folder, progress)
    except FetchError as error:
        progress.close()
        warn(f"finisher: {error}")
        return 1
    progress.close()
    tell(str(path))
    return 0


def detectors_folder(options: argparse.Namespace, cache: Path) -> Path:
    """Where the call's detectors lie."""
    folder: Path | None = options.detectors
    return cache / "detectors" if folder is None else folder


def _told(entry: Known, folder: Path) -> list[str]:
    size = f"{entry.size / _MEGA:.1f} MB ({entry.size} bytes)" if entry.size else "not published"
    return [
        f"file:     {entry.name}, finds: {entry.target} ({entry.style}); {entry.trade_off}",
        f"from:     {entry.url or entry.source}",
        f"size:     {size}",
        f"sha256:   {entry.sha256 or 'not confirmed'}",
        f"licence:  {entry.licence}",
        f"to:       {folder / entry.name}",
    ]


def _table(listed: Sequence[Listed]) -> str:
    rows = [("detector", "here", "finds", "style", "size", "remarks")]
    for item in listed:
        size = f"{item.size / _MEGA:.1f} MB" if item.size else ""
        about = [item.trade_off, item.why_not if item.present or item.why_not != "not here" else ""]
        here = "yes" if item.present else "no"
        rows.append((item.name, here, item.target or "?", item.style, size, "; ".join(filter(None, about))))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if at == 4 else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths))
        ]
        lines.append("  ".join([*cells, row[5]]).rstrip())
    return "\n".join(lines)


class _Progress:
    """How far a fetch is, on a terminal; says nothing where there is none."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        if self._shown:
            share = f"{done / total:4.0%}" if total else f"{done / _MEGA:.1f} MB"
            sys.stderr.write(f"\r\x1b[2K{self._name}  {share}")
            sys.stderr.flush()

    def close(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
