"""What everything shares. `initialize` of modules.initialize fills it in."""

from __future__ import annotations

import sys
from pathlib import Path

import gradio as gr

from modules import options, shared_cmd_options
from modules.paths_internal import data_path, models_path, script_path

__all__ = ["data_path", "models_path", "script_path"]

cmd_opts = shared_cmd_options.cmd_opts
parser = shared_cmd_options.parser
config_filename = cmd_opts.ui_settings_file
hide_dirs = {"visible": True}
OptionInfo = options.OptionInfo
OptionHTML = options.OptionHTML
options_section = options.options_section

demo: gr.Blocks = None
device = None
parallel_processing_allowed = True
xformers_available = False
face_restorers: list = []
hypernetworks: dict = {}
state = None
prompt_styles = None
opts: options.Options = None
options_templates: dict = None
restricted_opts: set = set()
settings_components: dict = None
tab_names: list = []
sd_upscalers: list = []
progress_print_out = sys.stdout

latent_upscale_default_mode = "Latent"
latent_upscale_modes = {
    "Latent": {"mode": "bilinear", "antialias": False},
    "Latent (antialiased)": {"mode": "bilinear", "antialias": True},
    "Latent (bicubic)": {"mode": "bicubic", "antialias": False},
    "Latent (nearest)": {"mode": "nearest", "antialias": False},
}


class TotalTQDM:
    """The console's second progress bar, without a console."""

    def reset(self):
        pass

    def update(self):
        pass

    def updateTotal(self, new_total):  # noqa: N802 (the host's name)
        pass

    def clear(self):
        pass


total_tqdm = TotalTQDM()


def listfiles(dirname):
    return [str(file) for file in sorted(Path(dirname).iterdir()) if file.is_file() and not file.name.startswith(".")]


def walk_files(path, allowed_extensions=None):
    for file in sorted(Path(path).rglob("*")):
        if file.is_file() and (allowed_extensions is None or file.suffix.lower() in allowed_extensions):
            yield str(file)


class Shared(sys.modules[__name__].__class__):
    """`shared.sd_model` loads the model when it is first asked for."""

    @property
    def sd_model(self):
        from modules import sd_models

        return sd_models.model_data.get_sd_model()

    @sd_model.setter
    def sd_model(self, value):
        from modules import sd_models

        sd_models.model_data.set_sd_model(value)


sys.modules[__name__].__class__ = Shared
