"""The command line, with the flags that extensions add in their preload.py."""

from __future__ import annotations

import argparse
import runpy
from pathlib import Path

from modules import extensions, paths_internal

parser = argparse.ArgumentParser(description="A stand-in for AUTOMATIC1111's web UI, on Finisher's embedded engine.")
parser.add_argument("port", type=int)
parser.add_argument("--data-dir", default="", help="settings, models and pictures; a new folder if it is left out")
parser.add_argument("--extension", action="append", default=[], help="one more extension's folder")
parser.add_argument("--api-auth", default=None, help="user:password, several with commas between")
parser.add_argument("--cors-allow-origins", default=None, help="with commas between")
parser.add_argument("--cors-allow-origins-regex", default=None)
parser.add_argument("--gradio-auth", default=None, help="user:password, several with commas between")
parser.add_argument("--no-api", dest="api", action="store_false", default=True)
parser.add_argument("--no-hashing", action="store_true")
parser.add_argument("--one-checkpoint", action="store_true")
for _name in ("nowebui", "no_half", "freeze_settings", "hide_ui_dir_config", "no_prompt_history", "api_server_stop"):
    parser.add_argument(f"--{_name.replace('_', '-')}", action="store_true")

_known, _ = parser.parse_known_args()
extensions.list_extensions(_known.extension)
for _extension in extensions.active():
    _file = Path(_extension.path) / "preload.py"
    if _file.is_file():
        runpy.run_path(str(_file))["preload"](parser)

cmd_opts = parser.parse_args()
cmd_opts.ckpt_dir = None
cmd_opts.vae_dir = None
cmd_opts.embeddings_dir = str(Path(paths_internal.data_path) / "embeddings")
cmd_opts.ui_settings_file = str(Path(paths_internal.data_path) / "config.json")
cmd_opts.freeze_settings_in_sections = cmd_opts.freeze_specific_settings = None
