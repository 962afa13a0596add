"""When detail that a redraw smooths is brought back at all: each rule by itself, without a run."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, HostError, ModelFacts, Watch
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import DetailTransfer, Outcome, Patch, Request, everywhere
from lib_finisher.stages.diffusion import sampling_of
from lib_finisher.stages.diffusion_settings import Diffusion
from lib_finisher.stages.keep_detail import detectors_read, keeping_detail, restored_detail, searches_of
from lib_finisher.stages.places import KeepDetail
from lib_finisher.stages.stage import Base, Reads, Tools
from tests.conftest import Onward

LEVEL = 1 / 255
SIDE = 96
MODELS = {
    "": ModelFacts("base", "sdxl", 1024),
    "base": ModelFacts("base", "sdxl", 1024),
    "style": ModelFacts("style", "sdxl", 1024),
    "refiner": ModelFacts("refiner", "sdxl", 1024, "refiner"),
    "inpainting": ModelFacts("inpainting", "sdxl", 1024, "inpainting"),
}


class Hosting(EmbeddedHost):
    """The embedded engine that says of its checkpoints what a host of others would."""

    def __init__(self, family: str = "") -> None:
        super().__init__()
        self.family = family

    def model(self, checkpoint: str = "") -> ModelFacts:
        if checkpoint not in MODELS:
            raise HostError(f"There is no checkpoint {checkpoint}.")
        facts = MODELS[checkpoint]
        return replace(facts, family=self.family) if self.family else facts


def nobody(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
    raise AssertionError("no detector is to be asked")


def tools(keep: KeepDetail, host: EmbeddedHost | None = None, find: object = nobody) -> Tools:
    return Tools(host or Hosting(), find, Onward(), keep_detail=keep)  # type: ignore[arg-type]


def picture(noise: float = 0.0) -> Pixels:
    ramp = np.tile(np.linspace(0.3, 0.7, SIDE, dtype=np.float32), (SIDE, 1))
    grain = np.random.default_rng(1).normal(0, noise * LEVEL, (SIDE, SIDE))
    return np.repeat((ramp + grain).astype(np.float32)[..., None], 3, axis=2)


def asking(*strengths: float, checkpoint: str = "", noise: float = 0.0, **more: object) -> Request:
    size = Size(SIDE, SIDE)
    patches = tuple(Patch(Box(0, 0, SIDE, SIDE), size, everywhere(size), strength) for strength in strengths)
    sampling = sampling_of(Diffusion(checkpoint=checkpoint), Base())
    return Request(picture(noise), patches, sampling, NoiseField(0), **more)  # type: ignore[arg-type]


KEEP = KeepDetail(0.7)


def test_a_patch_that_keeps_what_is_there_gets_it_by_the_strength() -> None:
    request = asking(0.2)
    given, doubtful = keeping_detail(request, tools(KEEP))
    transfer = given.detail_transfer
    assert transfer is not None and not doubtful
    assert (transfer.strength, transfer.mask, transfer.most) == (0.7, None, 0.5)
    assert replace(given, detail_transfer=None).patches is request.patches


@pytest.mark.parametrize(
    ("request_", "keep"),
    [
        (asking(0.2), KeepDetail(0.0)),
        (asking(0.2, replaces=True), KEEP),
        (asking(), KEEP),
        (asking(0.2, detail_transfer=DetailTransfer(0.1)), KEEP),
        (asking(0.2, checkpoint="style"), KEEP),
        (asking(0.2, checkpoint="inpainting"), KEEP),
        (asking(0.2, checkpoint="gone"), KEEP),
        (asking(0.51, 0.9), KEEP),
    ],
    ids=["off", "filler", "nothing", "has it", "style", "another kind", "missing", "too strong"],
)
def test_what_was_asked_to_change_is_left_as_it_is(request_: Request, keep: KeepDetail) -> None:
    given, doubtful = keeping_detail(request_, tools(keep))
    assert given is request_ and not doubtful


@pytest.mark.parametrize("checkpoint", ["", "base", "refiner"])
def test_the_checkpoint_that_runs_anyway_and_the_refiner_change_no_style(checkpoint: str) -> None:
    assert keeping_detail(asking(0.2, checkpoint=checkpoint), tools(KEEP))[0].detail_transfer is not None


@pytest.mark.parametrize(
    ("family", "most"), [("sd1", 0.5), ("sdxl", 0.5), ("flux", 0.45), ("qwen_image", 0.45), ("embedded", 0.3)]
)
def test_each_family_has_a_strength_up_to_which_what_is_there_stays(family: str, most: float) -> None:
    host = Hosting(family)
    for strengths, comes in (((most,), True), ((most + 0.01,), False), ((0.9, most), True)):
        transfer = keeping_detail(asking(*strengths), tools(KEEP, host))[0].detail_transfer
        assert (transfer is not None) is comes, strengths
        assert transfer is None or transfer.most == most


@pytest.mark.parametrize("noise", [6.0, 12.0])
def test_the_pictures_noise_is_told_so_that_it_does_not_come_back(noise: float) -> None:
    clean, noisy = (keeping_detail(asking(0.2, noise=level), tools(KEEP))[0].detail_transfer for level in (0.0, noise))
    assert clean is not None and noisy is not None
    assert clean.noise < 0.2 * LEVEL
    assert 0.9 * noise * LEVEL < noisy.noise < 1.6 * noise * LEVEL


def a_face(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
    assert name == "face_yunet"
    return [Detection(Box(8, 8, 48, 56), 0.9, "face")]


def missing(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
    raise DetectorError("gone")


def test_where_it_comes_back_is_asked_for_unless_the_patches_lie_there_anyway() -> None:
    keep = KeepDetail(0.7, "faces")
    given, doubtful = keeping_detail(asking(0.2), tools(keep, find=a_face))
    mask = given.detail_transfer.mask if given.detail_transfer else None
    assert mask is not None and mask.shape == (SIDE, SIDE) and not doubtful
    assert mask[30, 28] > 0.9 and not mask[80, 80]
    within, doubtful = keeping_detail(asking(0.2), tools(keep), within=True)
    assert within.detail_transfer is not None and within.detail_transfer.mask is None and not doubtful


def test_a_detector_that_fails_makes_the_result_doubtful() -> None:
    keep = KeepDetail(0.7, "faces")
    assert keeping_detail(asking(0.2), tools(keep, find=missing))[1] is True
    made = np.zeros((2 * SIDE, 2 * SIDE, 3), np.float32)
    assert restored_detail(made, picture(), tools(keep, find=missing))[1] is True


def textured() -> Pixels:
    noise = np.random.default_rng(2).standard_normal((SIDE, SIDE)).astype(np.float32)
    return np.clip(picture() + 0.05 * np.repeat(noise[..., None], 3, axis=2), 0, 1)


def enlarged(smooth: bool, source: Pixels) -> Pixels:
    made = np.kron(source, np.ones((2, 2, 1), dtype=np.float32))
    if smooth:
        made = np.kron(picture(), np.ones((2, 2, 1), dtype=np.float32)) + 0.4 * (
            made - np.kron(picture(), np.ones((2, 2, 1)))
        )
    return made.astype(np.float32)


def test_an_upscalers_picture_gets_detail_only_where_it_is_wanted_and_none_of_the_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lib_finisher.stages import keep_detail

    source = textured()
    off = enlarged(True, source)
    told, doubtful = restored_detail(off, source, tools(KeepDetail(0.0)))
    assert np.array_equal(off, enlarged(True, source)) and told.share == 0.0 and not doubtful
    # Texture as fine everywhere as noise is taken for noise: here it is known to be none.
    monkeypatch.setattr(keep_detail, "noise_of", lambda pixels: 0.0)
    changed = {}
    for where, find in (("everywhere", nobody), ("faces", a_face)):
        made = enlarged(True, source)
        told, _ = restored_detail(made, source, tools(KeepDetail(1.0, where), find=find))
        changed[where] = np.abs(made - enlarged(True, source)).max(axis=2)
        assert told.share > 0.02
    assert changed["everywhere"][150:, 150:].max() > 5 * LEVEL and changed["faces"][150:, 150:].max() == 0
    assert changed["faces"][50:80, 40:70].max() > 5 * LEVEL
    monkeypatch.setattr(keep_detail, "noise_of", lambda pixels: 0.05)
    made = enlarged(True, source)
    restored_detail(made, source, tools(KeepDetail(1.0)))
    assert np.abs(made - enlarged(True, source)).mean() < 0.3 * changed["everywhere"].mean()


class Blurring(EmbeddedHost):
    """Redraws everything as plastic."""

    def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
        return [cv2.GaussianBlur(element.pixels, (0, 0), 1.2) for element in batch.elements]


def redrawn(
    strengths: tuple[float, float], transfer: DetailTransfer | None, weights: tuple[float, float] = (1, 1)
) -> Outcome:
    """Two patches of a textured picture beside each other."""
    host, size = Blurring(), Size(SIDE, SIDE)
    patches = tuple(
        Patch(
            Box(number * SIDE, 0, (number + 1) * SIDE, SIDE), size,
            lambda weight=weight: np.full((SIDE, SIDE), weight, np.float32), strength,
        )
        for number, (strength, weight) in enumerate(zip(strengths, weights))
    )  # fmt: skip
    source = np.concatenate([textured(), textured()[::-1]], axis=1)
    request = Request(source, patches, sampling_of(Diffusion(), Base()), NoiseField(0), detail_transfer=transfer)
    return redraw([request], host, AreaBudget(host.capabilities), Onward())[0]


def halves(one: Outcome, other: Outcome) -> list[float]:
    change = np.abs(one.picture - other.picture)
    return [float(change[:, :SIDE].mean()) / LEVEL, float(change[:, SIDE:].mean()) / LEVEL]


def test_the_act_brings_back_by_the_patch() -> None:
    plain = redrawn((0.2, 0.5), None)
    both, one = redrawn((0.2, 0.5), DetailTransfer(1.0, most=0.5)), redrawn((0.2, 0.5), DetailTransfer(1.0, most=0.3))
    assert min(halves(both, plain)) > 3
    assert halves(one, plain) == [pytest.approx(halves(both, plain)[0]), 0.0]
    mask = np.zeros((SIDE, 2 * SIDE), np.float32)
    mask[:, SIDE:] = 1.0
    where = redrawn((0.2, 0.5), DetailTransfer(1.0, mask=mask, most=0.5))
    assert halves(where, plain) == [0.0, pytest.approx(halves(both, plain)[1])]
    noisy = redrawn((0.2, 0.5), DetailTransfer(1.0, noise=0.05, most=0.5))
    assert max(halves(noisy, plain)) < 0.4 * min(halves(both, plain))


def test_the_act_sums_up_what_came_back_by_the_weight() -> None:
    kept = DetailTransfer(1.0)
    both, first, second = (redrawn((0.2, 0.2), kept, weights).transferred for weights in ((1, 1), (1, 0), (0, 1)))
    assert both.energy == pytest.approx(first.energy + second.energy, rel=1e-4)
    assert first.energy == pytest.approx(second.energy, rel=0.05) and 0.05 < both.share < 1.0
    assert redrawn((0.2, 0.2), kept, (0, 0)).transferred.energy == 0.0
    assert redrawn((0.2, 0.2), None).transferred.share == 0.0


def test_detectors_that_say_where_are_part_of_what_a_stage_depends_on() -> None:
    own = ("hand_yolov8n.pt", Search())
    on, off = KeepDetail(0.5, "skin"), KeepDetail(0.0, "skin")
    assert [name for name, _ in searches_of(on)] == ["face_yunet"] and searches_of(off) == ()
    assert searches_of(KeepDetail(0.5)) == ()
    keeps, keeps_not = Reads(samples=True, detectors=(own,)), Reads(detectors=(own,))
    assert [name for name, _ in detectors_read(keeps, on)] == ["hand_yolov8n.pt", "face_yunet"]
    assert detectors_read(keeps, off) == detectors_read(keeps_not, on) == (own,)
    twice = Reads(upscalers=True, detectors=searches_of(on))
    assert detectors_read(twice, on) == searches_of(on)
