"""What a mask leaves alone is told, and stays bit for bit: shrunk to nothing, moved away, outside the user's mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.finished import StageReport
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.geometry import Box
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Work

SHRUNK = "1 left alone: the mask is empty, its dilation shrank it to nothing"
MOVED = "1 left alone: its offset moved the mask outside the picture"
OUTSIDE = "1 outside the mask, left as it was"
BOX = Box(180, 90, 230, 150)


# Two strokes, too thin for an erosion, and the whole box.
STROKES, SOLID = np.zeros((60, 50), np.float32), np.ones((60, 50), np.float32)
STROKES[:, 20:23] = STROKES[30:33] = 1


def report_of(
    picture: np.ndarray,
    mask: np.ndarray | None = None,
    restrict: bool = False,
    silhouette: np.ndarray = SOLID,
    **detail: Any,
) -> tuple[StageReport, np.ndarray]:
    """The report of detail and what it has changed, 0 or above at each pixel."""
    plan: dict[str, Any] = {name: {"enabled": name == "detail"} for name in NAMES}
    one = {"detector": "face_yunet", "steps": 2, "gate": 1, "denoising_strength": 0.4, "mask_blur": 0.0, **detail}
    plan |= {"detail": {"enabled": True, "passes": [one]}, "base": {"mask": "restrict" if restrict else "ignore"}}

    def find(name: str, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        return [Detection(BOX, 0.9, "face", silhouette=silhouette)]

    done = Pipeline(EmbeddedHost(), find, read_recipe(plan)).run([Work(picture, mask=mask)])[0]
    report = next(item for item in done.reports if item.stage == "detail")
    return report, np.abs(done.pixels - picture).max(axis=-1)


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[0:256, 120:376])


@pytest.mark.parametrize("merge", ["none", "merge"])
@pytest.mark.parametrize(
    ("left", "right", "text"),
    [
        ({"silhouette": STROKES, "dilation": -0.5}, {"silhouette": SOLID, "dilation": -0.5}, SHRUNK),
        ({"silhouette": STROKES, "dilation": -0.5}, {"silhouette": STROKES, "dilation": 0.0}, SHRUNK),
        ({"x_offset": 2.0}, {"x_offset": -2.0}, MOVED),
    ],
)
def test_a_mask_that_is_nowhere_is_told(
    picture: np.ndarray, left: dict[str, Any], right: dict[str, Any], text: str, merge: str
) -> None:
    report, changed = report_of(picture, merge=merge, **left)
    assert text in report.reason and "outside where" not in report.reason
    assert not changed.any()
    report, changed = report_of(picture, merge=merge, **right)
    assert "left alone" not in report.reason
    assert changed.any()


def test_a_finding_outside_the_mask_is_told(picture: np.ndarray) -> None:
    mask = np.zeros(picture.shape[:2], np.float32)
    mask[:, :100] = 1
    report, changed = report_of(picture, mask, restrict=True)
    assert OUTSIDE in report.notes
    assert not changed.any()
    report, changed = report_of(picture, 1 - mask, restrict=True)
    assert OUTSIDE not in report.notes
    assert changed[BOX.top : BOX.bottom, BOX.left : BOX.right].any() and not changed[:, :100].any()
