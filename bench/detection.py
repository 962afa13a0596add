"""How many faces of a large cluttered picture are found, and how many finds are none: sliced beside plain detection.

The picture is made up: faces cut from photographs, of many sizes, tilts and brightnesses, over noise, stripes and
patches of photographs without faces. A face's size is the longer side of its box while it is upright. `--photo` adds
photographs; Grace Hopper's is used where matplotlib is installed, scikit-image's textures where that is.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import Search
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.geometry import Box, Size, frame

PORTRAIT = Path(__file__).resolve().parent.parent / "examples" / "astronaut.png"
PORTRAIT_FACE = Box(179, 63, 269, 175)
_HOPPER, _HOPPER_FACE = "mpl-data/sample_data/grace_hopper.jpg", Box(183, 120, 353, 333)
_TEXTURES = ("coffee.png", "rocket.jpg", "brick.png", "grass.png", "gravel.png", "hubble_deep_field.jpg")
SIZES = ((24, 32), (32, 40), (40, 56), (56, 81), (160, 700))
TILTS = {
    "upright": (-10, 10),
    "to 25": (10, 25),
    "to 40": (25, 40),
    "on its side": (80, 100),
    "on its head": (170, 190),
}
MODES = {"plain": Search(sliced=False), "sliced": Search(), "sliced, turned": Search(turned=True)}
_ROOM = 1.15
_FEATHER = 0.25


@dataclass(frozen=True)
class Photo:
    """A photograph (height, width, 3; 0..1) and the box of the one face in it."""

    pixels: Pixels
    face: Box


@dataclass(frozen=True)
class Face:
    """A face of the picture: where it is, its size in pixels, and which of `TILTS` it has."""

    box: Box
    size: float
    tilt: str


@dataclass(frozen=True)
class Score:
    """What a search found of the faces: `found` in their order, finds of a face already found, finds of none."""

    found: tuple[bool, ...]
    twice: int
    false: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096, help="pixels, at least 1024")
    parser.add_argument("--seeds", type=int, default=1, help="so many pictures, added up")
    parser.add_argument("--confidence", type=float, default=0.3)
    parser.add_argument("--photo", action="append", default=[], metavar="FILE:LEFT,TOP,RIGHT,BOTTOM")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    photos = photographs() + [_given(text) for text in options.photo]
    detectors, faces = Detectors(), []
    scores: dict[str, list[Score]] = {name: [] for name in MODES}
    seconds = dict.fromkeys(MODES, 0.0)
    detectors.detect("face_yunet", np.zeros((64, 64, 3), np.float32), 0.5)
    for seed in range(options.seeds):
        picture, there = collage(photos, Size(options.side, options.side), seed)
        faces += there
        for name, search in MODES.items():
            began = time.perf_counter()
            found = detectors.detect("face_yunet", picture, options.confidence, search)
            seconds[name] += time.perf_counter() - began
            scores[name].append(score(found, there))
    result = {name: _summary(faces, scores[name], seconds[name] / options.seeds) for name in MODES}
    print(json.dumps(result, indent=2) if options.json else _told(options.side, len(photos), result))
    return 0


def photographs() -> list[Photo]:
    """The portrait of the examples, and Grace Hopper's where matplotlib is installed."""
    photos = [Photo(load_picture(PORTRAIT).pixels, PORTRAIT_FACE)]
    hopper = _installed("matplotlib", _HOPPER)
    return photos + ([Photo(load_picture(hopper).pixels, _HOPPER_FACE)] if hopper else [])


def collage(
    photos: Sequence[Photo],
    size: Size,
    seed: int,
    sizes: Sequence[tuple[int, int]] = SIZES,
    tilts: Sequence[str] = tuple(TILTS),
) -> tuple[Pixels, list[Face]]:
    """A cluttered picture with faces and where they are, the same for the same seed.

    For each band of sizes and each kind of tilt there are as many faces as fit: one in three cells of 170 pixels for
    the small ones, and at most one for each kind of tilt of those above 150 pixels. None overlaps another.
    """
    random = np.random.default_rng(seed)
    picture = _clutter(photos, size, random)
    faces: list[Face] = []
    for low, high in sizes:
        if low > 150 and size.width >= 2048:
            faces += _placed(picture, faces, photos, (low, high), tilts, 1, random)
    small = [band for band in sizes if band[0] <= 150]
    each = max(1, size.area // (170 * 170) // 3 // max(1, len(small) * len(tilts)))
    for band in small:
        faces += _placed(picture, faces, photos, band, tilts, each, random)
    return np.asarray(np.clip(picture, 0, 1), dtype=np.float32), faces


def score(found: Sequence[Detection], faces: Sequence[Face]) -> Score:
    """Each find is of the face it overlaps most, if the middle of each lies in the other and sizes are alike."""
    count = [0] * len(faces)
    false = 0
    for item in found:
        near = [(item.box.overlap_ratio(face.box), at) for at, face in enumerate(faces) if _alike(item.box, face.box)]
        if near:
            count[max(near)[1]] += 1
        else:
            false += 1
    return Score(tuple(number > 0 for number in count), sum(max(0, number - 1) for number in count), false)


def _alike(one: Box, other: Box) -> bool:
    middles = all(
        abs(a - b) < 0.4 * max(min(one.width, other.width), min(one.height, other.height))
        for a, b in zip(one.centre, other.centre)
    )
    return middles and 1 / 4 < one.area / other.area < 4


def _placed(
    picture: Pixels,
    taken: Sequence[Face],
    photos: Sequence[Photo],
    band: tuple[int, int],
    tilts: Sequence[str],
    each: int,
    random: np.random.Generator,
) -> list[Face]:
    """Draws `each` faces of a band for each tilt into the picture, where there is room."""
    faces: list[Face] = []
    whole = Size(picture.shape[1], picture.shape[0])
    for tilt in [name for name in tilts for _ in range(each)]:
        side = float(random.uniform(*band))
        degrees = float(random.uniform(*TILTS[tilt])) * (1 if random.random() < 0.5 else -1)
        reach = math.ceil(side * _ROOM) + 2
        for _ in range(200):
            x, y = (int(random.integers(reach, length - reach)) for length in (whole.width, whole.height))
            room = Box(x - reach, y - reach, x + reach, y + reach)
            if not any(room.intersection(face.box.grown(math.ceil(face.size / 2))) for face in [*taken, *faces]):
                photo = photos[int(random.integers(len(photos)))]
                faces.append(Face(_draw(picture, photo, room, side, degrees, random), side, tilt))
                break
    return faces


def _draw(picture: Pixels, photo: Photo, room: Box, side: float, degrees: float, random: np.random.Generator) -> Box:
    """Draws a face and what is around it, softly ended, into `room`; answers where the face is."""
    scale = side / max(photo.face.width, photo.face.height)
    middle = room.width / 2
    matrix = np.array(cv2.getRotationMatrix2D(photo.face.centre, degrees, scale))
    matrix[:, 2] += np.array([middle - photo.face.centre[0], middle - photo.face.centre[1]])
    sharp = cv2.GaussianBlur(photo.pixels, (0, 0), 0.45 / scale) if scale < 1 else photo.pixels
    drawn = np.asarray(cv2.warpAffine(sharp, matrix, (room.width, room.height), borderMode=cv2.BORDER_REFLECT))
    if random.random() < 0.5:
        drawn = drawn[:, ::-1]
    drawn = drawn * random.uniform(0.6, 1.3) + random.uniform(-0.05, 0.1)
    y, x = np.mgrid[: room.height, : room.width] + 0.5
    distance = np.hypot(x - middle, y - middle) / (side * _ROOM)
    alpha = np.clip((1 - distance) / _FEATHER, 0, 1)[..., None]
    part = picture[room.top : room.bottom, room.left : room.right]
    part[:] = part * (1 - alpha) + drawn * alpha
    a, b, angle = photo.face.width / 2 * scale, photo.face.height / 2 * scale, math.radians(degrees)
    half_width = math.hypot(a * math.cos(angle), b * math.sin(angle))
    half_height = math.hypot(a * math.sin(angle), b * math.cos(angle))
    centre = room.centre
    left, top = round(centre[0] - half_width), round(centre[1] - half_height)
    return Box(left, top, round(centre[0] + half_width), round(centre[1] + half_height))


def _clutter(photos: Sequence[Photo], size: Size, random: np.random.Generator) -> Pixels:
    """Noise of several grains, with stripes and patches of photographs without faces over it."""
    picture = np.full((size.height, size.width, 3), 0.45, np.float32)
    for grain in (1, 6, 40):
        noise = random.normal(0, 0.07, (size.height // grain + 1, size.width // grain + 1, 3)).astype(np.float32)
        picture += np.asarray(cv2.resize(noise, (size.width, size.height), interpolation=cv2.INTER_CUBIC))
    scenes = _scenes(photos)
    for number in range(max(8, size.area // 60_000)):
        side = int(random.integers(80, min(600, size.width // 2)))
        left, top = (int(random.integers(0, length - side + 1)) for length in (size.width, size.height))
        if number % 3 == 0:
            turn, width = random.uniform(0, math.pi), random.uniform(3, 40)
            y, x = np.mgrid[:side, :side]
            wave = 0.5 + 0.4 * np.sin((x * math.cos(turn) + y * math.sin(turn)) * 2 * math.pi / width)
            patch = wave[..., None] * random.uniform(0.2, 1, 3)
        else:
            scene = scenes[int(random.integers(len(scenes)))]
            of = int(random.integers(min(64, *scene.shape[:2]), min(scene.shape[:2]) + 1))
            down, across = (int(random.integers(0, length - of + 1)) for length in scene.shape[:2])
            part = np.ascontiguousarray(scene[down : down + of, across : across + of])
            patch = np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA))
        picture[top : top + side, left : left + side] = patch
    return picture


def _scenes(photos: Sequence[Photo]) -> list[Pixels]:
    """Photographs, or parts of them, without a face: of the portrait what is below the chin."""
    files = [_installed("skimage", f"data/{name}") for name in _TEXTURES]
    below = [np.ascontiguousarray(photo.pixels[photo.face.bottom + photo.face.height // 4 :]) for photo in photos]
    scenes = below + [load_picture(file).pixels for file in files if file is not None]
    return [scene for scene in scenes if min(scene.shape[:2]) >= 64]


def _installed(package: str, name: str) -> Path | None:
    found = importlib.util.find_spec(package)
    file = Path(found.origin).parent / name if found and found.origin else None
    return file if file is not None and file.is_file() else None


def _given(text: str) -> Photo:
    file, _, sides = text.rpartition(":")
    pixels = load_picture(Path(file)).pixels
    left, top, right, bottom = (int(part) for part in sides.split(","))
    box = Box(left, top, right, bottom)
    if box.intersection(frame(Size(pixels.shape[1], pixels.shape[0]))) != box:
        raise SystemExit(f"The face {box} is not inside {file}.")
    return Photo(pixels, box)


def _summary(faces: Sequence[Face], scores: Sequence[Score], seconds: float) -> dict[str, Any]:
    found = [hit for one in scores for hit in one.found]
    hits, twice, false = sum(found), sum(one.twice for one in scores), sum(one.false for one in scores)
    bands = {
        f"{low}-{high - 1}": {tilt: _recall(faces, found, low, high, (tilt,)) for tilt in TILTS} for low, high in SIZES
    }
    return {
        "upright_40_and_more": _recall(faces, found, 40, 9999, ("upright",)),
        "to_40_degrees_40_and_more": _recall(faces, found, 40, 9999, ("upright", "to 25", "to 40")),
        "recall": bands,
        "faces": len(faces),
        "precision": round(hits / max(1, hits + twice + false), 3),
        "false": false,
        "twice": twice,
        "seconds": round(seconds, 2),
    }


def _recall(faces: Sequence[Face], found: Sequence[bool], low: int, high: int, tilts: Sequence[str]) -> str:
    """ "Found of so many (share)" for the faces of a size and tilt."""
    those = [hit for face, hit in zip(faces, found) if low <= face.size < high and face.tilt in tilts]
    return f"{sum(those)}/{len(those)}" + (f" ({sum(those) / len(those):.2f})" if those else "")


def _told(side: int, photos: int, result: dict[str, Any]) -> str:
    lines = [f"{side} x {side} pixels, faces from {photos} photograph(s)"]
    for name, one in result.items():
        lines += [
            "",
            f"{name}: {one['seconds']} s a picture, {one['faces']} faces, precision {one['precision']}, "
            f"{one['false']} false, {one['twice']} twice",
            f"  40 px and more: upright {one['upright_40_and_more']}, to 40 degrees {one['to_40_degrees_40_and_more']}",
            "  size".ljust(12) + "".join(tilt.ljust(16) for tilt in TILTS),
        ]
        lines += [
            "  " + band.ljust(10) + "".join(row[tilt].ljust(16) for tilt in TILTS)
            for band, row in one["recall"].items()
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
