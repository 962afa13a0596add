"""Latent upscaling, the other kind of hires fix: the small picture is encoded, and its latents are enlarged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lib_finisher.hosts.port import Capabilities, Sampling
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size, cut, round_to, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import Patch, Request
from lib_finisher.stages.frame import Look, one_patch


def latent_request(
    small: Pixels,
    enlarged: Pixels,
    mode: str,
    look: Look,
    sampling: Sampling,
    noise_field: NoiseField,
    capabilities: Capabilities,
) -> Request:
    """One redraw of the whole frame of `enlarged` that begins from the latents of `small`, enlarged by `mode`.

    Both pictures have one aspect. The engine has that mode (`Capabilities.latent_upscalers`). Colours are not held:
    enlarged latents are no picture to hold them to.
    """
    shrink = size_of(small).width / size_of(enlarged).width
    patch = one_patch(size_of(enlarged), look, capabilities)

    def encoded(patch: Patch, crop: Pixels) -> Pixels:
        # The canvas may hang over the picture: so much more of the small one is a mirrored margin.
        left, top = round(patch.box.left * shrink), round(patch.box.top * shrink)
        reach = Box(left, top, left + round(patch.canvas.width * shrink), top + round(patch.canvas.height * shrink))
        multiple = capabilities.canvas_multiple
        size = Size(*(max(multiple, round_to(side, multiple)) for side in (reach.width, reach.height)))
        return np.clip(resize(cut(small, reach), size), 0.0, 1.0)

    return Request(
        picture=enlarged,
        patches=(patch,),
        sampling=replace(sampling, latent_upscale=mode),
        noise_field=noise_field,
        together=True,
        prepare=encoded,
    )
