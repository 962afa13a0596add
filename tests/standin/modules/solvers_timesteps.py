"""Samplers over timesteps: model(x, t, …) gives the noise."""

from __future__ import annotations

import math

import torch

from modules import shared
from modules.model import share_at
from modules.solvers import Source


def _step(x, noise, share, following, fresh=0.0):
    """From one cumulative alpha to the next."""
    clean = (x - math.sqrt(1 - share) * noise) / math.sqrt(share)
    return math.sqrt(following) * clean + math.sqrt(max(0.0, 1 - following - fresh**2)) * noise, clean


def _shares(timesteps):
    alphas = shared.sd_model.alphas_cumprod
    return [float(value) for value in alphas[timesteps]]


def ddim(model, x, timesteps, extra_args=None, callback=None, disable=None, eta=0.0):
    shares, ones = _shares(timesteps), x.new_ones([x.shape[0]])
    for number, place in enumerate(range(len(timesteps) - 1, 0, -1)):
        noise = model(x, timesteps[place].item() * ones, **(extra_args or {}))
        here, there = shares[place], shares[place - 1]
        fresh = eta * math.sqrt((1 - there) / (1 - here) * (1 - here / there))
        x, clean = _step(x, noise, here, there, fresh)
        x = x + fresh * Source.torch.randn_like(x)
        if callback is not None:
            callback({"x": x, "i": number, "sigma": 0, "sigma_hat": 0, "denoised": clean})
    return x


def plms(model, x, timesteps, extra_args=None, callback=None, disable=None):
    shares, ones, older = _shares(timesteps), x.new_ones([x.shape[0]]), []
    for number, place in enumerate(range(len(timesteps) - 1, 0, -1)):
        here, there = shares[place], shares[place - 1]
        noise = model(x, timesteps[place].item() * ones, **(extra_args or {}))
        if older:
            weights = {1: (3, -1), 2: (23, -16, 5), 3: (55, -59, 37, -9)}[len(older)]
            parts = (noise, *reversed(older))
            used = sum(weight * part for weight, part in zip(weights, parts)) / sum(weights)
        else:
            ahead, _ = _step(x, noise, here, there)
            used = (noise + model(ahead, timesteps[place - 1].item() * ones, **(extra_args or {}))) / 2
        older = [*older, noise][-3:]
        x, clean = _step(x, used, here, there)
        if callback is not None:
            callback({"x": x, "i": number, "sigma": 0, "sigma_hat": 0, "denoised": clean})
    return x


def unipc(model, x, timesteps, extra_args=None, callback=None, disable=None, is_img2img=False):
    """A multistep of second order at evenly spaced, fractional times, one call a step."""
    alphas, ones = shared.sd_model.alphas_cumprod, x.new_ones([x.shape[0]])
    last = float(timesteps[-1]) if is_img2img else 999.0
    times = torch.linspace(last, 0.4, len(timesteps) + 1)
    shares = [float(value) for value in share_at(alphas, times)]
    levels = [0.5 * math.log(share / (1 - share)) for share in shares]
    before = None
    for number in range(len(timesteps)):
        here, there = shares[number], shares[number + 1]
        noise = model(x, times[number].item() * ones, **(extra_args or {}))
        clean = used = (x - math.sqrt(1 - here) * noise) / math.sqrt(here)
        length = levels[number + 1] - levels[number]
        if before is not None:
            older, other = before
            used = clean + (clean - older) * (length / other / 2)
        grown = math.exp(-length)
        x = math.sqrt((1 - there) / (1 - here)) * x - math.sqrt(there) * (grown - 1) * used
        before = clean, length
        if callback is not None:
            callback({"x": x, "i": number, "sigma": 0, "sigma_hat": 0, "denoised": clean})
    return x
