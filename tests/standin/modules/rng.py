"""Noise: one generator an image, so that a picture does not depend on its batch."""

from __future__ import annotations

import torch

from modules import shared


def randn(seed, shape, generator=None):
    # The host seeds torch's global generator as well, which its VAE then draws from.
    torch.manual_seed(int(seed))
    own = generator or torch.Generator().manual_seed(int(seed))
    return torch.randn(shape, generator=own)


def create_generator(seed):
    return torch.Generator().manual_seed(int(seed))


def slerp(val, low, high):
    flat_low, flat_high = low.flatten(1), high.flatten(1)
    cosine = (torch.nn.functional.normalize(flat_low, dim=1) * torch.nn.functional.normalize(flat_high, dim=1)).sum(1)
    if cosine.mean() > 0.9995:
        return low * (1 - val) + high * val
    angle = torch.acos(cosine).reshape(-1, *[1] * (low.ndim - 1))
    return (torch.sin((1 - val) * angle) * low + torch.sin(val * angle) * high) / torch.sin(angle)


class ImageRNG:
    def __init__(
        self, shape, seeds, subseeds=None, subseed_strength=0.0, seed_resize_from_h=0, seed_resize_from_w=0
    ):  # fmt: skip
        self.shape = tuple(map(int, shape))
        self.seeds, self.subseeds, self.subseed_strength = seeds, subseeds, subseed_strength
        self.seed_resize_from_h, self.seed_resize_from_w = seed_resize_from_h, seed_resize_from_w
        self.generators = [create_generator(seed) for seed in seeds]
        self.is_first = True

    def first(self):
        maps = []
        for index, (seed, generator) in enumerate(zip(self.seeds, self.generators)):
            noise = randn(seed, self.shape, generator=generator)
            if self.subseeds is not None and self.subseed_strength != 0:
                other = randn(self.subseeds[index] if index < len(self.subseeds) else 0, self.shape)
                noise = slerp(self.subseed_strength, noise, other)
            maps.append(noise)
        delta = shared.opts.eta_noise_seed_delta or 0
        if delta:
            self.generators = [create_generator(seed + delta) for seed in self.seeds]
        return torch.stack(maps)

    def next(self):
        if self.is_first:
            self.is_first = False
            return self.first()
        return torch.stack([torch.randn(self.shape, generator=generator) for generator in self.generators])
