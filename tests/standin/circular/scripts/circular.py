"""An extension for tests only: it writes down at every step how large the sampled latents are, and whether the model's
convolutions go round their borders."""

from pathlib import Path

from modules import paths_internal, script_callbacks, sd_hijack


def note(params):
    """One line a step: the latents' sides, and 1 where padding is circular."""
    height, width = params.x.shape[-2:]
    with (Path(paths_internal.data_path) / "circular.txt").open("a") as file:
        file.write(f"{height} {width} {int(bool(sd_hijack.model_hijack.circular_enabled))}\n")


script_callbacks.on_cfg_denoiser(note)
