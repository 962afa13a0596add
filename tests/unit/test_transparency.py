"""Transparency goes where the colours go: whatever has reframed the picture has reframed its alpha in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.report import FileReport
from lib_finisher.batch.saving import Saving
from lib_finisher.events import Control
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, HostError
from lib_finisher.imaging.transparency import enlarged_by
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base
from lib_finisher.store.results import ResultStore

_LEAST = 60
LANCZOS = {"method": "upscaler only", "upscaler": "Lanczos"}
REDRAWN = {"method": "hires", "upscaler": "Lanczos", "denoising_strength": 0.2, "steps": 2, "skip_flat": False}


def to(width: int, height: int, aspect: str) -> dict[str, Any]:
    return {"target": "width and height", "width": width, "height": height, "aspect": aspect}


@pytest.fixture()
def disc(tmp_path: Path) -> Path:
    """A white disc on black, opaque where it is white: its colours and its transparency are the same picture, but that
    nothing is hidden altogether, since hidden colours count for nothing.

    It lies off the middle, a third of it beyond the right edge, so that a crop, a mirror image or a squeeze shows.
    """
    y, x = np.mgrid[:96, :128]
    inside = 255.0 * np.clip(40.5 - np.hypot(x - 115, y - 40), 0, 1)
    plane = Image.fromarray(np.rint(inside).astype(np.uint8))
    alpha = Image.fromarray(np.rint(_LEAST + inside * (255 - _LEAST) / 255).astype(np.uint8))
    Image.merge("RGBA", (plane, plane, plane, alpha)).save(tmp_path / "disc.png")
    return tmp_path / "disc.png"


def finished(
    source: Path,
    passes: Sequence[dict[str, Any]],
    host: EmbeddedHost | None = None,
    store: ResultStore | None = None,
    control: Control | None = None,
    **more: dict[str, Any],
) -> FileReport:
    data: dict[str, Any] = {name: {"enabled": False} for name in NAMES}
    data["upscale"] = {"enabled": True, "passes": [{**LANCZOS, **one} for one in passes]}
    recipe, host, control = read_recipe({**data, **more}), host or EmbeddedHost(), control or Control()
    pipeline = Pipeline(host, lambda *_: [], recipe, store, control=control)
    saving = Saving(source.parent / "out", overwrite=True)
    return next(iter(finish_files([source], pipeline, host, recipe, Base(seed=5), saving, None, control)))


def planes(file: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """The green of a result, 0..255, and its alpha as far as it is above the least there is, brought to 0..255."""
    assert file is not None
    picture = Image.open(file)
    assert picture.mode == "RGBA"
    values = np.asarray(picture).astype(int)
    return values[..., 1], np.rint((values[..., 3] - _LEAST) * 255 / (255 - _LEAST)).astype(int)


def status_of(told: FileReport) -> str:
    return next(item.status for item in told.stages if item.stage == "upscale")


@pytest.mark.parametrize(
    ("passes", "size"),
    [
        ([to(96, 192, "crop")], (96, 192)),
        ([to(256, 96, "crop")], (256, 96)),
        ([to(160, 320, "pad")], (160, 320)),
        ([to(400, 96, "pad")], (400, 96)),
        ([to(96, 96, "pad"), {"factor": 2}], (192, 192)),
        ([{"factor": 1.5}, to(120, 200, "crop"), {"factor": 1}], (120, 200)),
        ([to(192, 72, "crop"), to(200, 200, "pad")], (200, 200)),
        # To the size it has already, but cut and padded on the way.
        ([to(128, 40, "crop"), to(128, 96, "pad")], (128, 96)),
        ([to(64, 64, "crop"), to(32, 64, "crop"), to(64, 64, "pad")], (64, 64)),
        ([to(160, 160, "fit"), {"factor": 1.5}], (240, 180)),
        ([{"factor": 1}], (128, 96)),
    ],
)
def test_alpha_is_framed_as_the_colours_are(disc: Path, passes: list[dict[str, Any]], size: tuple[int, int]) -> None:
    told = finished(disc, passes)
    green, alpha = planes(told.output)
    assert (alpha.shape[1], alpha.shape[0]) == size
    assert status_of(told) == "ran"
    # Several passes resample the colours once each; the alpha only where something is cut off or added.
    apart = np.abs(green - alpha)
    assert apart.max() <= 30
    assert apart.mean() < 0.2


def test_a_reused_result_frames_alpha_too(disc: Path, tmp_path: Path) -> None:
    passes, store = [to(96, 192, "crop"), to(200, 200, "pad")], ResultStore(tmp_path / "store")
    first = finished(disc, passes, store=store)
    made = planes(first.output)
    again = finished(disc, passes, store=store)
    assert (status_of(first), status_of(again)) == ("ran", "reused")
    assert np.array_equal(planes(again.output), made)
    assert np.abs(made[0] - made[1]).mean() < 1


def test_what_extend_adds_is_framed_with_the_rest(disc: Path) -> None:
    """Beyond the old picture alpha is a mirror image and the colours are carried on, so only within it they agree."""
    extend = {"enabled": True, "left": 64, "denoising_strength": 0}
    told = finished(disc, [to(192, 384, "crop")], extend=extend)
    green, alpha = planes(told.output)
    assert alpha.shape == (384, 192)
    # 192×96 becomes 768×384, of which the columns 288 to 480 are kept; the old picture begins at 256.
    assert np.abs(green - alpha).max() <= 8
    told = finished(disc, [to(192, 192, "pad")], extend=extend)
    green, alpha = planes(told.output)
    assert np.abs(green - alpha)[:, 64:].max() <= 8
    assert np.array_equal(alpha[48:144, :64], planes(disc)[1][:, 64:0:-1])


@pytest.mark.parametrize(
    ("last", "status", "reason"),
    [
        (None, "skipped", "switched off"),
        ({"factor": 16}, "failed", "at most 16384"),
    ],
)
def test_an_upscale_that_has_done_nothing_leaves_alpha_alone(
    disc: Path, last: dict[str, Any] | None, status: str, reason: str
) -> None:
    passes = [to(2048, 640, "crop"), last or to(128, 96, "pad")]
    told = finished(disc, passes, **({} if last else {"upscale": {"enabled": False, "passes": passes}}))
    assert (status_of(told), reason in told.stages[4].reason) == (status, True)
    assert np.array_equal(planes(told.output), planes(disc))


@pytest.mark.parametrize("first", [1, 2])
def test_alpha_is_framed_by_the_passes_before_one_without_its_checkpoint(disc: Path, first: int) -> None:
    missing = {"checkpoint": "another", **REDRAWN}
    told = finished(disc, [*[to(96, 192, "crop"), to(200, 200, "pad")][:first], missing])
    upscale = next(item for item in told.stages if item.stage == "upscale")
    assert (upscale.status, "cannot run the checkpoint" in upscale.reason) == ("failed", True)
    green, alpha = planes(told.output)
    assert alpha.shape == ((192, 96), (200, 200))[first - 1]
    apart = np.abs(green - alpha)
    assert (apart.max() <= 30, apart.mean() < 0.2) == (True, True)


def test_a_first_pass_without_its_checkpoint_leaves_alpha_alone(disc: Path) -> None:
    told = finished(disc, [{"checkpoint": "another", **REDRAWN}, to(128, 40, "crop"), to(128, 96, "pad")])
    assert status_of(told) == "failed"
    assert np.array_equal(planes(told.output), planes(disc))


@pytest.mark.parametrize("last", [{"factor": 1}, {"factor": 2}, to(200, 200, "pad")])
def test_alpha_is_framed_by_the_passes_that_were_done(disc: Path, last: dict[str, Any]) -> None:
    """The last pass is interrupted in its redraw, skipped, or all of it is refused, in which case its frame stands."""
    passes, control = [to(96, 192, "crop"), {**last, **REDRAWN}], Control()
    told = finished(disc, passes, Instead(control.interrupt), control=control)
    assert told.output is not None and told.output.name == "disc.interrupted.png"
    assert status_of(told) == "ran"
    assert np.array_equal(planes(told.output), planes(finished(disc, passes[:1]).output))

    control = Control()
    told = finished(disc, passes, Instead(control.skip), control=control)
    assert status_of(told) == "skipped"
    assert np.array_equal(planes(told.output), planes(disc))

    told = finished(disc, passes, Instead(refused))
    assert (status_of(told), "no luck" in told.error) == ("failed", True)
    assert np.array_equal(planes(told.output), planes(finished(disc, [passes[0], last]).output))


def test_the_picture_without_the_upscale_keeps_its_own_frame(disc: Path) -> None:
    told = finished(disc, [to(96, 192, "crop")], base={"compare": "upscale"})
    assert np.abs(np.subtract(*planes(told.output))).max() <= 8
    assert np.array_equal(planes(told.without), planes(disc))


class Instead(EmbeddedHost):
    """Does something else before anything is sampled."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act = act

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        self.act()
        return super().redraw(batch, watch)


def refused() -> None:
    raise HostError("no luck")


def sprite(folder: Path, hidden: tuple[int, int, int]) -> Path:
    """A soft-edged disc of one colour; under what is transparent lies another."""
    y, x = np.mgrid[:80, :80]
    alpha = 255 * np.clip(25.5 - np.hypot(x - 39.5, y - 39.5), 0, 1)
    picture = np.empty((80, 80, 4), np.uint8)
    picture[..., :3] = np.where(alpha[..., None] > 0, (250, 200, 90), hidden)
    picture[..., 3] = np.rint(alpha)
    folder.mkdir()
    Image.fromarray(picture).save(folder / "sprite.png")
    return folder / "sprite.png"


def test_what_is_hidden_is_never_seen(tmp_path: Path) -> None:
    """Through redraws, enlargement and grade; the truth of it: the disc has one colour wherever it is seen."""
    stages = {
        "refine": {"enabled": True, "steps": 2}, "texture": {"enabled": True}, "grade": {"enabled": True, "grain": 0},
    }  # fmt: skip
    seen = []
    for name, hidden in (("black", (0, 0, 0)), ("white", (255, 255, 255)), ("blue", (10, 20, 250))):
        told = finished(sprite(tmp_path / name, hidden), [{"factor": 2, **REDRAWN}], **stages)
        assert told.output is not None
        made = np.asarray(Image.open(told.output)).astype(int)
        shown = made[made[..., 3] > 24][:, :3]
        assert shown.std(axis=0).max() < 2
        seen.append((made, shown))
    for made, _ in seen[1:]:
        there = made[..., 3] > 24
        assert np.array_equal(made[..., 3], seen[0][0][..., 3])
        assert np.abs(made - seen[0][0])[there].max() <= 1
    alpha = seen[0][0][..., 3]
    y, x = np.mgrid[:160, :160]
    away = np.hypot(x - 79.5, y - 79.5)
    # No veil around it, no hole in it.
    assert (alpha[away < 43] == 255).all()
    assert (alpha[away > 57] == 0).all()


def test_a_model_leaves_no_veil_and_no_hole() -> None:
    alpha = np.zeros((40, 40), np.float32)
    alpha[10:30, 10:30] = 1.0
    # What a model makes of it is never quite black or white, and its edge is its own.
    made = np.clip(np.repeat(np.repeat(alpha, 2, 0), 2, 1) * 0.9 + 0.04, 0, 1)
    enlarged = enlarged_by(np.repeat(made[..., None], 3, axis=-1), alpha)
    away = np.maximum(np.abs(np.arange(80) - 39.5)[:, None], np.abs(np.arange(80) - 39.5)[None, :])
    assert (enlarged[away > 24] == 0).all()
    assert (enlarged[away < 16] == 1).all()
    assert enlarged[39, 21] == pytest.approx(0.94)


def test_the_last_bit_of_an_opaque_picture_is_no_transparency(tmp_path: Path) -> None:
    picture = np.full((64, 64, 4), 130, np.uint8)
    picture[..., 3] = np.random.default_rng(1).integers(254, 256, (64, 64))
    Image.fromarray(picture).save(tmp_path / "marked.png")
    told = finished(tmp_path / "marked.png", [{"factor": 2}])
    assert told.output is not None
    assert Image.open(told.output).mode == "RGB"
