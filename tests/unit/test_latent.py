"""Latent upscaling on an engine that enlarges what it is given, as latents would be."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, Capabilities, Element, OutOfMemory
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.sections import NAMES
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


def test_what_does_not_fit_at_once_begins_from_its_own_part_of_the_small_picture() -> None:
    class Short(Latent):
        def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
            if max(batch.elements[0].canvas or (0,)) > 300:
                raise OutOfMemory("CUDA out of memory")
            return super().redraw(batch, watch)

    ramp = np.repeat(np.linspace(0.2, 0.8, 256, dtype=np.float32)[None, :, None], 128, axis=0).repeat(3, axis=2)
    host = Short()
    done = upscaled(host, ramp, factor=2)
    assert not done.error and len(host.seen) == 2
    left, right = (item.pixels.mean(axis=(0, 2)) for item in host.seen)
    assert left[0] == pytest.approx(0.2, abs=0.02) and right[-1] == pytest.approx(0.8, abs=0.02)
    assert right[0] > 0.45, "the right half begins in the middle"
    whole = upscaled(Latent(), ramp, factor=2)
    assert np.abs(done.pixels - whole.pixels).mean() < 0.03
