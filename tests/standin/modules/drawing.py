"""What the stand-in's model takes a prompt to mean: coloured shapes, or the portrait of the examples."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from modules.paths_internal import repository

COLOURS = {
    "red": (200, 50, 45), "green": (60, 150, 70), "blue": (55, 80, 190), "yellow": (225, 200, 70),
    "white": (235, 235, 230), "black": (30, 30, 35), "orange": (225, 135, 50), "grey": (128, 128, 128),
}  # fmt: skip
_SHAPES = ("circle", "square", "triangle")
_PORTRAIT = Path(repository) / "examples" / "astronaut.png"
LORAS = {"warm": (0.25, 0.0, -0.25), "cold": (-0.25, 0.0, 0.25)}
_SCALE = 2


@functools.lru_cache(maxsize=64)
def picture(prompt: str, width: int, height: int) -> np.ndarray:
    """(height, width, 3), -1..1. An empty prompt means nothing: grey."""
    words = re.findall(r"[a-z]+", prompt.lower())
    if not words:
        return np.zeros((height, width, 3), np.float32)
    if "portrait" in words:
        with Image.open(_PORTRAIT) as file:
            drawn = file.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    else:
        drawn = _shapes(words, width, height)
    return np.asarray(drawn, dtype=np.float32) / np.float32(127.5) - 1


def _shapes(words: list[str], width: int, height: int) -> Image.Image:
    named = [word for word in words if word in COLOURS]
    wanted = [word for word in words if word in _SHAPES]
    digest = hashlib.sha256(" ".join(words).encode()).digest()
    front, back = [*named, *(list(COLOURS)[number % len(COLOURS)] for number in digest)][:2]
    drawn = Image.new("RGB", (width * _SCALE, height * _SCALE), COLOURS[back])
    pen = ImageDraw.Draw(drawn)
    if named and not wanted:
        return Image.new("RGB", (width, height), COLOURS[named[0]])
    for number, shape in enumerate(wanted or [_SHAPES[digest[4] % 3]]):
        across, down = (0.35 + 0.3 * digest[5 + 2 * number + axis] / 255 for axis in (0, 1))
        x, y = across * width * _SCALE, down * height * _SCALE
        radius = (0.2 + 0.12 * digest[20 + number] / 255) * min(width, height) * _SCALE
        box = (x - radius, y - radius, x + radius, y + radius)
        if shape == "circle":
            pen.ellipse(box, COLOURS[front])
        elif shape == "square":
            pen.rectangle(box, COLOURS[front])
        else:
            pen.polygon([(x, box[1]), (box[0], box[3]), (box[2], box[3])], COLOURS[front])
    return drawn.resize((width, height), Image.Resampling.BOX)


def tint(loras: dict[str, float]) -> np.ndarray:
    """What the active LoRAs add to every colour."""
    total = np.zeros(3, np.float32)
    for name, weight in loras.items():
        total += np.float32(weight) * np.array(LORAS.get(name, (0, 0, 0)), np.float32)
    return total
