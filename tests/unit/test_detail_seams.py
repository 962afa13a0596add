"""The rim of a redrawn face, with an engine that shifts the colours of everything it draws."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lib_finisher.detect.catalogue import Detectors
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, Watch
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import from_lab, to_lab
from lib_finisher.imaging.geometry import Box, size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.detail_masks import shape_of, union_of
from lib_finisher.stages.detail_settings import DetailPass
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work

TINT = np.float32([2.0, 4.0, -4.0])
"""Of lightness, a and b: 6 ΔE (CIE 1976)."""


class Tinting(EmbeddedHost):
    """Adds the tint to every crop, as a VAE or another checkpoint might; `draws` says whether it also redraws."""

    def __init__(self, draws: bool) -> None:
        super().__init__()
        self.draws = draws

    def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
        drawn = super().redraw(batch, watch) if self.draws else [item.pixels for item in batch.elements]
        return [from_lab(to_lab(pixels) + TINT) for pixels in drawn]


@pytest.fixture(scope="module")
def faces(portrait: np.ndarray) -> np.ndarray:
    """Three faces of different size and light on one picture, away from black and white, where nothing can shift."""
    calm = portrait * np.float32(0.6) + np.float32(0.2)
    small = cv2.resize(calm[20:220, 120:330], (160, 152), interpolation=cv2.INTER_AREA)
    mirrored = np.ascontiguousarray(calm[20:240, 110:340][:, ::-1]) * np.float32(0.8)
    picture = np.asarray(cv2.GaussianBlur(cv2.resize(calm[300:], (640, 512)), (0, 0), 9)).copy()
    for part, left, top in ((small, 20, 300), (mirrored, 380, 250), (calm[20:240, 110:340], 20, 20)):
        picture[top : top + part.shape[0], left : left + part.shape[1]] = part
    return np.round(picture * 255).astype(np.float32) / np.float32(255)


def rims(picture: Pixels, after: Pixels, weight: Mask, regions: list[Box]) -> list[float]:
    """The mean colour difference (ΔE 1976) in the soft edge of each face, without its fine detail."""
    before, now = (to_lab(np.asarray(cv2.GaussianBlur(item, (0, 0), 6))) for item in (picture, after))
    difference = np.linalg.norm(now - before, axis=-1)
    edge = (weight > 0.1) & (weight < 0.9)
    found = []
    for region in regions:
        reach = region.grown(region.width)
        part = slice(max(0, reach.top), reach.bottom), slice(max(0, reach.left), reach.right)
        found.append(float(difference[part][edge[part]].mean()))
    return found


@pytest.mark.parametrize("draws", [False, True])
def test_no_rim_shows_a_planted_tint(faces: np.ndarray, draws: bool) -> None:
    host, detectors = Tinting(draws), Detectors()
    found = detectors.detect("face_yunet", faces, 0.3)
    assert len(found) == 3
    regions = [item.box for item in found]
    weight = union_of([shape_of(item, DetailPass()) for item in found], Box(0, 0, 640, 512), DetailPass())
    shown = {}
    for lock in (1.0, 0.0):
        one = {"colour_lock": lock, "gate": 1.0, "denoising_strength": 0.1, "steps": 10}
        data = {**{name: {"enabled": name == "detail"} for name in NAMES}, "detail": {"passes": [one]}}
        done = Pipeline(host, detectors.detect, read_recipe(data)).run([Work(faces, Base(seed=3))])[0]
        assert done.reports[3].cost.patches == 3 and size_of(done.pixels) == size_of(faces)
        shown[lock] = rims(faces, done.pixels, weight, regions)
    assert max(shown[1.0]) < 1.0
    # The control: without the lock the tint is there to be seen.
    assert min(shown[0.0]) > 2.0


@pytest.mark.slow
def test_a_detector_is_loaded_once_for_twenty_pictures(
    host: EmbeddedHost, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[object] = []
    create = cv2.FaceDetectorYN.create

    def counted(*arguments: object) -> object:
        loads.append(arguments)
        return create(*arguments)

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", counted)
    detectors = Detectors()
    data = {**{name: {"enabled": name == "detail"} for name in NAMES}}
    data["detail"] = {"enabled": True, "passes": [{"steps": 2}, {"steps": 2, "repeat": True}]}  # type: ignore[dict-item]
    pipeline = Pipeline(host, detectors.detect, read_recipe(data))
    crop = np.ascontiguousarray(portrait[0:256, 96:352])
    pictures = [np.clip(crop * np.float32(0.8 + 0.01 * number), 0, 1) for number in range(20)]
    done = [item for picture in pictures for item in pipeline.run([Work(picture, Base(seed=1))])]
    assert [item.reports[3].cost.patches for item in done] == [2] * 20
    assert len(loads) == 1
    detectors.free()
    pipeline.run([Work(crop * np.float32(0.7))])
    assert len(loads) == 2
