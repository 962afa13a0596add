"""Another checkpoint for a stage: how often it is loaded, counted on a real engine, and what is advised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lib_finisher.batch import finish as batch
from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.report import FileReport
from lib_finisher.batch.saving import Saving
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import Control
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, HostError, ModelFacts, Sampling
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.imaging.saving import save_png
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe, read_recipe
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import Patch, Request, everywhere
from lib_finisher.stages.refine_settings import RefineSettings
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base
from lib_finisher.stages.swap import style_advice
from tests.conftest import Onward

OWN, OTHER, THIRD, REFINER = "own", "other", "third", "refiner"
KNOWN = {
    OWN: ModelFacts(OWN, "embedded", 512),
    OTHER: ModelFacts(OTHER, "embedded", 512),
    THIRD: ModelFacts(THIRD, "embedded", 512),
    REFINER: ModelFacts(REFINER, "sdxl", 1024, "refiner"),
}
GENTLE = {"steps": 3, "denoising_strength": 0.3}
FACE = {"detector": "face_yunet", "confidence": 0.3, "repeat": True, **GENTLE}


class Counting(EmbeddedHost):
    """The embedded engine under several names, which notes every load as a web UI would have to do it."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded = OWN
        self.loads: list[str] = []
        self.calls = 0

    def model(self, checkpoint: str = "") -> ModelFacts:
        if checkpoint and checkpoint not in KNOWN:
            raise HostError(f"There is no checkpoint {checkpoint!r} here.")
        return KNOWN[checkpoint or OWN]

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        self.load(batch.sampling.checkpoint or OWN)
        self.calls += 1
        return super().redraw(batch, watch)

    def close(self) -> None:
        """What a host does at the end of a run: the user's checkpoint is loaded again."""
        self.load(OWN)

    def load(self, name: str) -> None:
        if name != self.loaded:
            self.loaded = name
            self.loads.append(name)


def recipe_of(**stages: object) -> Recipe:
    return read_recipe({**{name: {"enabled": False} for name in NAMES}, **stages})


def pictures(folder: Path, portrait: np.ndarray, count: int) -> list[Path]:
    """Different faces of one: every file is cut and lit in another way."""
    files = []
    for number in range(count):
        pixels = portrait[30:222, 128 + 2 * number : 320 + 2 * number] * (1.0 - 0.03 * number)
        files.append(folder / f"{number}.png")
        save_png(files[-1], np.ascontiguousarray(pixels, dtype=np.float32))
    return files


def finished(host: Counting, files: list[Path], recipe: Recipe, folder: Path) -> list[FileReport]:
    pipeline = Pipeline(host, Detectors().detect, recipe)
    saving = Saving(folder)
    reports = list(finish_files(files, pipeline, host, recipe, Base(seed=3), saving, None, Control()))
    host.close()
    assert [report.error for report in reports] == [""] * len(files)
    return reports


@pytest.mark.parametrize("stage", ["refine", "detail"])
def test_two_swaps_for_eight_pictures(tmp_path: Path, portrait: np.ndarray, stage: str) -> None:
    """Every stage that samples runs, one of them on another checkpoint."""
    stages: dict[str, dict[str, object]] = {
        "refine": {"enabled": True, **GENTLE},
        "detail": {"enabled": True, "passes": [FACE]},
        "upscale": {"enabled": True, "passes": [{"factor": 1.25, **GENTLE}]},
    }
    if stage == "detail":
        stages["detail"] = {"enabled": True, "passes": [{**FACE, "checkpoint": OTHER}]}
    else:
        stages[stage]["checkpoint"] = OTHER
    host = Counting()
    reports = finished(host, pictures(tmp_path, portrait, 8), recipe_of(**stages), tmp_path / "out")
    ran = {item.stage for report in reports for item in report.stages if item.status == "ran"}
    assert ran == {"refine", "detail", "upscale"}
    assert host.loads == [OTHER, OWN]
    assert host.calls >= 3


def test_two_swaps_a_picture_where_each_is_finished_by_itself(tmp_path: Path, portrait: np.ndarray) -> None:
    """The control: what a host's own loop costs, which the page says."""
    host = Counting()
    recipe = recipe_of(refine={"enabled": True, **GENTLE, "checkpoint": OTHER})
    for number, file in enumerate(pictures(tmp_path, portrait, 3)):
        finished(host, [file], recipe, tmp_path / f"out{number}")
    assert host.loads == [OTHER, OWN] * 3


def test_passes_and_stages_on_one_checkpoint_share_its_load(tmp_path: Path, portrait: np.ndarray) -> None:
    """Detections come in between and sizes differ: neither is a reason to load anything."""
    other = {"checkpoint": OTHER}
    recipe = recipe_of(
        refine={"enabled": True, **GENTLE, **other},
        detail={"enabled": True, "passes": [{**FACE, **other}, {**FACE, **other, "denoising_strength": 0.2}]},
        upscale={"enabled": True, "passes": [{"factor": 1.25, **GENTLE, **other}]},
    )
    host = Counting()
    reports = finished(host, pictures(tmp_path, portrait, 3), recipe, tmp_path / "out")
    assert host.loads == [OTHER, OWN]
    assert all(item.patches >= 2 for item in (report.stages[NAMES.index("detail")].cost for report in reports))


def test_patches_of_several_sizes_and_checkpoints_are_drawn_checkpoint_by_checkpoint(
    tmp_path: Path, portrait: np.ndarray
) -> None:
    """Pictures of two sizes go through two passes with checkpoints of their own: two loads and the way back."""
    files = pictures(tmp_path, portrait, 3)
    for file in files[::2]:
        save_png(file, np.ascontiguousarray(load_picture(file).pixels[:160, 16:176]), replace=True)
    passes = [{**FACE, "checkpoint": OTHER}, {**FACE, "checkpoint": THIRD}]
    host = Counting()
    finished(host, files, recipe_of(detail={"enabled": True, "passes": passes}), tmp_path / "out")
    assert host.loads == [OTHER, THIRD, OWN]


def test_batches_of_one_round_are_drawn_checkpoint_by_checkpoint(portrait: np.ndarray) -> None:
    """Three pictures ask in turn for one checkpoint, for another, and for the first at another size."""
    requests = []
    for number, (side, checkpoint) in enumerate(((128, OTHER), (128, THIRD), (160, OTHER))):
        size = Size(side, side)
        patch = Patch(Box(0, 0, side, side), size, everywhere(size), 0.3, seed=number, label=str(number))
        picture = np.ascontiguousarray(portrait[:side, :side])
        sampling = Sampling(denoising_strength=0.3, steps=3, checkpoint=checkpoint)
        requests.append(Request(picture, (patch,), sampling, NoiseField(number, "test")))
    host = Counting()
    outcomes = redraw(requests, host, AreaBudget(host.capabilities), Onward())
    assert [outcome.accepted for outcome in outcomes] == [1, 1, 1]
    assert host.loads == [OTHER, THIRD]
    for request, outcome in zip(requests, outcomes):
        (alone,) = redraw([request], host, AreaBudget(host.capabilities), Onward())
        assert np.array_equal(alone.picture, outcome.picture)


def test_eight_pictures_of_a_megapixel_make_one_chunk() -> None:
    """And no more pixels than before are held at once."""
    assert batch._CHUNK_PICTURES >= 8
    assert 8 * 1024 * 1024 <= batch._CHUNK_PIXELS < 9_000_000


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path, portrait: np.ndarray) -> None:
    host = Counting()
    recipe = recipe_of(refine={"enabled": True, **GENTLE, "checkpoint": "gone"})
    pipeline = Pipeline(host, Detectors().detect, recipe)
    files = pictures(tmp_path, portrait, 1)
    (report,) = finish_files(files, pipeline, host, recipe, Base(), Saving(tmp_path / "out"), None, Control())
    assert "'gone'" in report.error
    assert host.loads == []


SWAPPING = RefineSettings(checkpoint=OTHER, denoising_strength=0.3)


@pytest.mark.parametrize(
    ("settings", "steps", "told"),
    [
        (SWAPPING, 30, True),
        (SWAPPING, 20, False),
        (SWAPPING, 10, False),
        (replace(SWAPPING, denoising_strength=0.5), 30, False),
        (replace(SWAPPING, checkpoint=""), 30, False),
        (replace(SWAPPING, checkpoint=OWN), 30, False),
        # It is meant to keep the style.
        (replace(SWAPPING, checkpoint=REFINER), 30, False),
        (replace(SWAPPING, checkpoint="gone"), 30, False),
    ],
)
def test_a_well_finished_base_keeps_the_second_style_out(settings: RefineSettings, steps: int, told: bool) -> None:
    notes = style_advice(settings, Base(steps=steps), Counting())
    assert len(notes) == int(told)
    assert all("30 steps" in note and "about 10" in note for note in notes)


def test_the_advice_stands_once_in_a_pictures_report(tmp_path: Path, portrait: np.ndarray) -> None:
    host = Counting()
    recipe = recipe_of(refine={"enabled": True, **GENTLE, "checkpoint": OTHER})
    pipeline = Pipeline(host, Detectors().detect, recipe)
    files = pictures(tmp_path, portrait, 1)
    base = Base(steps=30)
    (report,) = finish_files(files, pipeline, host, recipe, base, Saving(tmp_path / "out"), None, Control())
    notes = [note for stage in report.stages for note in stage.notes]
    assert sum("more of its style" in note for note in notes) == 1
