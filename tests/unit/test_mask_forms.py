"""What masks of several forms mark: the same square, as painters and programs write it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_finisher.imaging.files import load_mask

SIDE = 96
SQUARE = (slice(30, 60), slice(20, 70))
WHERE = np.zeros((SIDE, SIDE), bool)
WHERE[SQUARE] = True
LEVEL = np.where(WHERE, 255, 0).astype(np.uint8)
PHOTO = np.random.default_rng(1).normal(127, 45, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)


def on(background: tuple[int, ...], paint: tuple[int, ...]) -> Image.Image:
    picture = np.full((SIDE, SIDE, len(paint)), background, np.uint8)
    picture[WHERE] = paint
    return Image.fromarray(picture)


def soft_brush() -> Image.Image:
    """Paint that fades at its edge, as a brush leaves it."""
    alpha = np.asarray(Image.fromarray(LEVEL).resize((SIDE, SIDE)).convert("L"), float)
    alpha[29, 20:70] = alpha[60, 20:70] = 90
    paint = np.full((SIDE, SIDE, 3), (30, 90, 200), float) + np.random.default_rng(2).normal(0, 2, (SIDE, SIDE, 1))
    return Image.fromarray(np.dstack([paint.clip(0, 255), alpha]).astype(np.uint8))


FORMS: dict[str, Callable[[], Image.Image]] = {
    "grey": lambda: Image.fromarray(LEVEL),
    "1 bit": lambda: Image.fromarray(LEVEL).convert("1"),
    "16 bit": lambda: Image.fromarray(LEVEL.astype(np.uint16) * 257),
    "palette": lambda: Image.fromarray(LEVEL).convert("P"),
    "red on black": lambda: on((0, 0, 0), (255, 0, 0)),
    "blue on nearly black": lambda: on((1, 1, 1), (10, 10, 250)),
    "white on clear": lambda: on((255, 255, 255, 0), (255, 255, 255, 255)),
    "red on clear": lambda: on((0, 0, 0, 0), (255, 0, 0, 255)),
    "black on clear": lambda: on((0, 0, 0, 0), (0, 0, 0, 255)),
    "green on clear, a hidden photograph below": lambda: Image.fromarray(
        np.dstack([np.where(WHERE[..., None], (0, 200, 0), PHOTO), LEVEL]).astype(np.uint8)
    ),
    "a soft brush": soft_brush,
    "a hole in a picture": lambda: Image.fromarray(np.dstack([PHOTO, 255 - LEVEL])),
    "black and white, opaque in part": lambda: Image.fromarray(
        np.dstack([LEVEL, LEVEL, LEVEL, np.where(np.arange(SIDE) < 10, 0, 255)[None].repeat(SIDE, 0)]).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_mask_marks_the_same(form: str, tmp_path: Path) -> None:
    FORMS[form]().save(tmp_path / "m.png")
    assert np.array_equal(load_mask(tmp_path / "m.png", (SIDE, SIDE)) > 0.5, WHERE)


def test_a_mask_of_lossy_colours_marks_no_speck_elsewhere(tmp_path: Path) -> None:
    on((0, 0, 0), (255, 0, 0)).save(tmp_path / "m.jpg", quality=30)
    mask = load_mask(tmp_path / "m.jpg", (SIDE, SIDE)) > 0.5
    assert (mask != WHERE).mean() < 0.02


@pytest.mark.parametrize("paint", [(0, 0, 0, 0), (255, 255, 255, 0)])
def test_a_mask_without_anything_on_it_marks_nothing(paint: tuple[int, ...], tmp_path: Path) -> None:
    stream = io.BytesIO()
    on(paint, paint).save(stream, "PNG")
    (tmp_path / "m.png").write_bytes(stream.getvalue())
    assert load_mask(tmp_path / "m.png", (SIDE, SIDE)).max() == 0
