"""A finding's mask: outline, ellipse or box, where a pass may draw, and its canvas."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from lib_finisher.detect.detection import Detection
from lib_finisher.hosts.embedded.engine import CAPABILITIES
from lib_finisher.imaging.geometry import Box, Size, frame
from lib_finisher.imaging.masks import ellipse, outlined
from lib_finisher.imaging.similarity import likeness
from lib_finisher.stages.crop import crop_around
from lib_finisher.stages.detail_masks import mask_of, shape_of, union_of
from lib_finisher.stages.detail_settings import BOX, ELLIPSE, DetailPass

AREA = Box(0, 0, 200, 160)
HARD = {"dilation": 0.0, "mask_blur": 0.0}


def face_of(degrees: float, x: float = 100, y: float = 80, height: float = 60) -> Detection:
    """A face turned clockwise, with the box of its ellipse and its five landmarks."""
    a, b, turn = height * 0.38, height / 2, math.radians(degrees)
    across = math.hypot(a * math.cos(turn), b * math.sin(turn))
    down = math.hypot(a * math.sin(turn), b * math.cos(turn))
    plain = [(-12, -10), (12, -10), (0, 2), (-9, 14), (9, 14)]
    points = tuple(
        (x + px * math.cos(turn) - py * math.sin(turn), y + px * math.sin(turn) + py * math.cos(turn))
        for px, py in plain
    )
    box = Box(round(x - across), round(y - down), round(x + across), round(y + down))
    return Detection(box, 0.9, "face", points)


@pytest.mark.parametrize("degrees", [0, 5, 30, -45, 60, 90, -120, 180])
def test_a_turned_face_gets_a_turned_ellipse(degrees: float) -> None:
    face = face_of(degrees)
    assert face.roll is not None and math.cos(math.radians(face.roll - degrees)) > 0.9999
    mask = mask_of(shape_of(face, DetailPass(**HARD)), AREA, DetailPass(**HARD))
    truth = ellipse(AREA.height, AREA.width, (100, 80), (60 * 0.38, 30), 0.0, degrees)
    both, either = np.minimum(mask, truth).sum(), np.maximum(mask, truth).sum()
    assert both / either > 0.9
    # The upright ellipse of the box would be another one.
    plain = DetailPass(mask_shape=ELLIPSE, **HARD)
    upright = mask_of(shape_of(face, plain), AREA, plain)
    if abs(degrees) in (30, 45, 60):
        assert np.minimum(upright, truth).sum() / np.maximum(upright, truth).sum() < both / either


def test_a_silhouette_is_followed_and_softly_ended() -> None:
    shape = np.zeros((40, 20), dtype=np.float32)
    shape[:20, :10] = 1
    found = Detection(Box(50, 40, 90, 120), 0.9, "person", silhouette=shape)
    hard = mask_of(shape_of(found, DetailPass(**HARD)), AREA, DetailPass(**HARD))
    assert hard[45:75, 55:65].min() == 1 and hard[85:, :].max() == 0 and hard[:, 75:].max() == 0
    assert hard.sum() == pytest.approx(20 * 40, rel=0.08)
    soft = DetailPass(dilation=0.0, mask_blur=0.25)
    mask = mask_of(shape_of(found, soft), AREA, soft)
    edge = mask[60, 68:95]
    assert edge[0] > 0.95 and edge[-1] == 0 and (np.diff(edge) <= 0).all() and len(np.unique(edge)) > 10
    grown = DetailPass(dilation=0.5, mask_blur=0.0)
    shrunk = DetailPass(dilation=-0.25, mask_blur=0.0)
    assert mask_of(shape_of(found, grown), AREA, grown).sum() > hard.sum() * 1.5
    assert 0 < mask_of(shape_of(found, shrunk), AREA, shrunk).sum() < hard.sum() * 0.8
    # Where the outline is not wanted, the box's ellipse is used.
    plain = DetailPass(mask_shape=ELLIPSE, **HARD)
    assert mask_of(shape_of(found, plain), AREA, plain)[110, 70] == 1


def test_a_silhouette_is_cut_off_with_its_crop() -> None:
    found = Detection(Box(-20, -10, 60, 50), 0.9, "person", silhouette=np.ones((4, 4), dtype=np.float32))
    whole = mask_of(shape_of(found, DetailPass(**HARD)), Box(-40, -40, 200, 160), DetailPass(**HARD))
    part = mask_of(shape_of(found, DetailPass(**HARD)), AREA, DetailPass(**HARD))
    np.testing.assert_array_equal(part, whole[40:, 40:])


def test_a_box_is_a_box() -> None:
    found = Detection(Box(50, 40, 90, 120), 0.9, "face")
    one = DetailPass(mask_shape=BOX, **HARD)
    mask = mask_of(shape_of(found, one), AREA, one)
    assert mask[40:120, 50:90].min() == 1 and mask.sum() == 40 * 80


def test_a_union_is_the_largest_at_every_pixel() -> None:
    one = DetailPass(mask_blur=0.4)
    shapes = [shape_of(face_of(0, 60), one), shape_of(face_of(40, 90), one)]
    union = union_of(shapes, AREA, one)
    np.testing.assert_allclose(union, np.maximum(*(mask_of(shape, AREA, one) for shape in shapes)), atol=1e-6)


def test_outlined_counts_pixels() -> None:
    inside = np.zeros((41, 41), dtype=bool)
    inside[10:31, 10:31] = True
    assert outlined(inside, 3.0, 0.0)[20].sum() == 27
    assert outlined(inside, -3.0, 0.0)[20].sum() == 15
    assert outlined(np.ones((5, 5), dtype=bool), -2.0, 1.0).min() == 1
    assert outlined(np.zeros((5, 5), dtype=bool), 9.0, 1.0).max() == 0


def test_a_canvas_by_hand_is_the_one_that_is_used() -> None:
    picture = Size(1000, 800)
    crop = crop_around(Box(400, 300, 460, 380), 0.5, picture, 512, CAPABILITIES, Size(768, 512))
    assert crop.canvas == Size(768, 512)
    assert crop.box.width / crop.box.height == pytest.approx(768 / 512, rel=0.01)
    assert crop.box.contained_ratio(frame(picture)) == 1
    odd = crop_around(Box(400, 300, 460, 380), 0.5, picture, 512, CAPABILITIES, Size(701, 30))
    assert odd.canvas == Size(704, 64)


def test_likeness_falls_with_what_changes(portrait: np.ndarray) -> None:
    assert likeness(portrait, portrait) == pytest.approx(1.0)
    noisy = portrait + np.random.default_rng(1).normal(0, 0.02, portrait.shape).astype(np.float32)
    blurred = np.asarray(cv2.GaussianBlur(portrait, (0, 0), 12))
    moved = np.roll(portrait, 40, axis=1)
    values = [likeness(portrait, other) for other in (noisy, blurred, moved)]
    assert values[0] > 0.95 and values[0] > values[1] > values[2] and values[2] < 0.5
