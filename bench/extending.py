"""What a picture is extended with before its border is redrawn: three fills compared, and how new each pass is.

Each side of the demo's portrait (and of the photographs named) is extended by a quarter. For each fill: how alike the
new part is to the mirror image of the old one (the correlation of their shapes between 2 and 16 pixels; a duplicate is
1), how much larger the step across the old border is than between its neighbours, and how much fine detail the new part
has for each 1 of the old part as deep; the same again after the redraw by the embedded engine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging import fill
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.colour import luminance
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.geometry import Box, Size, cut, size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.extend import extended_box
from lib_finisher.stages.extend_frames import pass_boxes
from lib_finisher.stages.extend_settings import ExtendSettings
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work

PORTRAIT = Path(__file__).resolve().parent.parent / "examples" / "astronaut.png"
STRENGTHS = (0.35, 0.75)


def mirrored(pixels: Pixels, box: Box) -> Pixels:
    """The mirror image, blurred."""
    made = cut(pixels, box)
    made[:, pixels.shape[1] :] = cv2.GaussianBlur(made, (0, 0), 12.0, borderType=cv2.BORDER_REFLECT)[
        :, pixels.shape[1] :
    ]
    return made


def harmonic(pixels: Pixels, box: Box) -> Pixels:
    """Laplace's equation, which fills holes."""
    canvas = np.zeros((box.height, box.width, 3), dtype=np.float32)
    canvas[:, : pixels.shape[1]] = pixels
    known = np.zeros(canvas.shape[:2], dtype=bool)
    known[:, : pixels.shape[1]] = True
    return fill.filled(canvas, known, 1)


def carried(pixels: Pixels, box: Box) -> Pixels:
    """The edges carried on: what extend does."""
    return fill.extended(pixels, box, 1)


FILLS: dict[str, Callable[[Pixels, Box], Pixels]] = {
    "mirrored and blurred": mirrored, "Laplace": harmonic, "edges carried on": carried,
}  # fmt: skip


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", nargs="*", type=Path, help="more pictures to average over")
    pictures = [load_picture(path).pixels for path in (PORTRAIT, *parser.parse_args().photographs)]
    print("| border | repeats | seam | fine detail |\n|---|---|---|---|")
    for name, act in FILLS.items():
        print(f"| {name} | {_row(pictures, act)} |")
    for strength in STRENGTHS:
        print(f"| edges carried on, redrawn at {strength} | {_row(pictures, partial(_redrawn, strength))} |")
    print("\n| extension | passes | least of the picture known in a pass |\n|---|---|---|")
    for size, settings in (
        (Size(512, 512), ExtendSettings(right=128)), (Size(512, 512), ExtendSettings(aspect="16:9")),
        (Size(768, 1344), ExtendSettings(aspect="16:9")), (Size(512, 512), ExtendSettings(left=1024)),
    ):  # fmt: skip
        native = 1024 if size.width == 768 else 512
        boxes = [Box(0, 0, size.width, size.height)]
        boxes += pass_boxes(size, extended_box(size, settings), settings.most_per_pass, native)
        known = min(before.area / after.area for before, after in pairwise(boxes))
        print(f"| {size} to {boxes[-1].size} | {len(boxes) - 1} | {known:.0%} |")
    return 0


def _row(pictures: list[Pixels], act: Callable[[Pixels, Box], Pixels]) -> str:
    figures = []
    for picture in pictures:
        for turns in range(4):
            turned = np.ascontiguousarray(np.rot90(picture, turns))
            size = size_of(turned)
            box = Box(0, 0, size.width + size.width // 4, size.height)
            figures.append(_figures(turned, act(turned, box), box))
    return " | ".join(f"{value:.2f}" for value in np.median(np.array(figures), axis=0))


def _figures(old: Pixels, made: Pixels, box: Box) -> tuple[float, float, float]:
    width = old.shape[1]
    deep = box.width - width
    shapes = [_between(luminance(item), 2.0, 16.0)[:, width + 8 :] for item in (made, cut(old, box))]
    repeats = float(np.corrcoef(shapes[0].ravel(), shapes[1].ravel())[0, 1])
    light = luminance(made)
    steps = np.abs(np.diff(light, axis=1)).mean(axis=0)
    seam = steps[width - 1] / np.mean(steps[width - 17 : width - 1])
    fine = light - cv2.GaussianBlur(light, (0, 0), 2.0)
    detail = np.median(np.abs(fine[:, width:])) / np.median(np.abs(fine[:, width - deep : width]))
    return repeats, float(seam), float(detail)


def _between(plane: Mask, finer: float, coarser: float) -> Mask:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), finer) - cv2.GaussianBlur(plane, (0, 0), coarser))


def _redrawn(strength: float, pixels: Pixels, box: Box) -> Pixels:
    stages: dict[str, dict[str, object]] = {name: {"enabled": name == "extend"} for name in NAMES}
    stages["extend"].update(right=box.width - pixels.shape[1], denoising_strength=strength)
    done = Pipeline(EmbeddedHost(), lambda *_: [], read_recipe(stages)).run([Work(pixels, Base(seed=1))])[0]
    return done.pixels


if __name__ == "__main__":
    sys.exit(main())
