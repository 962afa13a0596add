"""The host's random sources, replaced inside a nested call by noise cut from one field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from lib_finisher.hosts.port import NoiseSource

_TREE = 1_000_000
_DEPTH = 14
_KEPT = 4


class FieldNoise:
    """Stands where the host has `p.rng`: the k-th `next()` is the k-th map of every element's field."""

    def __init__(self, sources: Sequence[NoiseSource], latent: torch.Tensor, scale: int) -> None:
        self._sources = tuple(sources)
        self._shape = tuple(latent.shape)
        self._device = latent.device
        self._scale = scale
        self._count = 0

    def next(self) -> torch.Tensor:
        """The next map, a fresh copy: the host multiplies it in place."""
        self._count += 1
        return self.draw(self._count - 1)

    def draw(self, index: int) -> torch.Tensor:
        """The map of that number."""
        channels, height, width = self._shape[1], self._shape[-2], self._shape[-1]
        # Some devices have no floats of 64 bits.
        maps = [source.draw(index, channels, height, width, self._scale) for source in self._sources]
        return torch.from_numpy(np.stack(maps).astype(np.float32, copy=False)).to(self._device).reshape(self._shape)


class FieldBrownian:
    """One Brownian motion over the sigmas, for SDE samplers: overlapping and nested intervals agree.

    Its value anywhere follows from maps of the field by halving the whole range again and again, so it does not
    matter in which order intervals are asked for.
    """

    def __init__(self, noise: FieldNoise, low: float, high: float) -> None:
        self._noise = noise
        self._low = low
        self._span = max(high - low, 1e-12)
        self._end = noise.draw(_TREE)
        self._values: dict[float, torch.Tensor] = {}

    def __call__(self, sigma: Any, sigma_next: Any) -> torch.Tensor:
        """The noise between two sigmas, of unit variance."""
        begin, end = self._place(sigma), self._place(sigma_next)
        return (self._at(end) - self._at(begin)) / math.sqrt(max(abs(end - begin), 1e-12))

    def _place(self, sigma: Any) -> float:
        return min(1.0, max(0.0, (float(torch.as_tensor(sigma).max()) - self._low) / self._span))

    def _at(self, place: float) -> torch.Tensor:
        if place not in self._values:
            if len(self._values) >= _KEPT:
                del self._values[next(iter(self._values))]
            self._values[place] = self._walk(place)
        return self._values[place]

    def _walk(self, place: float) -> torch.Tensor:
        left, right, node = 0.0, 1.0, 1
        at_left, at_right = torch.zeros_like(self._end), self._end
        for _ in range(_DEPTH):
            if place in (left, right):
                break
            middle = (left + right) / 2
            bridge = math.sqrt(right - left) / 2 * self._noise.draw(_TREE + node)
            value = (at_left + at_right) / 2 + bridge
            if place < middle:
                right, at_right, node = middle, value, 2 * node
            else:
                left, at_left, node = middle, value, 2 * node + 1
        share = (place - left) / (right - left)
        return at_left + (at_right - at_left) * share
