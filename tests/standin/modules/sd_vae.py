"""VAE files. None is ever loaded: the stand-in's model has its own exact one."""

from __future__ import annotations

from pathlib import Path

from modules import paths_internal

vae_path = str(Path(paths_internal.models_path) / "VAE")
vae_dict: dict[str, str] = {}
base_vae = loaded_vae_file = checkpoint_info = None


def refresh_vae_list():
    vae_dict.clear()
    folder = Path(vae_path)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    vae_dict.update({file.name: str(file) for file in files})


def get_loaded_vae_name():
    return None if loaded_vae_file is None else Path(loaded_vae_file).name


def get_loaded_vae_hash():
    return None


def reload_vae_weights(sd_model=None, vae_file="unspecified"):
    return sd_model
