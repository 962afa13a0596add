"""Extend: sizes to the pixel, modest passes, the fill, the old picture bit for bit, and what later stages see of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.saving import Saving
from lib_finisher.controls import SettingsError
from lib_finisher.events import Control
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import HostError, ModelFacts
from lib_finisher.imaging.fill import continued, extended, filled
from lib_finisher.imaging.geometry import Box, Size, cut
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe, read_recipe
from lib_finisher.stages.extend import Extend, extended_box
from lib_finisher.stages.extend_frames import pass_boxes
from lib_finisher.stages.extend_settings import ExtendSettings, aspect_of
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.store.results import ResultStore
from tests.conftest import PORTRAIT, Onward


class Small(EmbeddedHost):
    """The engine as a model of 128 pixels, so that tiles and passes are cheap."""

    def model(self, checkpoint: str = "") -> ModelFacts:
        return ModelFacts("small", "embedded", 128)


def recipe_of(only: tuple[str, ...] = ("extend",), **settings: object) -> Recipe:
    data: dict[str, dict[str, object]] = {name: {"enabled": name in only} for name in NAMES}
    data["extend"].update(steps=4, denoising_strength=0.3)
    data["extend"].update(settings)
    return read_recipe(data)


def run(
    picture: np.ndarray, mask: np.ndarray | None = None, host: EmbeddedHost | None = None, **settings: object
) -> Finished:
    return Pipeline(host or Small(), lambda *_: [], recipe_of(**settings)).run([Work(picture, Base(seed=5), mask)])[0]


@pytest.fixture(scope="module")
def face(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[30:158, 150:310])


@pytest.mark.parametrize(
    ("text", "aspect"),
    [("", None), ("  ", None), ("16:9", 16 / 9), ("4x5", 0.8), ("4/5", 0.8), ("1.85", 1.85), (" 2.39 : 1 ", 2.39)],
)
def test_aspects_that_can_be_read(text: str, aspect: float | None) -> None:
    assert aspect_of(text) == aspect


@pytest.mark.parametrize(
    "text", ["wide", "16:", ":9", "0:9", "16:0", "16:9:4", "-1", "9:1", "0.1", "1e3", "16;9", "nan"]
)
def test_any_other_aspect_is_refused_when_the_recipe_is_read(text: str) -> None:
    with pytest.raises(
        SettingsError, match=r"extend\.aspect: .* is not accepted; it must be an aspect from 1:8 to 8:1"
    ):
        read_recipe({"extend": {"aspect": text}})


@pytest.mark.parametrize(
    ("size", "settings", "box"),
    [
        (Size(512, 512), {"aspect": "16:9"}, Box(-199, 0, 711, 512)),
        (Size(512, 512), {"aspect": "16:9", "anchor": "left"}, Box(0, 0, 910, 512)),
        (Size(512, 512), {"aspect": "16:9", "anchor": "right"}, Box(-398, 0, 512, 512)),
        (Size(512, 512), {"aspect": "16:9", "anchor": "top"}, Box(-199, 0, 711, 512)),
        (Size(512, 512), {"aspect": "4:5", "anchor": "top"}, Box(0, 0, 512, 640)),
        (Size(512, 512), {"aspect": "4:5", "anchor": "bottom"}, Box(0, -128, 512, 512)),
        (Size(512, 512), {"aspect": "1:1"}, Box(0, 0, 512, 512)),
        (Size(512, 512), {"left": 64, "aspect": "1:1"}, Box(-64, -32, 512, 544)),
        (Size(1600, 901), {"aspect": "16:9"}, Box(-1, 0, 1601, 901)),
        (Size(333, 500), {"aspect": "2:3"}, Box(0, 0, 333, 500)),
    ],
)
def test_pixels_first_then_the_aspect_and_nothing_is_cropped(size: Size, settings: dict, box: Box) -> None:  # type: ignore[type-arg]
    assert extended_box(size, ExtendSettings(**settings)) == box


def test_a_picture_too_large_is_refused_before_anything_runs(gradient) -> None:  # type: ignore[no-untyped-def]
    wide = gradient(8, 15000)
    done = run(wide, right=2000)
    assert done.reports[1].status == "failed"
    assert "17000×8; at most 16384 pixels a side are supported. Add less." in done.error
    with pytest.raises(HostError, match="at most 16384"):
        Extend().estimate(
            Work(wide), Size(15000, 8), ExtendSettings(right=2000), Tools(Small(), lambda *_: [], Onward())
        )


@pytest.mark.parametrize(("overlap", "feather"), [(0, 0), (0, 12), (12, 0), (8, 8)])
def test_the_old_picture_beyond_overlap_and_feather_is_the_same_bit_for_bit(face, overlap: int, feather: int) -> None:  # type: ignore[no-untyped-def]
    done = run(face, left=24, bottom=40, overlap=overlap, feather=feather, colour_lock=0)
    assert done.pixels.shape == (168, 184, 3)
    old = done.pixels[:128, 24:]
    reach = overlap + feather
    assert np.array_equal(old[: 128 - reach, reach:], face[: 128 - reach, reach:])
    changed = np.abs(old - face).max(axis=-1) > 0
    assert changed.any() == bool(reach)
    if overlap:
        assert changed[:, :overlap].mean() > 0.5


def test_large_extensions_go_in_passes_that_see_mostly_picture(face: np.ndarray) -> None:
    done = run(face, aspect="16:9", bottom=64, most_per_pass=0.25)
    report = done.reports[1]
    assert done.pixels.shape == (192, 341, 3)
    assert "160×128 to 341×192 in" in report.reason
    boxes = pass_boxes(Size(160, 128), Box(-90, 0, 251, 192), 0.25, 128)
    assert f"in {len(boxes)} passes" in report.reason
    assert len(boxes) > 3
    assert run(face, right=32, most_per_pass=0.5).reports[1].reason == "160×128 to 192×128"


def test_the_plan_is_what_it_costs(face: np.ndarray) -> None:
    for settings in ({"right": 32}, {"aspect": "16:9"}, {"left": 100, "top": 90, "aspect": "3:1"}):
        recipe = recipe_of(**settings)
        work = Work(face)
        planned = Extend().estimate(work, work.size, recipe["extend"], Tools(Small(), lambda *_: [], Onward()))
        report = run(face, **settings).reports[1]
        assert planned.size == report.size
        assert planned.patches == report.cost.patches
        assert planned.megapixel_steps == pytest.approx(report.cost.megapixel_steps)
        assert planned.host_calls == report.cost.host_calls


def test_nothing_asked_for_is_skipped(face: np.ndarray) -> None:
    plain, square = run(face).reports[1], run(np.ascontiguousarray(face[:, :128]), aspect="1:1").reports[1]
    assert plain.status == square.status == "skipped"
    assert plain.reason == "no side is to be extended"
    assert square.reason == "the picture has the aspect 1:1 already"


def test_at_no_strength_the_fill_itself_is_the_border(face: np.ndarray) -> None:
    done = run(face, right=32, denoising_strength=0)
    assert np.abs(done.pixels - extended(face, Box(0, 0, 192, 128), 6)).max() < 1 / 65000


def test_any_seed_will_do(face: np.ndarray) -> None:
    one, other = (extended(face, Box(0, 0, 192, 128), seed) for seed in (-5, 2**70))
    assert np.array_equal(one, extended(face, Box(0, 0, 192, 128), -5)) and not np.array_equal(one, other)


def test_the_fill_repeats_nothing_and_joins_without_a_seam(face: np.ndarray) -> None:
    height, width = face.shape[:2]
    box = Box(0, 0, width + 48, height)
    filled_in, mirrored = extended(face, box, 1), cut(face, box)
    assert np.array_equal(filled_in[:, :width], face)

    def likeness_to_the_mirror(picture: np.ndarray) -> float:
        new, mirror = (p[:, width + 8 :].mean(axis=-1) for p in (picture, mirrored))
        fine = [p - p.mean(axis=0, keepdims=True) - p.mean(axis=1, keepdims=True) + p.mean() for p in (new, mirror)]
        return float(np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1])

    assert likeness_to_the_mirror(mirrored) > 0.99
    assert abs(likeness_to_the_mirror(filled_in)) < 0.4
    step = np.abs(filled_in[:, width] - filled_in[:, width - 1]).mean()
    inside = np.abs(np.diff(face, axis=1)).mean()
    assert step < 1.5 * inside


def test_the_fill_is_seeded_and_has_texture(face: np.ndarray) -> None:
    box = Box(-32, -16, 160, 128)
    first, again, other = (extended(face, box, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(first[16:, 32:], other[16:, 32:])
    assert float(np.abs(np.diff(first[16:, :28], axis=0)).mean()) > 0.2 / 255


def test_a_hole_is_filled_from_around_it() -> None:
    picture = np.tile(np.linspace(0.2, 0.8, 64, dtype=np.float32)[None, :, None], (64, 1, 3))
    known = np.ones((64, 64), dtype=bool)
    known[20:44, 20:44] = False
    torn = np.where(known[..., None], picture, np.float32(1))
    result = continued(torn, known)
    assert np.array_equal(result[known], picture[known])
    # A ramp is its own solution of Laplace's equation.
    assert float(np.abs(result - picture).max()) < 0.02
    assert np.array_equal(filled(torn, known, 0)[known], picture[known])
    nothing = np.zeros((64, 64), dtype=bool)
    assert np.array_equal(filled(picture, nothing, 0), picture)
    assert np.array_equal(filled(picture, ~nothing, 0), picture)


def test_the_mask_goes_with_the_picture_and_repair_finds_its_region(face: np.ndarray) -> None:
    mask = np.zeros(face.shape[:2], dtype=np.float32)
    mask[50:80, 60:100] = 1
    recipe = recipe_of(("extend", "repair"), left=40, top=24, denoising_strength=0.2)
    plain = Pipeline(Small(), lambda *_: [], recipe_of(left=40, top=24, denoising_strength=0.2)).run(
        [Work(face, Base())]
    )[0]
    done = Pipeline(Small(), lambda *_: [], recipe).run([Work(face, Base(), mask)])[0]
    changed = np.abs(done.pixels - plain.pixels).max(axis=-1) > 1 / 255
    rows, columns = np.nonzero(changed)
    assert changed[50 + 24 : 80 + 24, 60 + 40 : 100 + 40].mean() > 0.5
    assert abs((rows.min() + rows.max()) / 2 - (65 + 24)) < 12
    assert abs((columns.min() + columns.max()) / 2 - (80 + 40)) < 12


def test_later_stages_work_on_what_was_added(face: np.ndarray) -> None:
    alone = run(face, right=48)
    data = recipe_of(("extend", "upscale"), right=48)
    done = Pipeline(Small(), lambda *_: [], data).run([Work(face, Base(seed=5))])[0]
    assert alone.pixels.shape == (128, 208, 3)
    assert done.reports[4].status == "ran"
    assert done.pixels.shape == (256, 416, 3)


def test_an_unfinished_extension_is_no_result(face: np.ndarray, tmp_path: Path) -> None:
    class Stopping(Small):
        calls = 0

        def redraw(self, batch, watch):  # type: ignore[no-untyped-def]
            self.calls += 1
            if self.calls == 2:
                control.interrupt()
            return super().redraw(batch, watch)

    control, store = Control(), ResultStore(tmp_path)
    recipe = recipe_of(right=200, most_per_pass=0.25)
    stopped = Pipeline(Stopping(), lambda *_: [], recipe, store, control=control).run([Work(face)])[0]
    assert stopped.interrupted_in == "extend"
    assert np.array_equal(stopped.pixels, face)
    whole = Pipeline(Small(), lambda *_: [], recipe).run([Work(face)])[0]
    resumed = Pipeline(Small(), lambda *_: [], recipe, store).run([Work(face)])[0]
    assert "taken up from an earlier, unfinished run" in " ".join(resumed.reports[1].notes)
    assert np.array_equal(resumed.pixels, whole.pixels)


def test_transparency_is_extended_to_the_same_box(tmp_path: Path) -> None:
    picture = Image.open(PORTRAIT).convert("RGBA").crop((120, 0, 248, 128))
    alpha = np.zeros((128, 128), dtype=np.uint8)
    alpha[:, 64:] = 255
    picture.putalpha(Image.fromarray(alpha))
    picture.save(tmp_path / "a.png")
    recipe, host = recipe_of(aspect="2:1", anchor="right", denoising_strength=0), EmbeddedHost()
    told = list(
        finish_files(
            [tmp_path / "a.png"], Pipeline(host, lambda *_: [], recipe), host, recipe, Base(),
            Saving(tmp_path / "out"), None, Control(),
        )
    )  # fmt: skip
    assert told[0].output is not None
    result = np.asarray(Image.open(told[0].output))
    assert result.shape == (128, 256, 4)
    assert (result[:, 194:, 3] == 255).all()
    assert (result[:, 128:190, 3] == 0).all()
    assert np.array_equal(result[:, 200:, :3], np.asarray(picture)[:, 72:, :3])


def test_a_frame_line_is_not_carried_far(gradient) -> None:  # type: ignore[no-untyped-def]
    picture = gradient(96, 96)
    framed = picture.copy()
    framed[:, -1] = 0
    result = extended(framed, Box(0, 0, 144, 96), 1)
    assert float(np.abs(result[10:86, 115:].mean() - picture[10:86, -10:].mean())) < 0.1
