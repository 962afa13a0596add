"""Command-line flags of Finisher for the web UI. Nothing but argparse may be imported here."""

from __future__ import annotations

import argparse


def preload(parser: argparse.ArgumentParser) -> None:
    """Add Finisher's flags to the host's parser."""
    parser.add_argument(
        "--finisher-no-cache",
        action="store_true",
        default=False,
        help="Finisher: keep no stage results on disk",
    )
