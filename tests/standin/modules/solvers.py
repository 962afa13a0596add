"""Samplers over noise levels, in the usual form: model(x, sigma, …) gives the clean latents."""

from __future__ import annotations

import math
from itertools import pairwise

import torch


class Source:
    """Where samplers without a noise sampler of their own draw from; set when a sampling begins."""

    torch = torch


def ancestral(sigma, following, eta):
    """(level to go down to, level of fresh noise)."""
    if not eta:
        return following, 0.0
    up = min(following, eta * math.sqrt(following**2 * (sigma**2 - following**2) / sigma**2))
    return math.sqrt(following**2 - up**2), up


def _walk(sigmas):
    levels = [float(value) for value in sigmas]
    return enumerate(pairwise(levels))


class _Model:
    """The model at one number for the whole batch, and the report of each step."""

    def __init__(self, model, x, extra_args, callback):
        self.model, self.extra, self.callback = model, extra_args or {}, callback
        self.ones = x.new_ones([x.shape[0]])

    def __call__(self, x, sigma):
        return self.model(x, sigma * self.ones, **self.extra)

    def tell(self, number, x, sigma, denoised):
        if self.callback is not None:
            told = torch.tensor(sigma)
            self.callback({"x": x, "i": number, "sigma": told, "sigma_hat": told, "denoised": denoised})


def _towards(x, clean, sigma, following):
    """One straight step, or the clean latents themselves at the end."""
    return clean + (x - clean) * (following / sigma)


def sample_euler(
    model, x, sigmas, extra_args=None, callback=None, disable=None, s_churn=0.0, s_tmin=0.0, s_tmax=float("inf"),
    s_noise=1.0,
):  # fmt: skip
    ask = _Model(model, x, extra_args, callback)
    for number, (sigma, following) in _walk(sigmas):
        churn = min(s_churn / (len(sigmas) - 1), 2**0.5 - 1) if s_tmin <= sigma <= s_tmax else 0.0
        # Drawn at every step, also where it is not used: the count of draws is part of a picture.
        noise = Source.torch.randn_like(x) * s_noise
        raised = sigma * (churn + 1)
        if churn > 0:
            x = x + noise * math.sqrt(raised**2 - sigma**2)
        clean = ask(x, raised)
        ask.tell(number, x, sigma, clean)
        x = _towards(x, clean, raised, following)
    return x


def sample_heun(
    model, x, sigmas, extra_args=None, callback=None, disable=None, s_churn=0.0, s_tmin=0.0, s_tmax=float("inf"),
    s_noise=1.0,
):  # fmt: skip
    ask = _Model(model, x, extra_args, callback)
    for number, (sigma, following) in _walk(sigmas):
        Source.torch.randn_like(x)
        clean = ask(x, sigma)
        ask.tell(number, x, sigma, clean)
        slope = (x - clean) / sigma
        ahead = x + slope * (following - sigma)
        if following > 0:
            slope = (slope + (ahead - ask(ahead, following)) / following) / 2
            ahead = x + slope * (following - sigma)
        x = ahead
    return x


def sample_euler_ancestral(
    model, x, sigmas, extra_args=None, callback=None, disable=None, eta=1.0, s_noise=1.0, noise_sampler=None
):
    ask = _Model(model, x, extra_args, callback)
    for number, (sigma, following) in _walk(sigmas):
        clean = ask(x, sigma)
        ask.tell(number, x, sigma, clean)
        down, up = ancestral(sigma, following, eta)
        x = _towards(x, clean, sigma, down)
        if following > 0:
            x = x + Source.torch.randn_like(x) * s_noise * up
    return x


def sample_dpmpp_2s_ancestral(
    model, x, sigmas, extra_args=None, callback=None, disable=None, eta=1.0, s_noise=1.0, noise_sampler=None
):
    ask = _Model(model, x, extra_args, callback)
    for number, (sigma, following) in _walk(sigmas):
        clean = ask(x, sigma)
        ask.tell(number, x, sigma, clean)
        down, up = ancestral(sigma, following, eta)
        if down > 0:
            middle = math.sqrt(sigma * down)
            clean = ask(_towards(x, clean, sigma, middle), middle)
        x = _towards(x, clean, sigma, down)
        if following > 0:
            x = x + Source.torch.randn_like(x) * s_noise * up
    return x


def sample_dpmpp_2m(model, x, sigmas, extra_args=None, callback=None, disable=None):
    ask = _Model(model, x, extra_args, callback)
    before = None
    for number, (sigma, following) in _walk(sigmas):
        clean = used = ask(x, sigma)
        ask.tell(number, x, sigma, clean)
        if before is not None and following > 0:
            older, level = before
            share = math.log(sigma / following) / math.log(level / sigma) / 2
            used = clean + share * (clean - older)
        x = _towards(x, used, sigma, following)
        before = clean, sigma
    return x


def sample_dpmpp_sde(
    model, x, sigmas, extra_args=None, callback=None, disable=None, eta=1.0, s_noise=1.0, noise_sampler=None, r=0.5
):
    ask = _Model(model, x, extra_args, callback)
    for number, (sigma, following) in _walk(sigmas):
        clean = ask(x, sigma)
        ask.tell(number, x, sigma, clean)
        if following == 0:
            x = clean
            continue
        middle = math.exp((1 - r) * math.log(sigma) + r * math.log(following))
        down, up = ancestral(sigma, middle, eta)
        half = _towards(x, clean, sigma, down) + noise_sampler(sigma, middle) * s_noise * up
        second = ask(half, middle)
        down, up = ancestral(sigma, following, eta)
        share = 1 / (2 * r)
        x = _towards(x, (1 - share) * clean + share * second, sigma, down)
        x = x + noise_sampler(sigma, following) * s_noise * up
    return x


def sample_dpmpp_2m_sde(
    model, x, sigmas, extra_args=None, callback=None, disable=None, eta=1.0, s_noise=1.0, noise_sampler=None,
    solver_type="midpoint",
):  # fmt: skip
    ask = _Model(model, x, extra_args, callback)
    before = None
    for number, (sigma, following) in _walk(sigmas):
        clean = ask(x, sigma)
        ask.tell(number, x, sigma, clean)
        if following == 0:
            x = clean
        else:
            length = math.log(sigma / following)
            total = length * (1 + eta)
            x = following / sigma * math.exp(-length * eta) * x - math.expm1(-total) * clean
            if before is not None:
                older, last = before
                grown = math.expm1(-total) / total + 1 if solver_type == "heun" else -math.expm1(-total) / 2
                x = x + grown * (length / last) * (clean - older)
            x = x + noise_sampler(sigma, following) * following * math.sqrt(-math.expm1(-2 * eta * length)) * s_noise
        # Of one step alone this fails, as the host's does: there never was a length.
        before = clean, length
    return x


def sample_lcm(model, x, sigmas, extra_args=None, callback=None, disable=None, noise_sampler=None):
    ask = _Model(model, x, extra_args, callback)
    for number, (sigma, following) in _walk(sigmas):
        x_before, x = x, ask(x, sigma)
        ask.tell(number, x_before, sigma, x)
        if following > 0:
            x = x + following * Source.torch.randn_like(x)
    return x


class BrownianTree:
    """One Brownian motion over the noise levels for each seed; nested intervals agree."""

    _DEPTH = 12

    def __init__(self, x, sigma_min, sigma_max, seed):
        self.shape, self.seeds = x.shape[1:], list(seed)
        self.low, self.span = float(sigma_min), max(float(sigma_max) - float(sigma_min), 1e-9)

    def __call__(self, sigma, following):
        begin, end = (min(1.0, max(0.0, (float(level) - self.low) / self.span)) for level in (sigma, following))
        scale = math.sqrt(max(abs(end - begin), 1e-9))
        return torch.stack([(self._at(seed, end) - self._at(seed, begin)) / scale for seed in self.seeds])

    def _at(self, seed, place):
        left, right, node = 0.0, 1.0, 1
        at_left, at_right = torch.zeros(self.shape), self._drawn(seed, 0)
        for _ in range(self._DEPTH):
            middle = (left + right) / 2
            value = (at_left + at_right) / 2 + self._drawn(seed, node) * math.sqrt(right - left) / 2
            if place < middle:
                right, at_right, node = middle, value, 2 * node
            else:
                left, at_left, node = middle, value, 2 * node + 1
        return at_left + (at_right - at_left) * ((place - left) / (right - left))

    def _drawn(self, seed, node):
        mixed = (int(seed) * 1_000_003 + node * 7919 + 11) % (1 << 62)
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(mixed))
