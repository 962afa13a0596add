"""The command line."""

from lib_finisher.cli.main import main

__all__ = ["main"]
