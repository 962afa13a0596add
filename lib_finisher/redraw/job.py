"""One patch on its way through the engine: what the engine is given of it, and what its result depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import astuple, replace

import numpy as np

from lib_finisher.hosts.port import Element, Host, Sampling
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Size, look
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.fitting import canvas_of, turned
from lib_finisher.redraw.patch import Patch, Request


class Job:
    """A patch, the picture that its crop is cut from, and of which request's which patch it is, or a piece."""

    def __init__(self, request: int, number: int, patch: Patch, source: Pixels) -> None:
        self.request = request
        self.number = number
        self.patch = patch
        self.source = source

    def piece(self, patch: Patch, source: Pixels) -> Job:
        """A smaller patch for a part of this one."""
        return Job(self.request, self.number, patch, source)


def element_of(job: Job, request: Request) -> Element:
    """The patch as the engine takes it, cut from the picture as it is now."""
    patch = job.patch
    mask = patch.mask
    if mask is not None and not patch.unscaled:
        mask = np.clip(resize(mask, patch.canvas, "bilinear"), 0.0, 1.0)
    pixels = np.clip(canvas_of(request, patch, look(job.source, patch.box)), 0.0, 1.0)
    return Element(
        pixels=turned(pixels, patch.turn),
        mask=None if mask is None else turned(mask, patch.turn),
        prompt=patch.prompt,
        negative_prompt=patch.negative_prompt,
        seed=patch.seed,
        noise=patch.noise(request.noise_field),
        canvas=(patch.sampled.height, patch.sampled.width) if request.sampling.latent_upscale else None,
    )


def sampling_of(job: Job, request: Request, host: Host) -> Sampling:
    """The request's sampling with the patch's strength, without what the engine cannot do."""
    sampling = request.sampling
    usable = sampling.without(set(sampling.extras()) - host.capabilities.extras)
    return replace(usable, denoising_strength=job.patch.denoising_strength)


def key_of(element: Element, sampling: Sampling, host: Host) -> str:
    """The hash of all that the engine's result for an element depends on."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(np.ascontiguousarray(element.pixels).tobytes())
    digest.update(b"" if element.mask is None else np.ascontiguousarray(element.mask).tobytes())
    depends_on = (
        element.prompt, element.negative_prompt, element.seed, repr(element.noise), element.canvas,
        element.pixels.shape, host.identity,
    )  # fmt: skip
    digest.update(repr((astuple(sampling), depends_on)).encode())
    return digest.hexdigest()


def model_by_model(groups: Mapping[tuple[Size, Sampling], list[Job]]) -> list[tuple[tuple[Size, Sampling], list[Job]]]:
    """The groups of a round with those of one model together: each is loaded once."""

    def model(sampling: Sampling) -> tuple[str, ...]:
        return sampling.checkpoint, sampling.vae, sampling.text_encoders

    order = list(dict.fromkeys(model(sampling) for _, sampling in groups))
    return sorted(groups.items(), key=lambda item: order.index(model(item[0][1])))
