"""Noise schedules."""

from __future__ import annotations

import dataclasses

import torch


@dataclasses.dataclass
class Scheduler:
    name: str
    label: str
    function: object
    default_rho: float = -1
    need_inner_model: bool = False
    aliases: list = None


def _ended(levels):
    return torch.cat([torch.as_tensor(levels, dtype=torch.float32), torch.zeros(1)])


def uniform(n, sigma_min, sigma_max, inner_model, device="cpu"):
    return inner_model.get_sigmas(n)


def karras(n, sigma_min, sigma_max, rho=7.0, device="cpu"):
    ramp = torch.linspace(0, 1, n)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return _ended((high + ramp * (low - high)) ** rho)


def exponential(n, sigma_min, sigma_max, device="cpu"):
    first, last = torch.tensor(float(sigma_max)).log(), torch.tensor(float(sigma_min)).log()
    return _ended(torch.linspace(first.item(), last.item(), n).exp())


def simple(n, sigma_min, sigma_max, inner_model, device="cpu"):
    stride = len(inner_model.sigmas) / n
    return _ended([float(inner_model.sigmas[-(1 + int(number * stride))]) for number in range(n)])


schedulers = [
    Scheduler("automatic", "Automatic", None),
    Scheduler("uniform", "Uniform", uniform, need_inner_model=True),
    Scheduler("karras", "Karras", karras, default_rho=7.0),
    Scheduler("exponential", "Exponential", exponential),
    Scheduler("simple", "Simple", simple, need_inner_model=True),
]
schedulers_map = {key: item for item in schedulers for key in (item.name, item.label)}
