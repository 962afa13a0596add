"""Checkpoints: files of a folder, one of which is loaded."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from pathlib import Path

import numpy as np

from modules import hashes, paths_internal, script_callbacks, shared
from modules.model import StandInModel

model_path = str(Path(paths_internal.models_path) / "Stable-diffusion")
checkpoints_list: dict = {}
checkpoint_aliases: dict = {}
checkpoint_alisases = checkpoint_aliases  # the host's old name for it
_CHECKPOINTS = {"standinA": (0.0, 0.0, 0.0), "standinB": (0.5, 0.1, -0.4)}
_MEGABYTE = 1 << 20


class CheckpointInfo:
    def __init__(self, filename):
        self.filename = filename
        self.is_safetensors = filename.lower().endswith(".safetensors")
        self.name = os.path.relpath(filename, model_path) if filename.startswith(model_path) else Path(filename).name
        self.name_for_extra = Path(filename).stem
        self.model_name = os.path.splitext(self.name.replace("/", "_"))[0]
        self.metadata = {}
        self.hash = model_hash(filename)
        self.sha256 = hashes.sha256_from_cache(filename, f"checkpoint/{self.name}")
        self.shorthash = self.sha256[:10] if self.sha256 else None
        self.ids = [self.hash, self.model_name, self.name, self.name_for_extra, f"{self.name} [{self.hash}]"]
        self._entitle()
        self.ids.insert(2, self.title)

    def _entitle(self):
        mark = f" [{self.shorthash}]" if self.shorthash else ""
        self.title, self.short_title = self.name + mark, self.name_for_extra + mark
        if self.shorthash:
            self.ids += [self.shorthash, self.sha256, self.title, self.short_title]

    def register(self):
        checkpoints_list[self.title] = self
        checkpoint_aliases.update(dict.fromkeys(self.ids, self))

    def calculate_shorthash(self):
        self.sha256 = hashes.sha256(self.filename, f"checkpoint/{self.name}")
        if self.sha256 is None:
            return None
        if self.shorthash != self.sha256[:10]:
            self.shorthash = self.sha256[:10]
            before = list(checkpoints_list.items())
            self._entitle()
            checkpoints_list.clear()
            checkpoints_list.update({item.title: item for _, item in before})
            self.register()
        return self.shorthash


def model_hash(filename):
    """The old hash, of a small part of the file."""
    with open(filename, "rb") as file:
        file.seek(_MEGABYTE)
        return hashlib.sha256(file.read(65536)).hexdigest()[:8]


def setup_model():
    """Write the two checkpoints: the header of a Stable Diffusion 1 file, and zeros."""
    folder = Path(model_path)
    folder.mkdir(parents=True, exist_ok=True)
    names = list(_CHECKPOINTS)[: 1 if shared.cmd_opts.one_checkpoint else None]
    for name in names:
        file = folder / f"{name}.safetensors"
        if file.exists():
            continue
        shapes = {
            "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3],
            "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
            "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight": [77, 768],
            "first_stage_model.decoder.conv_in.weight": [512, 4, 3, 3],
        }
        header, end = {"__metadata__": {"standin": name}}, 0
        for key, shape in shapes.items():
            begin, end = end, end + 4 * int(np.prod(shape))
            header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
        text = json.dumps(header).encode()
        with file.open("wb") as stream:
            stream.write(len(text).to_bytes(8, "little") + text)
            stream.truncate(8 + len(text) + end)
            stream.seek(_MEGABYTE)
            stream.write(name.encode())


def list_models():
    checkpoints_list.clear()
    checkpoint_aliases.clear()
    for file in sorted(Path(model_path).rglob("*.safetensors")):
        CheckpointInfo(str(file)).register()


def checkpoint_tiles(use_short=False):
    return [item.short_title if use_short else item.title for item in checkpoints_list.values()]


def get_closet_checkpoint_match(search_string):
    if not search_string:
        return None
    if search_string in checkpoint_aliases:
        return checkpoint_aliases[search_string]
    for wanted in (search_string, re.sub(r"\s*\[[^]]+]\s*$", "", search_string)):
        found = [item for item in checkpoints_list.values() if wanted in item.title]
        if found:
            return min(found, key=lambda item: len(item.title))
    return None


def select_checkpoint():
    chosen = checkpoint_aliases.get(shared.opts.sd_model_checkpoint)
    if chosen is not None:
        return chosen
    if not checkpoints_list:
        raise FileNotFoundError("No checkpoints found.")
    return next(iter(checkpoints_list.values()))


class SkipWritingToConfig:
    """While this is entered, a loaded checkpoint is not noted in the settings."""

    skip = False

    def __enter__(self):
        self.previous, SkipWritingToConfig.skip = SkipWritingToConfig.skip, True
        return self

    def __exit__(self, *told):
        SkipWritingToConfig.skip = self.previous


class SdModelData:
    def __init__(self):
        self.sd_model = None
        self.loaded_sd_models = []
        self.was_loaded_at_least_once = False
        self.lock = threading.Lock()

    def get_sd_model(self):
        with self.lock:
            # A failed load leaves no model, and the host does not try again by itself.
            if self.sd_model is None and not self.was_loaded_at_least_once:
                load_model()
        return self.sd_model

    def set_sd_model(self, v, already_loaded=False):
        self.sd_model = v


model_data = SdModelData()


# What there was too little memory for.
_tried = set()


def load_model(checkpoint_info=None, already_loaded_state_dict=None):
    info = checkpoint_info or select_checkpoint()
    model_data.sd_model = None
    loads = _header(info.filename).get("__metadata__", {}).get("loads")
    if loads == "never":
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    if loads == "too large" or (loads == "later" and info.filename not in _tried):
        _tried.add(info.filename)
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB.")
    model = StandInModel()
    load_model_weights(model, info, None, None)
    model_data.sd_model, model_data.was_loaded_at_least_once = model, True
    script_callbacks.model_loaded_callback(model_data.sd_model)
    return model_data.sd_model


def load_model_weights(model, checkpoint_info, state_dict, timer):
    hashed = checkpoint_info.calculate_shorthash()
    if not SkipWritingToConfig.skip:
        shared.opts.data["sd_model_checkpoint"] = checkpoint_info.title
    model.colour = np.array(_CHECKPOINTS.get(checkpoint_info.name_for_extra, (0, 0, 0)), np.float32)
    model.sd_model_hash, model.sd_model_checkpoint = hashed, checkpoint_info.filename
    model.sd_checkpoint_info = checkpoint_info
    model.loras = {}
    model.hijacked = True
    shared.opts.data["sd_checkpoint_hash"] = checkpoint_info.sha256


def reload_model_weights(sd_model=None, info=None, forced_reload=False):
    wanted = info or select_checkpoint()
    model = sd_model or model_data.sd_model
    if model is None:
        return load_model(wanted)
    if model.sd_model_checkpoint != wanted.filename or forced_reload:
        # As in the host, the model passes for the one before if the file cannot be read now.
        model.hijacked = False
        header = _header(wanted.filename)
        if header.get("__metadata__", {}).get("loads"):
            return load_model(wanted)
        load_model_weights(model, wanted, None, None)
        script_callbacks.model_loaded_callback(model)
    return model


def _header(filename):
    """The file's header. Raises where it is shorter than that says, as reading the tensors would."""
    with open(filename, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        header = json.loads(file.read(length))
    ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    if Path(filename).stat().st_size < 8 + length + max(ends, default=0):
        raise RuntimeError("Error while deserializing header: incomplete metadata, file not fully covered")
    return header


def unload_model_weights(sd_model=None, info=None):
    return sd_model


def apply_token_merging(sd_model, token_merging_ratio):
    if getattr(sd_model, "applied_token_merged_ratio", 0) != token_merging_ratio:
        sd_model.applied_token_merged_ratio = token_merging_ratio


def apply_alpha_schedule_override(sd_model, p=None):
    """Where the host would change the schedule; this one is never changed."""
