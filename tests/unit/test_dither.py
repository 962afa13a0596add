"""Down to 8 bits without bands, and up to 16 bits without loss."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lib_finisher.imaging.arrays import from_uint16, to_uint8, to_uint16
from lib_finisher.imaging.curves import read_curves
from lib_finisher.imaging.dither import dithered
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.saving import save_png
from lib_finisher.stages.grade_settings import GradeSettings
from lib_finisher.stages.grade_strips import Extras, Grading

STRONG = [
    {"contrast": -0.8, "black_point": -0.2},
    {"exposure": -1.5, "saturation": -0.5},
    {"curves": "0,40; 128,100; 255,140"},
]


def sky() -> np.ndarray:
    """A smooth gradient in 8 bits, a few levels a hundred pixels."""
    x = np.linspace(0.35, 0.62, 768, dtype=np.float64)[None, :] + 0 * np.arange(192)[:, None]
    return np.rint(np.stack([x * 0.7, x * 0.85, x], axis=-1) * 255).astype(np.float32) / np.float32(255)


def graded(picture: np.ndarray, settings: dict) -> np.ndarray:
    settings = {"contrast": 0.0, "saturation": 0.0, "grain": 0.0, **settings}
    curves = read_curves(settings.get("curves", ""))
    made = Grading(picture, GradeSettings(**settings), Extras(curves), 1).apply()[0]
    return from_uint16(to_uint16(made))


def smooth(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values.astype(np.float64), (0, 0), 4.0, borderType=cv2.BORDER_REFLECT)


def bands(levels: np.ndarray, ideal: np.ndarray) -> float:
    """How far what the eye sees (low-passed) is from the float grade at most, in 8-bit levels."""
    return float(np.abs(smooth(levels) - smooth(ideal * 255.0))[16:-16, 16:-16].max())


@pytest.mark.parametrize("settings", STRONG, ids=["flattened", "darkened", "curve"])
def test_a_strongly_graded_gradient_has_no_new_bands(settings: dict) -> None:
    ideal = graded(sky(), settings)
    assert bands(dithered(ideal), ideal) < 0.05
    # The control: plain rounding makes bands of up to half a level.
    assert bands(to_uint8(ideal), ideal) > 0.3


def test_what_is_8_bits_stays_bit_for_bit() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(9, axis=0).repeat(7, axis=1)
    levels = np.stack([levels, levels[::-1], levels[:, ::-1]], axis=-1)
    exact = levels.astype(np.float32) / np.float32(255)
    assert np.array_equal(dithered(exact), levels)
    assert np.array_equal(dithered(from_uint16(to_uint16(exact))), levels)


def test_a_grey_picture_stays_grey_and_a_tint_stays() -> None:
    grey = np.repeat(sky()[..., 1:2], 3, axis=2)
    ideal = graded(grey, {"contrast": 0.4, "grain": 0.2})
    levels = dithered(ideal)
    assert np.ptp(levels, axis=-1).max() == 0
    assert not np.array_equal(levels, to_uint8(ideal))
    tinted = ideal + np.array([0.0, 0.0, 0.3 / 255], dtype=np.float32)
    shift = (dithered(tinted).astype(np.float64) - levels).mean(axis=(0, 1))
    assert shift == pytest.approx([0.0, 0.0, 0.3], abs=0.01)


def test_it_is_right_on_average_and_never_off_by_a_level() -> None:
    for value in np.linspace(0.2, 0.21, 23):
        flat = np.full((128, 128, 3), value, dtype=np.float32)
        result = dithered(flat)
        assert np.abs(result.mean(axis=(0, 1)) - value * 255).max() < 0.02
        assert np.abs(result - value * 255).max() < 1.0
    assert np.array_equal(dithered(np.array([[[-0.5, 2.0, 1.0]]], np.float32)), [[[0, 255, 255]]])


def test_it_does_not_depend_on_chance_or_on_strips() -> None:
    picture = np.random.default_rng(0).random((300, 40, 3), dtype=np.float32)
    assert np.array_equal(dithered(picture), dithered(picture.copy()))
    assert np.array_equal(dithered(picture)[:100], dithered(picture[:100]))


@pytest.mark.parametrize("with_alpha", [False, True])
def test_a_16_bit_png_keeps_its_values_and_texts(tmp_path: Path, with_alpha: bool) -> None:
    generator = np.random.default_rng(1)
    rounded = generator.integers(0, 65536, (37, 53, 3), dtype=np.uint16)
    alpha = generator.integers(0, 65536, (37, 53), dtype=np.uint16).astype(np.float32) / np.float32(65535)
    texts = {"parameters": "a cat\nSteps: 20", "finisher": '{"naïve": "日本"}'}
    file = tmp_path / "deep.png"
    save_png(file, from_uint16(rounded), alpha if with_alpha else None, texts, depth=16)
    loaded = load_picture(file)
    assert np.array_equal(to_uint16(loaded.pixels), rounded)
    assert loaded.infotext == texts["parameters"]
    assert (loaded.alpha is None) if not with_alpha else np.allclose(loaded.alpha, alpha, atol=1e-6)
    with Image.open(file) as image:
        assert {key: image.info[key] for key in texts} == texts
    assert chunks(file.read_bytes())[0] == (13, b"IHDR")
    assert struct.unpack(">B", file.read_bytes()[24:25]) == (16,)


def chunks(data: bytes) -> list[tuple[int, bytes]]:
    """All chunks of a PNG, their sums checked."""
    found, at = [], 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        (told,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert told == zlib.crc32(data[at + 4 : at + 8 + length])
        found.append((length, kind))
        at += 12 + length
    assert found[-1][1] == b"IEND"
    return found


def test_a_graded_picture_is_saved_dithered(tmp_path: Path) -> None:
    picture = graded(sky(), STRONG[0])
    save_png(tmp_path / "a.png", picture, dither=True)
    saved = np.asarray(Image.open(tmp_path / "a.png"))
    assert np.array_equal(saved, dithered(picture)) and not np.array_equal(saved, to_uint8(picture))
