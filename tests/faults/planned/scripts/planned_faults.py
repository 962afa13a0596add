"""An extension for the stand-in only: counts the host's calls while Finisher works, and lets a chosen one fail.

`fault.json` in the data folder names the call, counted from 0, and the fault; `calls.json` then lists the calls.
"""

import functools
import json
from pathlib import Path

import numpy as np
import torch
from modules import (
    extra_networks,
    face_restoration,
    paths_internal,
    processing,
    processing_img2img,
    processing_object,
    sd_models,
    sd_samplers_cfg_denoiser,
    shared,
    upscaler,
)
from PIL import Image

PLAN, CALLS = (Path(paths_internal.data_path) / name for name in ("fault.json", "calls.json"))


class Faults:
    """What was called since the plan changed."""

    def __init__(self):
        self.plan, self.names = {}, []


FAULTS = Faults()


def inside():
    return str(shared.state.job or "").startswith("Finisher")


def planned(name):
    """The fault that strikes this call, "" for none."""
    if not inside() or not PLAN.exists():
        return ""
    plan = json.loads(PLAN.read_text())
    if plan != FAULTS.plan:
        FAULTS.plan, FAULTS.names = plan, []
    number = len(FAULTS.names)
    FAULTS.names.append(name)
    CALLS.write_text(json.dumps(FAULTS.names))
    strikes = number >= plan["call"] if plan["fault"] == "memory for good" else number == plan["call"]
    return plan["fault"] if strikes else ""


def strike(fault):
    if fault == "exception":
        raise RuntimeError("a planned fault")
    if fault == "strange exception":
        raise KeyError("planned")
    if fault.startswith("memory"):
        raise torch.cuda.OutOfMemoryError("out of memory, as planned")
    if fault == "interruption":
        shared.state.interrupt()
    if fault == "skip":
        shared.state.skip()


def spoilt(result, fault):
    """What a call gives, spoilt; the result itself where the fault does not concern results."""
    if isinstance(result, list) and result and isinstance(result[0], torch.Tensor):
        if fault == "lost picture":
            return type(result)(result[:-1])
        return type(result)(spoilt(item, fault) for item in result)
    if isinstance(result, torch.Tensor):
        changed = {"not a number": lambda: torch.full_like(result, float("nan")), "wrong size": lambda: result[..., 8:]}
        changed["lost picture"] = lambda: result[:-1] if result.ndim == 4 else result
    elif isinstance(result, Image.Image):
        changed = {
            "not a number": lambda: Image.new(result.mode, result.size),
            "wrong size": lambda: result.crop((8, 0, *result.size)),
            "lost picture": lambda: None,
        }
    elif isinstance(result, np.ndarray):
        changed = {
            "not a number": lambda: np.zeros_like(result),
            "wrong size": lambda: result[8:],
            "lost picture": lambda: None,
        }
    else:
        changed = {}
    return changed.get(fault, lambda: result)()


def failing(name, act):
    act = getattr(act, "original", act)

    @functools.wraps(act)
    def with_faults(*args, **kwargs):
        fault = planned(name)
        strike(fault)
        return spoilt(act(*args, **kwargs), fault)

    with_faults.original = act
    return with_faults


def failing_step(forward):
    """A sampling counts once: its second step, or its only one."""
    forward = getattr(forward, "original", forward)

    @functools.wraps(forward)
    def with_faults(self, *args, **kwargs):
        # The sampler was made for one call alone.
        counted = getattr(self, "planned_fault_counted", False)
        fault = ""
        if not counted and (self.step >= 1 or self.total_steps == 1):
            self.planned_fault_counted = True
            fault = planned("step")
        strike(fault)
        result = forward(self, *args, **kwargs)
        # Here a picture cannot be lost: the sampler would take what is there for all of them.
        return result if fault == "lost picture" else spoilt(result, fault)

    with_faults.original = forward
    return with_faults


for holder, attribute, name in (
    (processing_img2img, "images_tensor_to_samples", "encode"),
    (processing, "decode_latent_batch", "decode"),
    (processing_object.StableDiffusionProcessing, "setup_conds", "conditioning"),
    (extra_networks, "activate", "networks"),
    (sd_models, "reload_model_weights", "checkpoint"),
    (upscaler.UpscalerFile, "do_upscale", "upscaler"),
    (face_restoration.CommonFaceRestoration, "restore", "restoration"),
):
    setattr(holder, attribute, failing(name, getattr(holder, attribute)))
denoiser = sd_samplers_cfg_denoiser.CFGDenoiser
denoiser.forward = failing_step(denoiser.forward)
