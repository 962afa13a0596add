"""How well skin is told from what is none, and how much of a smoothed face's fine detail the texture stage brings back.

Skin: shares of places that a person sees as skin, as hair and as neither, on photographs and on the same in other
light and with darker skin. Detail: the energy of what is finer than about four pixels, inside the skin, in 8-bit levels
squared; what changed outside; and the largest drift of the low frequencies, in levels. Smoothing: what an upscaler that
enlarges takes from unsmoothed skin, all of it and its calmer half.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.collage import photograph
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import Control, Meter
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.arrays import Mask, Pixels, from_uint16, to_uint16
from lib_finisher.imaging.colour import from_lab, low_frequencies, luminance, to_lab
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.skin import Face, skin_of_faces
from lib_finisher.imaging.texture import calm_detail_lost
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe, read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Tools, Work
from lib_finisher.stages.texture_model import grained
from lib_finisher.stages.texture_where import SEARCH, place_of

ASTRONAUT, HOPPER = "astronaut", "grace_hopper"
SHARP, LARGER = "1x-Sharp", "RealESR_Gx4"
_DETECTORS = Detectors()
_LARGE = Size(7680, 4320)

Part = tuple[slice, slice]


def _part(top: int, bottom: int, left: int, right: int) -> Part:
    return slice(top, bottom), slice(left, right)


SKIN_PARTS: dict[str, tuple[Part, ...]] = {
    ASTRONAUT: (_part(128, 140, 188, 200), _part(128, 140, 248, 258), _part(162, 172, 215, 235)),
    HOPPER: (
        _part(145, 160, 225, 300), _part(235, 260, 200, 215), _part(300, 318, 235, 285), _part(345, 375, 235, 275),
    ),
}  # fmt: skip
"""Cheeks, chin, forehead and neck."""

OTHER_PARTS: dict[str, tuple[Part, ...]] = {
    ASTRONAUT: (
        _part(25, 55, 180, 250), _part(100, 200, 290, 330), _part(300, 420, 40, 140), _part(120, 220, 0, 70),
    ),
    HOPPER: (_part(30, 110, 170, 350), _part(150, 300, 400, 512), _part(420, 600, 20, 500), _part(0, 280, 0, 130)),
}  # fmt: skip
"""Hair or cap first; then backdrop, clothes and flags."""


def faces_of(pixels: Pixels) -> list[Face]:
    """The faces that the built-in detector finds."""
    return [Face(item.box, item.landmarks) for item in _DETECTORS.detect("face_yunet", pixels, 0.5, SEARCH)]


def lit(pixels: Pixels, *gains: float) -> Pixels:
    """In other light: linear light times the gains of red, green and blue."""
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4) * np.array(gains)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)
    return np.clip(encoded, 0, 1).astype(np.float32)


def toned(pixels: Pixels, darker: float) -> Pixels:
    """The same person with darker skin: lightness and colour of the head times `darker`."""
    head = np.zeros(pixels.shape[:2], dtype=np.float32)
    for face in faces_of(pixels):
        head = np.maximum(head, Face(face.box.grown(round(0.15 * face.box.height))).area(size_of(pixels)))
    changed = from_lab(np.asarray(to_lab(pixels) * np.float32(darker), dtype=np.float32))
    return np.asarray(pixels + head[..., None] * (changed - pixels), dtype=np.float32)


VARIANTS: dict[str, Callable[[Pixels], Pixels]] = {
    "as it is": lambda pixels: pixels,
    "a quarter of the light": lambda pixels: lit(pixels, 0.25, 0.25, 0.25),
    "cold light": lambda pixels: lit(pixels, 0.6, 0.85, 1.2),
    "warm light": lambda pixels: lit(pixels, 0.9, 0.68, 0.42),
    "brown skin": lambda pixels: toned(pixels, 0.6),
    "dark skin": lambda pixels: toned(pixels, 0.4),
}


def mean(mask: Mask, parts: tuple[Part, ...]) -> float:
    """The mean of a mask over parts of the picture, each counting alike."""
    return float(np.mean([mask[part].mean() for part in parts]))


def energy(pixels: Pixels, where: np.ndarray) -> float:
    """The energy of what is finer than about 4 pixels, in 8-bit levels squared."""
    grey = luminance(pixels)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 2.0)
    return float(np.square(fine[where]).mean()) * 255**2


def smoothed(pixels: Pixels, skin: Mask) -> Pixels:
    """The picture with a face as models without pores draw it: fine detail blurred away inside the skin."""
    blurred = cv2.GaussianBlur(pixels, (0, 0), 1.0)
    return from_uint16(to_uint16(pixels + skin[..., None] * (blurred - pixels)))


def skin_in(pixels: Pixels, where: str = "skin") -> Mask:
    """The mask that the texture stage works with."""
    tools = Tools(EmbeddedHost(), _DETECTORS.detect, Meter(Control()))
    return place_of(where, "", pixels, tools, []).at(size_of(pixels))


def sharpener(file: Path, strength: float) -> None:
    """A model file of a real architecture (Compact, 1x) whose weights sharpen: x + strength · (x - its 5 × 5 mean)."""
    import torch
    from spandrel.architectures.Compact import Compact

    state = Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=1, upscale=1, act_type="prelu").state_dict()
    for name, tensor in state.items():
        # The slopes of the activations: at 1 they do nothing.
        tensor.fill_(1.0 if tensor.ndim == 1 and name.endswith("weight") else 0.0)
    binomial = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16
    for colour in range(3):
        state["body.0.weight"][colour, colour] = binomial
        state["body.0.weight"][3 + colour, colour, 1, 1] = 1
        state["body.2.weight"][colour, colour] = binomial
        state["body.2.weight"][3 + colour, 3 + colour, 1, 1] = 1
        state["body.4.weight"][colour, colour, 1, 1] = -strength
        state["body.4.weight"][colour, 3 + colour, 1, 1] = strength
    torch.save(state, file)


def texture_only(**texture: Any) -> Recipe:
    """A recipe of the texture stage alone."""
    return read_recipe({**{name: {"enabled": False} for name in NAMES if name != "texture"}, "texture": texture})


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    result: dict[str, dict[str, Any]] = {
        "skin": {**_skin()},
        "detail": {**_detail()},
        "smoothing": {**_smoothing()},
        "seconds": {**_seconds()},
    }
    print(json.dumps(result) if parser.parse_args().json else _told(result))
    return 0


def _skin() -> dict[str, dict[str, float]]:
    result = {}
    for name in (ASTRONAUT, HOPPER):
        there = photograph(name)
        for variant, make in VARIANTS.items() if there is not None else ():
            assert there is not None
            pixels = make(there[0])
            mask = skin_of_faces(pixels, faces_of(pixels))
            hair, *rest = OTHER_PARTS[name]
            result[f"{name}, {variant}"] = {
                "skin": round(mean(mask, SKIN_PARTS[name]), 3),
                "hair or cap": round(mean(mask, (hair,)), 3),
                "the rest": round(mean(mask, tuple(rest)), 3),
                "untouched": round(float((mask == 0).mean()), 3),
            }
    return result


def _detail() -> dict[str, dict[str, float]]:
    there = photograph(ASTRONAUT)
    assert there is not None
    original = np.ascontiguousarray(there[0][0:256, 96:352])
    skin = skin_in(original)
    smooth = smoothed(original, skin)
    inside, outside = skin > 0.9, skin_in(smooth) == 0
    result = {"original": {"energy": energy(original, inside)}, "smoothed": {"energy": energy(smooth, inside)}}
    with tempfile.TemporaryDirectory() as folder:
        sharpener(Path(folder) / f"{SHARP}.pth", 4.0)
        host = EmbeddedHost(Path(folder))
        tried: dict[str, dict[str, Any]] = {
            "model 0.25": {"upscaler": SHARP, "model_blend": 0.25, "strength": 0},
            "model 0.5": {"upscaler": SHARP, "model_blend": 0.5, "strength": 0},
            "model 0": {"upscaler": SHARP, "model_blend": 0, "strength": 0},
            "lift 0.4": {"strength": 0.4},
            "lift 1": {"strength": 1.0},
            "lift 2": {"strength": 2.0},
            "model 0.25, lift 0.4": {"upscaler": SHARP, "model_blend": 0.25, "strength": 0.4},
        }
        for name, texture in tried.items():
            recipe = texture_only(where="skin", **texture)
            done = Pipeline(host, _DETECTORS.detect, recipe).run([Work(smooth)])[0].pixels
            drift = np.abs(low_frequencies(done) - low_frequencies(smooth)) * 255
            result[name] = {
                "energy": energy(done, inside),
                "outside": int((done != smooth)[outside].any(axis=-1).sum()),
                "drift": float(drift.max()),
            }
    return {name: {key: round(value, 2) for key, value in item.items()} for name, item in result.items()}


def _smoothing() -> dict[str, dict[str, float]]:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finisher" / "upscalers"
    host = EmbeddedHost(folder)
    tools = Tools(host, _DETECTORS.detect, Meter(Control()))
    result = {}
    for name in (ASTRONAUT, HOPPER) if any(item.name == LARGER for item in host.upscalers()) else ():
        there = photograph(name)
        assert there is not None
        skin = skin_in(there[0])
        inside = skin > 0.9
        for blend in (0.25, 1.0):
            done = grained(there[0], LARGER, blend, skin, tools, []).pixels
            result[f"{name}, {LARGER} {blend:g}"] = {
                "all": round(energy(done, inside) / energy(there[0], inside) - 1.0, 3),
                "calm": round(-calm_detail_lost(there[0], done, inside), 3),
            }
    return result


def _seconds() -> dict[str, float]:
    there = photograph(ASTRONAUT)
    assert there is not None
    result = {}
    for size in (size_of(there[0]), _LARGE):
        pixels = np.clip(resize(there[0], size), 0.0, 1.0)
        began = time.perf_counter()
        skin_in(pixels)
        result[str(size)] = round(time.perf_counter() - began, 2)
    return result


def _told(result: dict[str, dict[str, Any]]) -> str:
    lines = []
    for title, rows in ((title, result[title]) for title in ("skin", "detail", "smoothing")):
        keys = list(dict.fromkeys(key for row in rows.values() for key in row))
        lines.append(f"{title:<40}" + "".join(f"{key:>13}" for key in keys))
        lines += [f"{name:<40}" + "".join(f"{row.get(key, ''):>13}" for key in keys) for name, row in rows.items()]
        lines.append("")
    lines += [f"the mask of skin for {size}: {seconds} s" for size, seconds in result["seconds"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
