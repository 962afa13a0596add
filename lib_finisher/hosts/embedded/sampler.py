"""Sampling with the denoiser: Euler and Euler a, soft and differential masks, noise from the picture's field."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lib_finisher.hosts.embedded.denoiser import SIGMA_DATA
from lib_finisher.hosts.port import Array, Element

EULER, EULER_A = "Euler", "Euler a"
SAMPLERS = (EULER, EULER_A)

# Chosen by measurement (bench/denoisers.py): at denoising strength 0.3 edges stay and fine texture is redrawn.
_SHIFT = 0.4

# A mask that was blurred or resized may fall short of 1 by this and is still meant to be 1.
_NEARLY = 1e-3

Clean = Callable[[Array, float], Array]


def start_angle(denoising_strength: float) -> float:
    """The angle at which sampling begins: 0 at strength 0, pi/2 (pure noise, the input gone) at strength 1.

    sigma = 0.4 s / (1 - s) in pixel values of -1..1: the schedule of a rectified flow, shifted (Esser et al. 2024).
    """
    if denoising_strength >= 1.0:
        return math.pi / 2
    return math.atan(_SHIFT * denoising_strength / (1.0 - denoising_strength) / SIGMA_DATA)


@dataclass(eq=False)
class Trajectory:
    """One element on its way from noise to picture."""

    element: Element
    z: Array
    original: Array
    draws: int

    @classmethod
    def begin(cls, element: Element, phi: float, noise_multiplier: float = 1.0) -> Trajectory:
        """The element with noise of that angle added: z = cos(phi) x / sigma_data + sin(phi) k n.

        k is `noise_multiplier`. The denoiser still takes its level to be that of k = 1: noise that is left over becomes
        texture, noise that is missing makes the result smoother. Noise that is drawn later is not scaled.
        """
        original = np.asarray(element.pixels * 2.0 - 1.0, dtype=np.float32)
        noise = _noise(element, 0, original.shape)
        z = math.cos(phi) / SIGMA_DATA * original + math.sin(phi) * noise_multiplier * noise
        return cls(element, np.asarray(z, dtype=np.float32), original, 1)

    def step(self, clean: Clean, phi: float, following: float, ancestral: bool, share: float | None = None) -> None:
        """One evaluation of the denoiser, then on to the angle `following`.

        The mask says how much each pixel changes. With `share`, that of the steps that are done (0 in the first), the
        mask is differential: pixels where it is at least 1 - share change wholly, the others not at all.
        """
        picture = clean(self.z, phi)
        if self.element.mask is not None:
            # The kept part follows its own noise path, so that what is drawn always sees a true context.
            mask = self.element.mask[..., None]
            if share is not None:
                mask = (mask >= np.float32(1.0 - share - _NEARLY)).astype(np.float32)
            picture = picture * mask + self.original * (1.0 - mask)
        noise = (self.z - math.cos(phi) / SIGMA_DATA * picture) / math.sin(phi)
        down, up = _ancestral_split(phi, following) if ancestral else (math.tan(following), 0.0)
        scale = math.cos(following)
        z = scale / SIGMA_DATA * picture + scale * down * noise
        if up > 0.0:
            z = z + scale * up * _noise(self.element, self.draws, self.original.shape)
            self.draws += 1
        self.z = np.asarray(z, dtype=np.float32)

    def picture(self) -> Array:
        """The sampled picture, 0..1. Meaningful once the angle 0 is reached."""
        return np.clip((self.z * SIGMA_DATA + 1.0) * 0.5, 0.0, 1.0, dtype=np.float32)


def _ancestral_split(phi: float, following: float) -> tuple[float, float]:
    """(kept, fresh) noise levels as tangents, like `get_ancestral_step` of k-diffusion with eta 1."""
    tangent = math.tan(following)
    ratio = 0.0 if phi >= math.pi / 2 else (tangent / math.tan(phi)) ** 2
    up = min(tangent, tangent * math.sqrt(max(0.0, 1.0 - ratio)))
    return math.sqrt(max(0.0, tangent**2 - up**2)), up


def _noise(element: Element, index: int, shape: tuple[int, ...]) -> Array:
    drawn = element.noise.draw(index, 3, shape[0], shape[1], 1)
    return np.ascontiguousarray(drawn.transpose(1, 2, 0))
