"""The gate of a detail pass: by how much less sure a detector may be of a redraw, and on how large a picture."""

from __future__ import annotations

import numpy as np
import pytest

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.redraw.patch import Patch
from lib_finisher.stages.detail_care import judging
from lib_finisher.stages.detail_patches import Choice
from lib_finisher.stages.detail_settings import DetailPass

ABOUT = Box(300, 220, 340, 264)
SIDES: list[int] = []


def find(name: str, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
    """Light squares, as sure as they are light; they count from 0.4 where nothing is said."""
    SIDES.append(min(pixels.shape[:2]))
    assert not search.sliced
    rows, columns = np.nonzero(pixels[..., 0] > 0.2)
    if not rows.size or pixels[..., 0].max() < (confidence or 0.4):
        return []
    box = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    return [Detection(box, float(pixels[..., 0].max()), "face")]


@pytest.mark.parametrize(
    ("before", "after", "refusal"),
    [
        (0.8, 0.8, ""),
        (0.8, 0.65, ""),
        (0.8, 0.55, "less sure (0.80 to 0.55)"),
        (0.5, 0.35, "does not find it any more (0.50 to 0.35)"),
        (0.0, 0.3, ""),
    ],
)
@pytest.mark.parametrize("side", [160, 500])
def test_a_redraw_may_be_less_sure_by_the_margin(side: int, before: float, after: float, refusal: str) -> None:
    crops = np.zeros((2, side, side, 3), np.float32)
    for crop, light in zip(crops, (before, after)):
        crop[60:104, 60:100] = light
    patch = Patch(
        Box(240, 160, 240 + side, 160 + side), Size(side, side), lambda: np.ones((side, side), np.float32), 0.4,
        about=ABOUT,
    )  # fmt: skip
    judge = judging(DetailPass(detector="a", gate=0.2), Choice(()), find)
    assert judge is not None
    SIDES.clear()
    told = judge(patch, *crops)
    assert refusal in told and bool(told) == bool(refusal)
    assert min(SIDES) >= 320, "small crops are enlarged first"
    off = judging(DetailPass(detector="a", gate=1.0), Choice(()), find)
    assert off is None
