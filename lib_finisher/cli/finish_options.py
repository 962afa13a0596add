"""The options of the command "finish"."""

from __future__ import annotations

import argparse
from pathlib import Path

from lib_finisher.cli.options import add_run_options
from lib_finisher.imaging.format_kinds import FORMATS

AS_SOURCE = "source"


def add_finish_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--format", choices=(*FORMATS, AS_SOURCE), default="png",
        help='the kind of file that results are; "source": as each source, PNG for kinds that are not among these',
    )  # fmt: skip
    parser.add_argument("--quality", type=int, metavar="1..100", help="of JPEG (usually 95), WebP (90) and AVIF (85)")
    parser.add_argument("--depth", type=int, choices=(8, 16), default=8, help="bits per channel; 16 for PNG only")
    parser.add_argument("--overwrite", action="store_true", help="replace results of the same name")
    parser.add_argument("--again", action="store_true", help="finish also what is finished already, beside that result")
    parser.add_argument("--take-results", action="store_true", help="take Finisher's own results as pictures to finish")
    parser.add_argument("--strict", action="store_true", help="exit status 1 also where something was left out")
    parser.add_argument("--save-stages", action="store_true", help="also save the picture after every stage")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write the report for programs to a file")
    parser.add_argument("--cache", type=Path, default=None, metavar="DIR", help="where stage results are kept")
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="keep no stage results and use none; with --overwrite, no reports of results either",
    )
