"""Pictures without a face that are drawn here: patterns, fractals, charts and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Pixels


def _grid(side: int = 640) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:side, :side] / side
    return x, y


def _checks() -> np.ndarray:
    x, y = _grid()
    return np.repeat((((x * 9).astype(int) + (y * 9).astype(int)) % 2)[..., None], 3, 2).astype(np.float32)


def _rings() -> np.ndarray:
    x, y = _grid()
    return np.stack(
        [0.5 + 0.5 * np.sin(f * np.hypot(x - a, y - 0.5)) for f, a in ((90, 0.5), (97, 0.4), (60, 0.6))], -1
    )


def _plasma(seed: int = 5) -> np.ndarray:
    random = np.random.default_rng(seed)
    layers = [random.random((n, n, 3)).astype(np.float32) / n for n in (3, 6, 12, 24, 48, 96)]
    whole = sum(cv2.resize(layer, (640, 640), interpolation=cv2.INTER_CUBIC) for layer in layers)
    return np.asarray((whole - np.min(whole)) / np.ptp(whole))


def _mosaic() -> np.ndarray:
    random = np.random.default_rng(6)
    x, y = _grid()
    points, colours = random.random((90, 2)), random.random((90, 3))
    return colours[np.argmin([(x - px) ** 2 + (y - py) ** 2 for px, py in points], axis=0)]


def _julia() -> np.ndarray:
    x, y = _grid()
    z, count = (x * 3 - 1.5) + 1j * (y * 3 - 1.5), np.zeros((640, 640))
    for _ in range(60):
        inside = np.abs(z) < 2
        z = np.where(inside, z * z - 0.74 + 0.17j, z)
        count += inside
    level = count / 60
    return np.stack([level, level**2, np.sqrt(level)], -1)


def _spheres() -> np.ndarray:
    """Lit balls on a floor, rendered."""
    x, y = _grid()
    picture = np.stack([0.5 - 0.2 * y, 0.55 - 0.2 * y, 0.65 - 0.1 * y], -1)
    random = np.random.default_rng(7)
    for _ in range(14):
        cx, cy, r = random.random(), 0.3 + 0.6 * random.random(), 0.04 + 0.12 * random.random()
        inside = (x - cx) ** 2 + (y - cy) ** 2 < r * r
        z = np.sqrt(np.clip(r * r - (x - cx) ** 2 - (y - cy) ** 2, 0, None)) / r
        light = np.clip(0.2 + 0.8 * (-(x - cx) / r * 0.5 - (y - cy) / r * 0.5 + z * 0.7), 0, 1)
        shine = np.clip(light - 0.9, 0, 1)[..., None] * 5
        picture = np.where(inside[..., None], light[..., None] * random.random(3) + shine, picture)
    return np.clip(picture, 0, 1)


def _chart() -> np.ndarray:
    picture = np.full((640, 900, 3), 255, np.uint8)
    random = np.random.default_rng(8)
    for number, height in enumerate(random.integers(80, 500, 14)):
        colour = tuple(int(value) for value in random.integers(40, 220, 3))
        cv2.rectangle(picture, (60 + number * 58, 580 - int(height)), (100 + number * 58, 580), colour, -1)
    cv2.line(picture, (50, 580), (880, 580), (0, 0, 0), 2)
    cv2.ellipse(picture, (720, 150), (90, 90), 0, 20, 250, (30, 90, 200), -1)
    cv2.putText(picture, "Quarterly figures", (80, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 2)
    return picture.astype(np.float32) / 255


def _circuit() -> np.ndarray:
    picture = np.full((700, 700, 3), (20, 90, 40), np.uint8)
    random = np.random.default_rng(9)
    for _ in range(70):
        x, y = (int(value) // 20 * 20 for value in random.integers(20, 660, 2))
        cv2.line(picture, (x, y), (x + int(random.integers(-8, 8)) * 20, y), (150, 200, 120), 3)
        cv2.circle(picture, (x, y), int(random.integers(4, 12)), (200, 190, 120), -1)
        cv2.rectangle(picture, (y, x), (y + int(random.integers(20, 90)), x + 24), (30, 30, 30), -1)
    return picture.astype(np.float32) / 255


def _fern() -> np.ndarray:
    random = np.random.default_rng(10)
    picture, x, y = np.zeros((700, 500, 3), np.float32), 0.0, 0.0
    for choice in random.random(60_000):
        if choice < 0.01:
            x, y = 0.0, 0.16 * y
        elif choice < 0.86:
            x, y = 0.85 * x + 0.04 * y, -0.04 * x + 0.85 * y + 1.6
        elif choice < 0.93:
            x, y = 0.2 * x - 0.26 * y, 0.23 * x + 0.22 * y + 1.6
        else:
            x, y = -0.15 * x + 0.28 * y, 0.26 * x + 0.24 * y + 0.44
        picture[min(699, int(690 - y * 66)), min(499, int(250 + x * 90))] = (0.3, 0.8, 0.3)
    return cv2.GaussianBlur(picture, (0, 0), 0.8)


def _stars() -> np.ndarray:
    random = np.random.default_rng(11)
    picture = np.zeros((800, 800, 3), np.float32)
    for x, y in random.integers(8, 792, (260, 2)):
        cv2.circle(
            picture, (int(x), int(y)), int(random.integers(1, 7)), [float(v) for v in random.uniform(0.3, 1, 3)], -1
        )
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 2.2) + random.normal(0, 0.02, picture.shape), 0, 1)


def _bokeh() -> np.ndarray:
    """Blurred lights, round and skin-coloured among others."""
    random = np.random.default_rng(12)
    picture = np.full((700, 900, 3), 0.08, np.float32)
    for _ in range(60):
        disc = np.zeros_like(picture)
        middle = int(random.integers(0, 900)), int(random.integers(0, 700))
        colour = [float(value) for value in random.uniform((0.4, 0.2, 0.1), (0.9, 0.6, 0.5))]
        cv2.circle(disc, middle, int(random.integers(12, 60)), colour, -1)
        picture = np.maximum(picture, cv2.GaussianBlur(disc, (0, 0), float(random.uniform(1, 8))))
    return picture


MADE: Mapping[str, tuple[str, Callable[[], Pixels]]] = {
    "checks": ("patterns", _checks),
    "rings": ("patterns", _rings),
    "mosaic": ("patterns", _mosaic),
    "plasma": ("rendered", _plasma),
    "julia": ("rendered", _julia),
    "spheres": ("rendered", _spheres),
    "chart": ("documents", _chart),
    "circuit": ("drawings", _circuit),
    "fern": ("rendered", _fern),
    "stars": ("astronomy", _stars),
    "bokeh": ("lights", _bokeh),
    "plasma_2": ("rendered", lambda: _plasma(50)),
}
