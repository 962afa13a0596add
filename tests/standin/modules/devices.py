"""The one device: the CPU in single precision."""

from __future__ import annotations

import contextlib
import gc

import torch

cpu = torch.device("cpu")
device = device_interrogate = cpu
dtype = dtype_vae = dtype_unet = torch.float32
unet_needs_upcast = False
fp8 = False


class NansException(Exception):
    pass


def torch_gc():
    gc.collect(0)


def autocast(disable=False):
    return contextlib.nullcontext()


def without_autocast(disable=False):
    return contextlib.nullcontext()


def cond_cast_float(x):
    return x.float()


def test_for_nans(x, where):
    if torch.all(torch.isnan(x)).item():
        raise NansException(f"A tensor with all NaNs was produced in {where}.")
