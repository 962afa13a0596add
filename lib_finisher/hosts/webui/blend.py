"""Soft and differential masks: at every step the prediction is blended with the original, element by element.

The host's own mask would be rounded, and Forge adds noise of the global generator to what it keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from modules import script_callbacks

from lib_finisher.hosts.webui import probe
from lib_finisher.hosts.webui.steps import Steps

# A mask that was blurred or resized may fall short of 1 by this and is still meant to be 1.
_NEARLY = 1e-3


class Blend:
    """The original latents of a running nested call and how much of each cell may change (N, 1, height, width).

    With `steps` the mask is differential: a cell changes wholly once the share 1 - m of the steps is done, and not at
    all before.
    """

    def __init__(self, original: torch.Tensor, strength: torch.Tensor, steps: Steps | None = None) -> None:
        self.original = original
        self.strength = strength
        self.steps = steps
        self._noisy: torch.Tensor | None = None
        self._sigma: torch.Tensor | None = None
        self._denoiser: Any = None

    def remember(self, params: Any) -> None:
        """Keep what the step began with; the unconditional part stands last."""
        count = self.original.shape[0]
        self._noisy, self._sigma = params.x[-count:], params.sigma[-count:]
        self._denoiser = getattr(params, "denoiser", None)

    def apply(self, prediction: torch.Tensor) -> torch.Tensor:
        """The prediction with the original where nothing may change."""
        original = self.original.to(prediction)
        if probe.delivers_noise(self._denoiser) and self._noisy is not None and self._sigma is not None:
            share = self._signal_share(self._sigma).to(prediction)
            original = (self._noisy - share.sqrt() * original) / (1.0 - share).clamp(min=1e-6).sqrt()
        strength = self._strength_now().to(prediction)
        return prediction * strength + original * (1.0 - strength)

    def finish(self, samples: torch.Tensor) -> torch.Tensor:
        """The finished latents, with the original back wherever nothing at all was to change."""
        touched = (self.strength > 0).to(samples)
        return samples * touched + self.original.to(samples) * (1.0 - touched)

    def _strength_now(self) -> torch.Tensor:
        if self.steps is None or self._sigma is None:
            return self.strength
        share = self.steps.reach(float(self._sigma.max()))
        return (self.strength >= 1.0 - share - _NEARLY).to(self.strength)

    def _signal_share(self, times: torch.Tensor) -> torch.Tensor:
        """The cumulative alpha at (possibly fractional) timesteps."""
        table = self._denoiser.alphas
        times = times.to(table).clamp(0, len(table) - 1)
        low, high = times.floor().long(), times.ceil().long()
        part = times - low
        share = torch.exp(torch.lerp(table[low].log(), table[high].log(), part))
        return share.reshape(-1, *[1] * (self.original.ndim - 1))


class _Running:
    """The blend of the nested call that runs now; nothing outside one."""

    blend: Blend | None = None


@contextmanager
def blending(blend: Blend | None) -> Iterator[None]:
    """Let the callbacks act, and only within this block."""
    _Running.blend = blend
    try:
        yield
    finally:
        _Running.blend = None


def register() -> None:
    """Register the callbacks; called once whenever the host loads its scripts."""
    remove = getattr(script_callbacks, "remove_callbacks_for_function", None)
    for add, callback in ((script_callbacks.on_cfg_denoiser, _before), (script_callbacks.on_cfg_after_cfg, _after)):
        if remove is not None:
            remove(callback)
        add(callback)


def _before(params: Any) -> None:
    if _Running.blend is not None:
        _Running.blend.remember(params)


def _after(params: Any) -> None:
    blend = _Running.blend
    if blend is not None and params.x.shape == blend.original.shape:
        params.x = blend.apply(params.x)
