"""Latent upscaling on an engine that enlarges what it is given, as latents would be."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, Capabilities, Element
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.order import NAMES
from lib_finisher.stages.stage import Base, Work


class Latent(EmbeddedHost):
    """Its latents are the pixels themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Element] = []
        self.modes: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        plain = super().capabilities
        return replace(plain, extras=plain.extras | {"latent_upscale"}, latent_upscalers=("Latent (nearest)",))

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        self.seen += batch.elements
        self.modes.append(batch.sampling.latent_upscale)
        enlarged = tuple(
            replace(item, pixels=cv2.resize(item.pixels, item.canvas[::-1], interpolation=cv2.INTER_NEAREST))
            for item in batch.elements
            if item.canvas is not None
        )
        return super().redraw(Batch(replace(batch.sampling, latent_upscale=""), enlarged or batch.elements), watch)


def upscaled(host: EmbeddedHost, picture: np.ndarray, **one: object) -> Finished:
    data: dict[str, object] = {name: {"enabled": name == "upscale"} for name in NAMES}
    data["upscale"] = {"passes": [{"upscaler": "Latent (nearest)", "steps": 6, "denoising_strength": 0.6, **one}]}
    return Pipeline(host, lambda *_: [], read_recipe(data)).run([Work(picture, Base(seed=2))])[0]


@pytest.mark.parametrize("size", [Size(128, 96), Size(130, 101)])
@pytest.mark.parametrize("factor", [2, 1.5])
def test_the_small_picture_is_what_the_engine_gets(portrait: np.ndarray, size: Size, factor: float) -> None:
    host = Latent()
    picture = np.ascontiguousarray(portrait[60 : 60 + size.height, 170 : 170 + size.width])
    done = upscaled(host, picture, factor=factor)
    assert size_of(done.pixels) == size.scaled(factor) and not done.error
    (element,) = host.seen
    assert host.modes == ["Latent (nearest)"]
    seen = size_of(element.pixels)
    assert element.canvas is not None and seen.width % 8 == seen.height % 8 == 0
    assert abs(seen.width - size.width) <= 8 and element.canvas[1] >= size.width * factor
    assert "Latent (nearest), whole frame" in done.reports[4].reason
    # It is the picture, enlarged and redrawn: no shift, no other frame.
    small = cv2.resize(done.pixels, (size.width, size.height), interpolation=cv2.INTER_AREA)
    assert float(np.abs(small - picture).mean()) < 0.05


def test_where_the_engine_has_no_latents_it_is_said(host: EmbeddedHost, portrait: np.ndarray) -> None:
    done = upscaled(host, np.ascontiguousarray(portrait[:128, :128]))
    assert any("no upscaler 'Latent (nearest)'" in note for note in done.reports[4].notes)
    assert size_of(done.pixels) == Size(256, 256)


def test_without_a_redraw_there_is_nothing_latent(portrait: np.ndarray) -> None:
    host = Latent()
    done = upscaled(host, np.ascontiguousarray(portrait[:128, :128]), method="upscaler only")
    assert host.seen == [] and size_of(done.pixels) == Size(256, 256)
