"""Folders. The data folder may lie anywhere; models and settings are kept below it."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

_early = argparse.ArgumentParser(add_help=False)
_early.add_argument("--data-dir", default="")
_given, _ = _early.parse_known_args()

script_path = str(Path(__file__).resolve().parent.parent)
data_path = str(Path(_given.data_dir or tempfile.mkdtemp(prefix="standin-")).resolve())
models_path = str(Path(data_path) / "models")
extensions_dir = str(Path(data_path) / "extensions")
extensions_builtin_dir = str(Path(script_path) / "extensions-builtin")
default_output_dir = str(Path(data_path) / "outputs")
repository = str(Path(__file__).resolve().parents[3])

Path(models_path).mkdir(parents=True, exist_ok=True)
