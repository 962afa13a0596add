"""What a picture shows, told by its statistics: real photographs, and drawings made here."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lib_finisher.imaging.content import ANIME, GENERAL, PHOTOGRAPH, content_of, statistics_of
from tests.conftest import photograph


def drawing(seed: int, side: int = 768) -> np.ndarray:
    """Flat, saturated shapes with dark outlines and soft shading in them, as cel drawings have."""
    draw = np.random.default_rng(seed)
    canvas = np.full((side, side, 3), draw.integers(120, 250, 3), np.uint8)
    for _ in range(60):
        centre = tuple(int(v) for v in draw.integers(0, side, 2))
        axes = tuple(int(v) for v in draw.integers(side // 24, side // 6, 2))
        colour = tuple(int(v) for v in draw.integers(30, 255, 3))
        shade = tuple(int(0.75 * v) for v in colour)
        turn = int(draw.integers(0, 180))
        cv2.ellipse(canvas, centre, axes, turn, 0, 360, colour, -1, cv2.LINE_AA)
        cv2.ellipse(canvas, centre, (axes[0] // 2, axes[1] // 2), turn, 0, 360, shade, -1, cv2.LINE_AA)
        cv2.ellipse(canvas, centre, axes, turn, 0, 360, (40, 25, 25), 3, cv2.LINE_AA)
    return canvas.astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("name", ["grace_hopper.jpg", "zidane.jpg"])
def test_photographs_are_told(name: str) -> None:
    found = content_of(photograph(name))
    assert found.kind == PHOTOGRAPH
    assert 0.75 <= found.confidence <= 1.0


@pytest.mark.parametrize("name", ["astronaut.png", "bus.jpg"])
def test_photographs_with_strong_edges_are_not_called_drawings(name: str) -> None:
    assert content_of(photograph(name)).kind != ANIME


@pytest.mark.parametrize("seed", range(4))
def test_drawings_are_told_at_any_size(seed: int) -> None:
    picture = drawing(seed)
    assert content_of(picture).kind == ANIME
    assert content_of(np.ascontiguousarray(cv2.resize(picture, None, fx=2, fy=2))).kind == ANIME


def test_a_blank_or_smooth_picture_is_neither() -> None:
    assert content_of(np.full((64, 48, 3), 0.5, np.float32)).kind == GENERAL
    assert content_of(np.zeros((1, 1, 3), np.float32)).kind == GENERAL
    ramp = np.repeat(np.linspace(0, 1, 512, dtype=np.float32)[None, :, None], 3, axis=2).repeat(300, axis=0)
    assert content_of(ramp).kind == GENERAL


def test_a_made_picture_without_grain_is_no_photograph() -> None:
    page = np.full((400, 600, 3), 255, np.uint8)
    for line in range(12):
        cv2.putText(page, "No camera made this page", (20, 30 + 30 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
    assert content_of(page.astype(np.float32) / np.float32(255)).kind != PHOTOGRAPH


def test_statistics_are_shares() -> None:
    found = statistics_of(photograph("grace_hopper.jpg"))
    assert 0 <= found.flat + found.textured + found.edges <= 1
    assert found.colours > 50
    assert found.grain > 1
