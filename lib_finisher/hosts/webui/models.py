"""Checkpoints and upscalers of the host, as the core wants to know them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from modules import devices, paths_internal, shared
from PIL import Image

from lib_finisher.family import Family
from lib_finisher.family_detection import detect
from lib_finisher.hosts import upscaler_file
from lib_finisher.hosts.embedded.upscaler_tiles import TiledModel
from lib_finisher.hosts.port import Array, HostError, Interrupted, ModelFacts, OutOfMemory, UpscalerFacts, Watch
from lib_finisher.hosts.webui import probe, restoration
from lib_finisher.hosts.webui.memory import is_out_of_memory
from lib_finisher.imaging.arrays import to_uint8
from lib_finisher.imaging.limits import MOST_SIDE
from lib_finisher.model_header import HeaderError, read_header
from lib_finisher.stages.upscaler_choices import AUTO_UPSCALER, LANCZOS
from lib_finisher.stages.upscaler_names import scale_told

logger = logging.getLogger(__name__)

# How a checkpoint's file calls its own VAE and text encoders.
_VAE_KEYS = ("first_stage_model.", "vae.")
_TEXT_ENCODER_KEYS = ("cond_stage_model.", "conditioner.", "text_encoders.")

# Which family a flag of the loaded model stands for, where the file's header cannot be read or says nothing known.
_FLAGS = (("is_sd3", Family.SD3), ("is_sdxl", Family.SDXL), ("is_sd2", Family.SD2), ("is_sd1", Family.SD1))
# A pickled file that is not loaded: nearly all of them are SD 1.
_PICKLED_SIDE = Family.SD1.native_side
# What the web UIs give every upscaler; and larger files are no upscalers that spandrel reads (LDSR has 2 GB).
_CHANNELS, _LARGEST = 3, 1 << 30


def facts(name: str = "") -> ModelFacts:
    """The named checkpoint, or the one that the user chose. Raises HostError where there is none."""
    info = probe.checkpoint_info(name)
    family, side, variant = _family(info)
    return ModelFacts(info.name_for_extra, family, side, variant)


def stands_alone_beside(name: str) -> bool:
    """Whether a checkpoint is of another family than the chosen one and has VAE and text encoders in its own file.

    What the user chose beside the base then does not fit it. Raises HostError where there is no such checkpoint.
    """
    other, own = _family(probe.checkpoint_info(name))[0], _family(probe.checkpoint_info())[0]
    if Family.UNKNOWN.value in (other, own) or other == own:
        return False
    path = probe.checkpoint_info(name).filename
    return _is_whole(path, _stamp(path))


def choices(detectors: Sequence[str]) -> dict[str, list[str]]:
    """What this host offers for the controls that name something of it."""
    names, checkpoints = [item.name for item, _ in _upscalers_here()], probe.checkpoint_names()
    return {
        "sampler": list(probe.samplers()),
        "scheduler": list(probe.schedulers()),
        "checkpoint": checkpoints,
        "refiner_checkpoint": checkpoints,
        "vae": list(probe.vaes()),
        "upscaler": [AUTO_UPSCALER, *names, LANCZOS, *shared.latent_upscale_modes],
        "enlarger": [AUTO_UPSCALER, *names],
        "detector": list(detectors),
        "restore": list(restoration.names()),
    }


def identity(name: str = "") -> str:
    """Changes when the checkpoint's file does."""
    info = probe.checkpoint_info(name)
    return f"{info.name}:{info.sha256 or info.hash}:{_stamp(info.filename)}"


def upscalers() -> tuple[UpscalerFacts, ...]:
    """The upscaler models whose files are here; those that the host would have to download first are left out."""
    found = []
    for item, file in _upscalers_here():
        facts = _file_facts(file)
        scale, problem = (_scale(item), "") if facts is None else (facts.scale, facts.problem)
        found.append(UpscalerFacts(item.name, scale, f"{item.name}:{file}:{_stamp(file)}", problem))
    return tuple(found)


def upscale(name: str, pixels: Array, watch: Watch) -> Array:
    """Through a model once, in tiles and in the precision that the web UI is set to. Raises HostError and Interrupted.

    Called directly: the web UI's own way to a size runs no 1x model and rounds to multiples of 8. A model of one or
    four channels, which the web UI gives three, runs in Finisher's own tiles.
    """
    item, file = next((found for found in _upscalers_here() if found[0].name == name), (None, ""))
    if item is None:
        raise HostError(f"There is no upscaler {name!r} here.")
    facts = _file_facts(file)
    if facts is not None and facts.problem:
        raise HostError(f"{facts.problem}.")
    scale = _scale(item) if facts is None else facts.scale
    if pixels.shape[0] * pixels.shape[1] * scale**2 > MOST_SIDE**2:
        raise HostError(f"The upscaler {name} would make more than {MOST_SIDE} × {MOST_SIDE} pixels.")
    if facts is not None and facts.channels != _CHANNELS:
        return _other_channels(name, file, pixels, watch)
    given = Image.fromarray(to_uint8(pixels))
    invalid: list[str] = []
    try:
        # The host rounds what is no number to black, which numpy tells nobody but here.
        with np.errstate(invalid="call", call=lambda kind, _: invalid.append(kind)):
            result = item.scaler.do_upscale(given, item.data_path)
    # Whatever the host's or an extension's code raises concerns this model alone.
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"The upscaler {name} ran out of memory; smaller tiles in the settings help.") from error
        raise HostError(f"The upscaler {name} failed: {type(error).__name__}: {error}") from error
    # The host answers an interruption and a model that it cannot load alike: with the picture it was given.
    if shared.state.interrupted:
        raise Interrupted
    if invalid:
        raise HostError(
            f"The upscaler {name} gave values that are not numbers; half precision is the usual cause, "
            "so full precision or another model may help."
        )
    if not isinstance(result, Image.Image):
        raise HostError(f"The upscaler {name} gave no picture; the host's log says why.")
    if result is given or (result.size == given.size and scale > 1 and result.tobytes() == given.tobytes()):
        raise HostError(f"The upscaler {name} gave the picture back unchanged; the host's log says why.")
    if abs(result.width * given.height - result.height * given.width) > max(result.size):
        raise HostError(f"The upscaler {name} gave a picture of another shape: {result.size} for {given.size}.")
    return np.asarray(result.convert("RGB"), dtype=np.float32) / np.float32(255)


def _other_channels(name: str, file: str, pixels: Array, watch: Watch) -> Array:
    descriptor = upscaler_file.loaded(Path(file))
    device = torch.device(devices.device)
    descriptor.to(device)
    if device.type == "cuda" and descriptor.supports_half:
        descriptor.half()
    try:
        return TiledModel(name, descriptor)(pixels, watch)
    finally:
        # As the host does with its own: an upscaler is loaded for one picture.
        del descriptor
        devices.torch_gc()


def _upscalers_here() -> list[tuple[Any, str]]:
    """The host's records of upscalers and their files."""
    return [(item, file) for item in shared.sd_upscalers if (file := _local_file(item))]


@functools.cache
def _known_models() -> upscaler_file.KnownModels:
    return upscaler_file.KnownModels(Path(paths_internal.data_path) / "finisher" / "upscalers.json")


def _file_facts(file: str) -> upscaler_file.ModelFacts | None:
    """What spandrel reads in a model's file; None where it cannot, for the host may know other kinds of file."""
    try:
        if upscaler_file.missing_packages() or Path(file).stat().st_size > _LARGEST:
            return None
        facts = _known_models().of(Path(file))
    except OSError:
        return None
    return None if facts.unreadable else facts


def _scale(item: Any) -> int:
    """The web UIs call every file in their ESRGAN folder a 4x model; the name knows better."""
    return scale_told(item.name) or int(item.scale)


def _local_file(item: Any) -> str:
    for name in ("local_data_path", "data_path"):
        path = getattr(item, name, None)
        if path and Path(path).is_file():
            return str(path)
    return ""


def _family(info: Any) -> tuple[str, int, str]:
    found = _detected(info.filename, _stamp(info.filename))
    if found is not None and found[0] != Family.UNKNOWN.value:
        return found
    # Forge has a model without a checkpoint before its first one.
    model = shared.sd_model
    loaded = getattr(model, "sd_checkpoint_info", None)
    if loaded is not None and loaded.filename == info.filename:
        for flag, family in _FLAGS:
            if getattr(model, flag, False):
                return family.value, family.native_side, ""
    return found or (Family.UNKNOWN.value, _PICKLED_SIDE, "")


@functools.lru_cache(maxsize=64)
def _detected(path: str, stamp: int) -> tuple[str, int, str] | None:
    try:
        found = detect(path)
    except (HeaderError, OSError) as error:
        logger.debug("The family of %s cannot be read from its header: %s", path, error)
        return None
    return found.family.value, found.native_side, found.variant


@functools.lru_cache(maxsize=64)
def _is_whole(path: str, stamp: int) -> bool:
    try:
        keys = read_header(path)
    except (HeaderError, OSError):
        return False
    return all(any(key.startswith(part) for key in keys) for part in (_VAE_KEYS, _TEXT_ENCODER_KEYS))


def _stamp(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
