"""Networks with the full layout of Stable Diffusion 1 and random weights: what a card has to bear, without a download.

UNet: 320, 640, 1280, 1280 channels, two blocks a level, attention over 77 tokens of 768 in the first three (800 M
parameters at width 1). VAE: 128, 256, 512, 512 channels, two blocks a level. `width` scales all channels, for trials on
a machine without a card.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LATENT, CELL, TOKENS, CONTEXT = 4, 8, 77, 768
_GROUPS, _HEADS = 8, 8


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(32, _GROUPS * max(1, channels // 64)), channels)


class ResBlock(nn.Module):
    """Two convolutions with the time between them, and the input added."""

    def __init__(self, before: int, after: int, time: int = 0) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1))
        self.second = nn.Sequential(_norm(after), nn.SiLU(), nn.Conv2d(after, after, 3, padding=1))
        self.time = nn.Linear(time, after) if time else None
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """(N, before, height, width) to (N, after, height, width); the time is (N, time)."""
        inside = self.first(x)
        if self.time is not None and time is not None:
            inside = inside + self.time(functional.silu(time))[:, :, None, None]
        skipped: Tensor = self.skip(x)
        return skipped + self.second(inside)


class Attention(nn.Module):
    """Self-attention, attention to the context where there is one, and the feed-forward layer."""

    def __init__(self, channels: int, context: int = 0, heads: int = _HEADS) -> None:
        super().__init__()
        self.norm, self.heads = _norm(channels), heads
        self.own = nn.Linear(channels, 3 * channels, bias=False)
        self.query = nn.Linear(channels, channels, bias=False) if context else None
        self.told = nn.Linear(context, 2 * channels, bias=False) if context else None
        self.before, self.after = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.gated, self.narrowed = nn.Linear(channels, 8 * channels), nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(N, channels, height, width) to the same; the context is (N, tokens, context)."""
        count, channels, height, width = x.shape
        tokens = self.before(self.norm(x).flatten(2).transpose(1, 2))
        tokens = tokens + self._attended(*self.own(tokens).chunk(3, dim=-1))
        if self.query is not None and self.told is not None and context is not None:
            tokens = tokens + self._attended(self.query(tokens), *self.told(context).chunk(2, dim=-1))
        wide, gate = self.gated(tokens).chunk(2, dim=-1)
        tokens = self.after(tokens + self.narrowed(wide * functional.gelu(gate)))
        return x + tokens.transpose(1, 2).reshape(count, channels, height, width)

    def _attended(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        heads = [item.reshape(*item.shape[:2], self.heads, -1).transpose(1, 2) for item in (query, key, value)]
        found = functional.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        return found.transpose(1, 2).flatten(2)


class UNet(nn.Module):
    """Predicts the noise: x (N, 4, height, width), the time (N,), the context (N, 77, 768)."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        base = _channels(320, width)
        levels = [base, 2 * base, 4 * base, 4 * base]
        self.base, time = base, 4 * base
        self.time = nn.Sequential(nn.Linear(base, time), nn.SiLU(), nn.Linear(time, time))
        self.entry = nn.Conv2d(LATENT, base, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skipped, channels = [base], base
        for number, wide in enumerate(levels):
            for _ in range(2):
                self.down.append(self._block(channels, wide, time, number < 3))
                channels = wide
                skipped.append(channels)
            if number < 3:
                self.down.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1))
                skipped.append(channels)
        self.middle = self._block(channels, channels, time, True)
        for number, wide in reversed(list(enumerate(levels))):
            for turn in range(3):
                self.up.append(self._block(channels + skipped.pop(), wide, time, number < 3))
                channels = wide
                if turn == 2 and number:
                    self.up.append(nn.Conv2d(channels, channels, 3, padding=1))
        self.exit = nn.Sequential(_norm(channels), nn.SiLU(), nn.Conv2d(channels, LATENT, 3, padding=1))

    @staticmethod
    def _block(before: int, after: int, time: int, attends: bool) -> nn.ModuleList:
        return nn.ModuleList([ResBlock(before, after, time), *([Attention(after, CONTEXT)] if attends else [])])

    def forward(self, x: Tensor, when: Tensor, context: Tensor) -> Tensor:
        """The noise in `x`."""
        half = self.base // 2
        frequencies = torch.exp(-math.log(10000.0) * torch.arange(half, device=x.device, dtype=torch.float32) / half)
        angles = when.float()[:, None] * frequencies[None]
        time = self.time(torch.cat([angles.cos(), angles.sin()], dim=-1).to(x.dtype))
        x = self.entry(x)
        skipped = [x]
        for layer in self.down:
            x = self._through(layer, x, time, context)
            skipped.append(x)
        x = self._through(self.middle, x, time, context)
        for layer in self.up:
            if isinstance(layer, nn.ModuleList):
                x = self._through(layer, torch.cat([x, skipped.pop()], dim=1), time, context)
            else:
                x = layer(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        noise: Tensor = self.exit(x)
        return noise

    @staticmethod
    def _through(layer: nn.Module, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        if not isinstance(layer, nn.ModuleList):
            smaller: Tensor = layer(x)
            return smaller
        x = layer[0](x, time)
        return layer[1](x, context) if len(layer) > 1 else x


class Vae(nn.Module):
    """Pictures (N, 3, height, width), -1..1, to latents (N, 4, height / 8, width / 8) and back."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        base = _channels(128, width)
        levels = [base, 2 * base, 4 * base, 4 * base]
        encoder: list[nn.Module] = [nn.Conv2d(3, base, 3, padding=1)]
        channels = base
        for number, wide in enumerate(levels):
            encoder += [ResBlock(channels, wide), ResBlock(wide, wide)]
            channels = wide
            if number < 3:
                encoder.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1))
        encoder += [Attention(channels, heads=1), _norm(channels), nn.SiLU(), nn.Conv2d(channels, LATENT, 3, padding=1)]
        decoder: list[nn.Module] = [nn.Conv2d(LATENT, channels, 3, padding=1), Attention(channels, heads=1)]
        for number, wide in reversed(list(enumerate(levels))):
            decoder += [ResBlock(channels, wide), ResBlock(wide, wide), ResBlock(wide, wide)]
            channels = wide
            if number:
                decoder += [nn.Upsample(scale_factor=2.0), nn.Conv2d(channels, channels, 3, padding=1)]
        decoder += [_norm(channels), nn.SiLU(), nn.Conv2d(channels, 3, 3, padding=1)]
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)


def _channels(full: int, width: float) -> int:
    return max(64, round(full * width / 64) * 64)
