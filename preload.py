"""Command-line flags of Finisher for the web UI. Nothing but argparse may be imported here."""

from __future__ import annotations

import argparse


def preload(parser: argparse.ArgumentParser) -> None:
    """Add Finisher's flags to the host's parser."""
    parser.add_argument(
        "--finisher-cache",
        action="store_true",
        default=False,
        help="Finisher: keep stage results in the data folder, so that the same picture is not finished twice",
    )
