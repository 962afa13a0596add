"""What a model gives back is looked at before it is used: no number, black, flat, burnt out, or of a wrong size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.finished import Finished, StageReport
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.embedded.upscaler_tiles import Share, TiledModel
from lib_finisher.hosts.embedded.upscalers import _loaded
from lib_finisher.hosts.port import Array, HostError, UpscalerFacts, Watch
from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.imaging.resize import resize
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.model_check import restored, spoilt, upscaled
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.store.results import ResultStore
from tests.conftest import Onward, weights

Change = Callable[[Array], Array]
FACE = Detection(Box(100, 20, 190, 120), 0.9, "face")


def filled(value: float | tuple[float, float, float]) -> Change:
    return lambda pixels: np.full_like(pixels, value)


def with_tile(value: float | tuple[float, float, float], side: int = 48) -> Change:
    """One tile is lost, as where a web UI rounds what is no number to black."""

    def change(pixels: Array) -> Array:
        result = pixels.copy()
        result[-side:, :side] = value
        return result

    return change


def with_one(value: float) -> Change:
    def change(pixels: Array) -> Array:
        result = pixels.copy()
        result[3, 5, 1] = value
        return result

    return change


def out_of_luck(pixels: Array) -> Array:
    raise HostError("No luck.")


class Model(EmbeddedHost):
    """The embedded engine with one upscaler and one face restoration, both of which do what a test wants."""

    def __init__(self, change: Change, scale: int = 4) -> None:
        super().__init__()
        self.change, self.scale, self.calls = change, scale, 0

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        return (UpscalerFacts(f"{self.scale}x-model", self.scale, "model"),)

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        self.calls += 1
        return self.change(np.clip(resize(pixels, Size(*pixels.shape[1::-1]).scaled(self.scale)), 0, 1))

    def face_restorers(self) -> tuple[str, ...]:
        return ("Restorer",)

    def restore_faces(self, name: str, pixels: Array, watch: Watch) -> Array:
        self.calls += 1
        return self.change(pixels)


def find_face(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
    return [FACE] if pixels.shape[:2] == (192, 256) else []


def finished(
    host: EmbeddedHost, picture: Pixels, stage: str, settings: dict[str, object], store: ResultStore | None = None
) -> tuple[Finished, StageReport]:
    data: dict[str, object] = {name: {"enabled": False} for name in NAMES}
    recipe = read_recipe({**data, stage: {"enabled": True, **settings}})
    done = Pipeline(host, find_face, recipe, store=store).run([Work(picture, Base(seed=7, steps=4))])[0]
    return done, next(item for item in done.reports if item.stage == stage)


def tools(host: EmbeddedHost) -> Tools:
    return Tools(host, find_face, Onward())


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> Pixels:
    return np.ascontiguousarray(portrait[20:212, 110:366])


WAYS = [
    (with_one(np.nan), "not numbers"),
    (with_one(np.inf), "not numbers"),
    (filled(np.nan), "not numbers"),
    (filled(0.0), "a black picture"),
    (filled(0.5), "a flat picture"),
    (filled(1.0), "a flat picture"),
    (with_tile(0.0), "black or burnt out"),
    (with_tile(1.0), "black or burnt out"),
    (with_tile((1.0, 0.0, 1.0)), "black or burnt out"),
]


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize(("change", "told"), WAYS)
def test_what_is_no_picture_of_the_same_is_an_error_in_words(
    picture: Pixels, change: Change, told: str, scale: int
) -> None:
    # A tile of the input's pixels, whatever the scale.
    host = Model(change if scale == 1 else lambda made: resized(change, made, picture, scale), scale)
    with pytest.raises(HostError, match=f"The upscaler some gave .*{told}.*full precision"):
        upscaled("some", picture, tools(host))
    with pytest.raises(HostError, match=f"The face restoration some gave .*{told}.*full precision"):
        restored("some", picture, tools(Model(change)))


def resized(change: Change, made: Array, picture: Pixels, scale: int) -> Array:
    changed = change(picture)
    # By repeating, which leaves alone what is no number.
    return np.where(np.repeat(np.repeat(changed != picture, scale, 0), scale, 1),
                    np.repeat(np.repeat(changed, scale, 0), scale, 1), made)  # fmt: skip


def halftone(size: int) -> Pixels:
    """Black dots on white paper, four pixels apart, as printed."""
    y, x = np.mgrid[0:size, 0:size]
    dots = ((y % 4 < 2) & (x % 4 < 2)).astype(np.float32)
    return np.repeat(1 - cv2.GaussianBlur(dots, (0, 0), 0.6)[..., None], 3, axis=2)


def letterboxed(picture: Pixels) -> Pixels:
    result = picture.copy()
    result[:60] = result[-60:] = 0
    result[60:70] = 1
    return result


def noisy_grey(size: int) -> Pixels:
    noise = np.random.default_rng(1).normal(0, 12 / 255, (size, size, 3)).astype(np.float32)
    return np.clip(np.float32(0.5) + noise, 0, 1)


def in_8_bits(pixels: Array) -> Array:
    return to_uint8(pixels).astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize(
    ("given", "change"),
    [
        (lambda picture: np.zeros_like(picture), None),
        (lambda picture: np.zeros_like(picture) + np.float32(3 / 255), filled(0.0)),
        (lambda picture: np.ones_like(picture), None),
        (lambda picture: np.zeros_like(picture) + np.float32(0.5), None),
        (lambda picture: picture, None),
        (lambda picture: picture[:1, :1], None),
        (lambda picture: picture[:3, :200], None),
        (lambda picture: picture * np.float32(0.03), None),
        (lambda picture: letterboxed(picture), None),
        (lambda picture: halftone(128), None),
        # A model for line art: paper becomes white, ink black.
        (lambda picture: halftone(128), lambda made: np.clip((made - 0.3) * 2.5, 0, 1)),
        # One against noise: what is left is flat.
        (lambda picture: noisy_grey(128), lambda made: made * 0 + made.mean(axis=(0, 1))),
        # One that adds much contrast, and one that brightens.
        (lambda picture: picture, lambda made: np.clip((made - 0.5) * 1.2 + 0.5, 0, 1)),
        (lambda picture: picture, lambda made: made**0.8),
    ],
)  # fmt: skip
def test_a_picture_that_is_black_flat_or_hard_passes(
    picture: Pixels, given: Change, change: Change | None, scale: int
) -> None:
    pixels = in_8_bits(np.ascontiguousarray(given(picture)))
    host = Model(lambda made: in_8_bits(made if change is None else change(made)), scale)
    assert upscaled("some", pixels, tools(host)).shape == (pixels.shape[0] * scale, pixels.shape[1] * scale, 3)


def test_a_dark_picture_is_told_from_a_black_one(picture: Pixels) -> None:
    dark = picture * np.float32(0.1)
    assert spoilt(dark, np.zeros_like(dark)) == "a black picture"
    assert spoilt(picture, np.repeat(np.repeat(picture, 3, 0), 3, 1)) == ""


@pytest.mark.parametrize(
    "cut", [lambda made: made[:-3], lambda made: made[:, :-3], lambda made: made[..., :1], lambda made: made[::2, ::3]]
)
def test_a_wrong_size_is_an_error_in_words(picture: Pixels, cut: Change) -> None:
    with pytest.raises(HostError, match=r"The upscaler some made .* of 256×192"):
        upscaled("some", picture, tools(Model(cut)))
    with pytest.raises(HostError, match=r"The face restoration some made .* of 256×192"):
        restored("some", picture, tools(Model(cut)))


# In the stages


@pytest.mark.parametrize(
    ("method", "change", "told"),
    [
        ("upscaler only", *WAYS[2]),
        ("upscaler only", *WAYS[3]),
        ("upscaler only", with_tile(0.0, 192), "black or burnt out"),
        ("auto", *WAYS[3]),
    ],
)
def test_upscale_takes_lanczos_says_so_and_keeps_nothing(
    picture: Pixels, tmp_path: Path, method: str, change: Change, told: str
) -> None:
    host, store = Model(change), ResultStore(tmp_path)
    settings: dict[str, object] = {"passes": [{"method": method, "steps": 4}]}
    done, report = finished(host, picture, "upscale", settings, store)
    plain = finished(host, picture, "upscale", {"passes": [{"method": method, "steps": 4, "upscaler": "Lanczos"}]})[0]
    assert report.status == "ran" and "by Lanczos" in report.reason
    assert "the upscaler 4x-model could not be used, Lanczos took its place" in report.notes[0]
    assert told in report.notes[0]
    np.testing.assert_array_equal(done.pixels, plain.pixels)
    host.change = lambda made: made
    better, report = finished(host, picture, "upscale", settings, store)
    assert (report.status, report.notes) == ("ran", ()) and "4x-model" in report.reason
    assert not np.array_equal(better.pixels, done.pixels)


def test_the_second_run_and_every_strip_are_looked_at(picture: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    from lib_finisher.stages import upscale_model

    small = np.ascontiguousarray(picture[:64, :96])
    settings: dict[str, object] = {"passes": [{"method": "upscaler only", "factor": 8}]}
    for lost in (1, 2):
        host = Model(lambda made: made * (host.calls != lost))
        assert "black picture" in finished(host, small, "upscale", settings)[1].notes[0]
        assert host.calls == lost, "nothing more is made of it"
    monkeypatch.setattr(upscale_model, "_STRIP_PIXELS", 256 * 16 * 48)
    host = Model(lambda made: made * (host.calls < 3))
    settings = {"passes": [{"method": "upscaler only", "factor": 4}]}
    assert "black picture" in finished(host, picture, "upscale", settings)[1].notes[0] and host.calls == 3


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize(("change", "told"), [WAYS[2], WAYS[3]])
def test_texture_goes_without_the_model_says_so_and_keeps_nothing(
    picture: Pixels, tmp_path: Path, change: Change, told: str, scale: int
) -> None:
    host, store = Model(change, scale), ResultStore(tmp_path)
    settings: dict[str, object] = {"upscaler": f"{scale}x-model"}
    done, report = finished(host, picture, "texture", settings, store)
    assert report.status == "ran"
    assert f"the model {scale}x-model could not be used, its detail is missing" in report.notes[0]
    assert told in report.notes[0]
    np.testing.assert_array_equal(done.pixels, finished(host, picture, "texture", {})[0].pixels)
    assert finished(host, picture, "texture", settings, store)[1].status == "ran"
    host.change = lambda made: made
    assert finished(host, picture, "texture", settings, store)[1].status == "ran"
    assert finished(host, picture, "texture", settings, store)[1].status == "reused"


@pytest.mark.parametrize(
    ("when", "change", "told"),
    [
        ("before", *WAYS[3]),
        ("after", *WAYS[2]),
        ("after", with_tile(0.0), "black or burnt out"),
        ("after", lambda pixels: pixels[::2, ::2], "a wrong size"),
    ],
)
def test_an_unrestored_face_stays_where_its_restoration_is_none(
    picture: Pixels, tmp_path: Path, when: str, change: Change, told: str
) -> None:
    host, store = Model(change), ResultStore(tmp_path)
    one = {"steps": 4, "gate": 1.0}
    settings: dict[str, object] = {"passes": [{**one, "restore": "Restorer", "restore_when": when}]}
    done, report = finished(host, picture, "detail", settings, store)
    assert host.calls == 1 and report.status == "ran"
    assert told in report.notes[0] and report.notes[0].endswith("The face was left as it was.")
    unchanged = finished(Model(lambda pixels: pixels), picture, "detail", settings)[0]
    np.testing.assert_array_equal(done.pixels, unchanged.pixels)
    assert finished(host, picture, "detail", settings, store)[1].status == "ran"


def test_a_crop_is_interpolated_where_its_enlargement_is_black(picture: Pixels) -> None:
    host, settings = Model(filled(0.0)), {"passes": [{"steps": 4, "gate": 1.0, "enlarger": "auto"}]}
    done, report = finished(host, picture, "detail", settings)
    assert host.calls == 1 and "black picture" in report.notes[0]
    assert report.notes[0].endswith("The crop was interpolated instead.")
    failing = finished(Model(out_of_luck), picture, "detail", settings)[0]
    np.testing.assert_array_equal(done.pixels, failing.pixels)


# Real model files


def esrgan(file: Path, weight: float, bias: float) -> Path:
    """A small ESRGAN file whose last layer is made of these values."""
    torch = pytest.importorskip("torch", reason="upscaler models need torch, installed for the newest Python only")
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    from spandrel.architectures.ESRGAN import ESRGAN

    network = ESRGAN(num_filters=16, num_blocks=1, scale=4)
    with torch.no_grad():
        last = list(network.parameters())[-2:]
        last[0].fill_(weight), last[1].fill_(bias)
    torch.save(network.state_dict(), file)
    return file


@pytest.mark.parametrize(
    ("weight", "bias", "told"),
    [(np.nan, 0.0, "not numbers"), (0.0, np.inf, "a flat"), (0.0, -1.0, "a black"), (0.0, 0.5, "a flat")],
)
def test_a_broken_model_file_is_replaced_by_lanczos(
    picture: Pixels, tmp_path: Path, weight: float, bias: float, told: str
) -> None:
    host = EmbeddedHost(esrgan(tmp_path / "4x-lost.pth", weight, bias).parent)
    done, report = finished(host, picture, "upscale", {"passes": [{"method": "upscaler only"}]})
    assert told in report.notes[0] and "4x-lost" in report.notes[0]
    exact = np.clip(resize(picture, Size(512, 384)), 0, 1)
    assert float(np.abs(done.pixels - exact).max()) * 255 < 0.01


def test_the_engine_ends_at_the_first_tile_that_is_none(picture: Pixels, tmp_path: Path) -> None:
    model, watch = TiledModel("lost", _loaded(esrgan(tmp_path / "4x-lost.pth", np.nan, 0.0)), Share(64)), Onward()
    with pytest.raises(HostError, match="The upscaler lost gave values that are not numbers"):
        model(picture, watch)
    assert watch.steps == 0


def test_half_precision_that_overflows_goes_on_in_full(picture: Pixels) -> None:
    """The real model, its inner values raised beyond what half precision holds and lowered again by its last layer."""
    torch = pytest.importorskip("torch", reason="upscaler models need torch, installed for the newest Python only")
    crop = np.ascontiguousarray(picture[40:88, 60:124])
    right = TiledModel("real", _loaded(weights("RealESR_Gx4.pth")))(crop, Onward())
    descriptor = _loaded(weights("RealESR_Gx4.pth"))
    layers = [part for part in descriptor.model.modules() if isinstance(part, torch.nn.Conv2d)]
    raised = 1.0
    with torch.no_grad():
        for layer, factor in zip(layers, [1, 32, 32, *[1] * (len(layers) - 5), 1 / 32, 1 / 32]):
            raised *= factor
            layer.weight.mul_(factor), layer.bias.mul_(raised)
    made = TiledModel("real", descriptor.half())(crop, Onward())
    assert str(descriptor.dtype) == "torch.float32"
    assert spoilt(crop, made) == ""
    assert float(np.abs(made - right).max()) * 255 < 1
