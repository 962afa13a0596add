"""How large a pass makes a picture, and where everything in it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib_finisher.controls import SettingsError
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import HostError, Sampling
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.regions import Region
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import StageOutput, Tools, Work
from lib_finisher.stages.upscale import Upscale
from lib_finisher.stages.upscale_settings import UpscalePass, UpscaleSettings, scaled_to
from lib_finisher.stages.upscale_targets import targets_of
from tests.conftest import Onward

ONLY = {"method": "upscaler only", "upscaler": "Lanczos"}


def finished(host: EmbeddedHost, work: Work, *passes: dict[str, Any]) -> Finished:
    data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    data["upscale"] = {"enabled": True, "passes": list(passes)}
    return Pipeline(host, Detectors().detect, read_recipe(data)).run([work])[0]


def alone(host: EmbeddedHost, work: Work, *passes: UpscalePass) -> StageOutput:
    """The stage by itself, which asks for no redraw."""
    running = Upscale().run(work, UpscaleSettings(passes=passes), Tools(host, Detectors().detect, Onward()))
    with pytest.raises(StopIteration) as stop:
        next(running)
    output: StageOutput = stop.value.value
    return output


@pytest.mark.parametrize(
    ("passes", "expected"),
    [
        ([{"factor": 1.5}], (124, 82)),
        ([{"factor": 1}], (83, 55)),
        ([{"factor": 16}], (1328, 880)),
        ([{"target": "long side", "side": 301}], (301, 199)),
        ([{"target": "short side", "side": 301}], (454, 301)),
        ([{"target": "megapixels", "megapixels": 0.5}], (869, 576)),
        ([{"target": "width and height", "width": 333, "height": 777}], (333, 221)),
        ([{"target": "width and height", "width": 777, "height": 333}], (503, 333)),
        ([{"target": "width and height", "width": 250}], (250, 166)),
        ([{"target": "width and height", "height": 250, "aspect": "crop"}], (377, 250)),
        ([{"target": "width and height", "width": 333, "height": 777, "aspect": "crop"}], (333, 777)),
        ([{"target": "width and height", "width": 333, "height": 777, "aspect": "pad"}], (333, 777)),
        # Smaller than it is: that is what comes out then.
        ([{"target": "long side", "side": 40}], (40, 27)),
        # Rounding does not add up: 83 × 1.5 × 1.5 × 4/1.5 is 498, and not 375 / 250 × 333.
        ([{"factor": 1.5}, {"factor": 1.5}, {"factor": 8 / 3}], (498, 330)),
        ([{"target": "long side", "side": 301}, {"factor": 2}], (602, 399)),
        ([{"factor": 3}, {"target": "width and height", "width": 200, "height": 100, "aspect": "crop"}], (200, 100)),
        ([{"target": "width and height", "width": 90, "height": 90, "aspect": "pad"}, {"factor": 1.5}], (135, 135)),
    ],
)
def test_the_exact_size_comes_out(
    host: EmbeddedHost, gradient: Any, passes: Sequence[dict[str, Any]], expected: tuple[int, int]
) -> None:
    done = finished(host, Work(gradient(55, 83)), *({**ONLY, **one} for one in passes))
    assert (done.pixels.shape[1], done.pixels.shape[0]) == expected
    assert done.error == ""


@given(
    st.integers(16, 3000), st.integers(16, 3000), st.integers(64, 16384), st.integers(64, 16384),
    st.sampled_from(["crop", "pad", "fit"]),
)  # fmt: skip
@example(16, 2065, 64, 64, "pad")
def test_any_size_is_exact_or_refused(width: int, height: int, to_width: int, to_height: int, aspect: str) -> None:
    one = UpscalePass(target="width and height", width=to_width, height=to_height, aspect=aspect)
    try:
        (target,) = targets_of(Size(width, height), [one])
    except HostError as error:
        assert "at most" in str(error)
        return
    if aspect == "fit":
        assert target.size.width <= to_width and target.size.height <= to_height
        assert target.size.width == to_width or target.size.height == to_height
    else:
        assert target.size == Size(to_width, to_height)
    # Nothing is stretched: both sides grow alike, to the pixel; only that no side can be less than one.
    enlarged, scale = target.enlarged, target.enlarged.width / width
    thin = 1 in (enlarged.width, enlarged.height)
    assert thin or abs(enlarged.height - height * scale) <= 0.5 + 0.5 * height / width


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (UpscalePass(target="width and height"), "give at least one of them"),
        (UpscalePass(target="long side", side=16000), "at most 16 times"),
        (UpscalePass(target="megapixels", megapixels=60), "at most 16 times"),
    ],
)
def test_what_cannot_be_made_is_said(one: UpscalePass, told: str) -> None:
    with pytest.raises(HostError, match=told):
        targets_of(Size(400, 300), [one])
    with pytest.raises(HostError, match="20000×10000; at most 16384"):
        targets_of(Size(5000, 2500), [UpscalePass(factor=4)])


def test_a_picture_that_is_too_large_may_still_be_redrawn() -> None:
    assert targets_of(Size(20000, 300), [UpscalePass(factor=1)])[0].size == Size(20000, 300)


def test_a_total_factor_needs_factors() -> None:
    settings = UpscaleSettings(passes=(UpscalePass(factor=1.5), UpscalePass(target="long side", side=900)))
    assert [one.factor for one in scaled_to(settings, 6).passes] == [1.5, 4.0]
    assert scaled_to(settings, 6).passes[1].target == "factor"
    with pytest.raises(SettingsError, match="a size as their target"):
        scaled_to(UpscaleSettings(passes=settings.passes[::-1]), 6)


MARK = Box(60, 40, 76, 52)


@pytest.mark.parametrize(
    "passes",
    [
        [{"factor": 3}],
        [{"target": "width and height", "width": 300, "height": 300, "aspect": "crop"}],
        [{"target": "width and height", "width": 300, "height": 300, "aspect": "pad"}],
        [{"target": "width and height", "width": 200, "height": 90, "aspect": "pad"}, {"factor": 2}],
        [{"factor": 2}, {"target": "width and height", "width": 130, "height": 240, "aspect": "crop"}],
    ],
)
@pytest.mark.parametrize("masked", [False, True])
def test_regions_and_mask_stay_on_what_they_mark(
    host: EmbeddedHost, passes: Sequence[dict[str, Any]], masked: bool
) -> None:
    """A bright block in the picture, marked by a region and by the mask: afterwards both lie on the bright block."""
    pixels = np.zeros((90, 130, 3), dtype=np.float32)
    mask = np.zeros((90, 130), dtype=np.float32)
    for array in (pixels, mask):
        array[MARK.top : MARK.bottom, MARK.left : MARK.right] = 1
    region = Region(MARK, "face", "", "", 0, Sampling(0.3, 4), 0.3, 0.0, 0.1)
    work = Work(pixels, mask=mask if masked else None, regions=(region,))
    output = alone(host, work, *(UpscalePass(**{**ONLY, **one}) for one in passes))
    # As the pipeline does afterwards.
    scaled = [item.scaled(size_of(output.pixels).width / work.size.width) for item in work.regions]
    box = (scaled if output.regions is None else output.regions)[0].box
    inside = output.pixels[max(0, box.top) : box.bottom, max(0, box.left) : box.right, 0]
    assert inside.mean() > 0.85
    assert np.isclose((output.pixels[..., 0] > 0.5).sum() / box.area, 1, atol=0.25)
    if masked and output.mask is not None:
        assert size_of(output.mask) == size_of(output.pixels)
        assert np.abs(output.mask - output.pixels[..., 0]).mean() < 0.02


def test_a_region_that_is_cut_off_is_forgotten(host: EmbeddedHost, gradient: Any) -> None:
    region = Region(Box(0, 0, 20, 20), "face", "", "", 0, Sampling(0.3, 4), 0.3, 0.0, 0.1)
    one = UpscalePass(**ONLY, target="width and height", width=100, height=200, aspect="crop")
    output = alone(host, Work(gradient(90, 130), regions=(region,)), one)
    assert output.regions == ()


def test_a_crop_keeps_the_middle_and_a_pad_mirrors(host: EmbeddedHost, gradient: Any) -> None:
    picture = gradient(60, 100)
    size = {"target": "width and height", "height": 60}
    cropped = finished(host, Work(picture), {**ONLY, **size, "width": 40, "aspect": "crop"}).pixels
    assert np.allclose(cropped, picture[:, 30:70], atol=1e-4)
    padded = finished(host, Work(picture), {**ONLY, **size, "width": 140, "aspect": "pad"}).pixels
    assert np.allclose(padded[:, 20:120], picture, atol=1e-4)
    assert np.allclose(padded[:, :20], picture[:, 20:0:-1], atol=1e-4)


def test_a_mask_that_restricts_holds_where_a_crop_is_asked_for(host: EmbeddedHost, portrait: np.ndarray) -> None:
    """What is cut off goes after the redraw then, so that the mask still fits."""
    picture = np.ascontiguousarray(portrait[40:168, 130:290])
    mask = np.zeros((128, 160), dtype=np.float32)
    mask[:, 80:] = 1
    data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    one = {"target": "width and height", "width": 128, "height": 128, "aspect": "crop", "upscaler": "Lanczos"}
    data["upscale"] = {"enabled": True, "passes": [{**one, "steps": 4, "denoising_strength": 0.5}]}
    data["base"] = {"mask": "restrict"}
    done = Pipeline(host, Detectors().detect, read_recipe(data)).run([Work(picture, mask=mask)])[0]
    changed = (done.pixels != picture[:, 16:144]).any(axis=2)
    assert not changed[:, :64].any()
    assert changed[:, 66:].mean() > 0.8
