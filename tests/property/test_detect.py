"""Windows cover every picture, and merging is what it says, for any picture and any findings."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib_finisher.detect.detection import Detection, merged, same
from lib_finisher.detect.outline import box_around, silhouette
from lib_finisher.detect.search import Search
from lib_finisher.detect.windows import levels
from lib_finisher.imaging.geometry import Box, Size, frame

sizes = st.builds(Size, st.integers(1, 20_000), st.integers(1, 20_000))
boxes = st.builds(
    lambda left, top, width, height: Box(left, top, left + width, top + height),
    st.integers(-20, 200), st.integers(-20, 200), st.integers(1, 120), st.integers(1, 120),
)  # fmt: skip
labels = st.sampled_from(["face", "Human face", "eye", "person", "cat"])
detections = st.lists(st.builds(Detection, boxes, st.sampled_from([0.1, 0.3, 0.5, 0.9]), labels), max_size=20)


@given(sizes, st.integers(1, 200), st.sampled_from([320, 640, 1280]))
@settings(max_examples=150, deadline=None)
def test_windows_cover_the_picture_and_overlap_enough(picture: Size, smallest: int, native: int) -> None:
    laid = levels(picture, Search(smallest=smallest), native)
    seen = native / max(picture.width, picture.height)
    if max(picture.width, picture.height) <= native:
        assert laid == ()
    if laid:
        assert laid[-1].scale * max(smallest, 20) >= 19.99
    for level in laid:
        assert 0 < level.scale <= 1
        side = native / level.scale
        assert all(max(box.width, box.height) <= side + 1 for box in level.boxes)
        assert all(box.intersection(frame(picture)) == box for box in level.boxes)
        for spans, length in (
            ({(box.left, box.right) for box in level.boxes}, picture.width),
            ({(box.top, box.bottom) for box in level.boxes}, picture.height),
        ):
            ordered = sorted(spans)
            assert ordered[0][0] == 0
            assert ordered[-1][1] == length
            assert all(before[1] - after[0] >= 0.2 * side - 2 for before, after in itertools.pairwise(ordered))
            # What the level before only just saw lies wholly in one of these windows.
            assert len(ordered) == 1 or 0.2 * side >= 20 / seen * 1.2
        seen = level.scale


@given(detections, st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_merging_leaves_no_doubles_and_loses_nothing_else(
    found: list[Detection], middles: bool, order: random.Random
) -> None:
    kept = merged(found, middles=middles)
    assert all(item in found for item in kept)
    assert [item.confidence for item in kept] == sorted((item.confidence for item in kept), reverse=True)
    for at, one in enumerate(kept):
        assert not any(same(one, other, middles=middles) for other in kept[at + 1 :])
    for item in found:
        assert any(
            item == other or (same(item, other, middles=middles) and other.confidence >= item.confidence)
            for other in kept
        )
    assert merged(kept, middles=middles) == kept
    shuffled = list(found)
    order.shuffle(shuffled)
    assert merged(shuffled, middles=middles) == kept


coordinates = st.floats(-50, 1200, allow_nan=False, width=32)
clouds = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=30).map(lambda one: np.array(one))


@given(clouds, st.floats(0, 60))
@example(np.array([(0.0, 0.0), (0.0, -0.0)]), 0.0)
@settings(max_examples=100, deadline=None)
def test_a_silhouette_covers_its_points_and_its_box_holds_them(points: np.ndarray, margin: float) -> None:
    box = box_around(points, margin)
    assert (points >= [box.left, box.top]).all()
    assert (points <= [box.right, box.bottom]).all()
    assert box.width <= np.ptp(points[:, 0]) + 2 * margin + 2
    shape = silhouette([points], box, margin)
    assert shape.dtype == np.float32
    assert 0 <= shape.min() <= shape.max() == 1
    assert max(shape.shape) <= 256
    assert shape.shape[0] <= box.height
    assert shape.shape[1] <= box.width
    at = ((points - [box.left, box.top]) * [shape.shape[1] / box.width, shape.shape[0] / box.height]).astype(int)
    rows, columns = np.minimum(at[:, 1], shape.shape[0] - 1), np.minimum(at[:, 0], shape.shape[1] - 1)
    around = np.pad(shape, 1, mode="edge")
    near = np.max([around[rows + y, columns + x] for y in range(3) for x in range(3)], axis=0)
    assert (near == 1).all()


@given(clouds, st.floats(0, 20), st.floats(0.5, 20))
@settings(max_examples=60, deadline=None)
def test_a_larger_margin_never_takes_from_a_silhouette(points: np.ndarray, margin: float, more: float) -> None:
    box = box_around(points, margin + more)
    assert (silhouette([points], box, margin + more) >= silhouette([points], box, margin) - 1e-6).all()


def test_no_box_goes_around_nothing() -> None:
    for points in (np.empty((0, 2)), np.array([(1.0, np.nan)])):
        with pytest.raises(ValueError, match="each must be finite"):
            box_around(points, 1)
