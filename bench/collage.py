"""Pictures for measuring detectors: real faces, of many sizes and tilts, over clutter; and scoring what is found."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib_finisher.detect.detection import Detection
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.geometry import Box, Size

PORTRAIT = Path(__file__).resolve().parent.parent / "examples" / "astronaut.png"
PORTRAIT_FACE = Box(179, 63, 269, 175)

# Photographs that come inside packages, and the boxes of the faces in them as one sees them.
_PHOTOGRAPHS: dict[str, tuple[str, str, tuple[Box, ...]]] = {
    "grace_hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", (Box(183, 120, 353, 333),)),
    "bus": ("ultralytics", "assets/bus.jpg", (Box(113, 414, 156, 471), Box(267, 422, 307, 473))),
    "zidane": ("ultralytics", "assets/zidane.jpg", (Box(914, 98, 1054, 276), Box(552, 258, 664, 452))),
}
# Where the set-up puts what is in a package that is not installed. Read before tests put the cache elsewhere.
_FETCHED = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finisher" / "photographs"
_TEXTURES = ("coffee.png", "rocket.jpg", "brick.png", "grass.png", "gravel.png", "hubble_deep_field.jpg")
SIZES = ((24, 32), (32, 40), (40, 56), (56, 81), (160, 700))
TILTS = {
    "upright": (-10, 10),
    "to 25": (10, 25),
    "to 40": (25, 40),
    "on its side": (80, 100),
    "on its head": (170, 190),
}
_ROOM = 1.15
_FEATHER = 0.25
# A face of a photograph is enlarged by no more than this, for then it would be a blur.
_ENLARGED = 1.5


@dataclass(frozen=True)
class Photo:
    """A photograph (height, width, 3; 0..1), the box of one face in it, and those of the others, if any."""

    pixels: Pixels
    face: Box
    others: tuple[Box, ...] = ()


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


def photograph(name: str) -> tuple[Pixels, tuple[Box, ...]] | None:
    """The named photograph (height, width, 3; 0..1) and the faces in it; None where it is absent."""
    if name == "astronaut":
        return load_picture(PORTRAIT).pixels, (PORTRAIT_FACE,)
    package, member, faces = _PHOTOGRAPHS[name]
    fetched = _FETCHED / Path(member).name
    file = fetched if fetched.is_file() else installed(package, member)
    return None if file is None else (load_picture(file).pixels, faces)


def photographs() -> list[Photo]:
    """Every face of the photographs that are here: six after `make setup`."""
    there = [photograph(name) for name in ("astronaut", *_PHOTOGRAPHS)]
    return [
        Photo(pixels, face, tuple(other for other in faces if other != face))
        for pixels, faces in (one for one in there if one is not None)
        for face in faces
    ]


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
                sharp = [one for one in photos if max(one.face.width, one.face.height) * _ENLARGED >= side] or photos
                photo = sharp[int(random.integers(len(sharp)))]
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
    """Photographs, or parts of them, without a face: of those with faces what is below the last chin."""
    files = [installed("skimage", f"data/{name}") for name in _TEXTURES]
    below = [np.ascontiguousarray(photo.pixels[_chin(photo) :]) for photo in photos]
    scenes = below + [load_picture(file).pixels for file in files if file is not None]
    return [scene for scene in scenes if min(scene.shape[:2]) >= 64]


def _chin(photo: Photo) -> int:
    return max(face.bottom + face.height // 4 for face in (photo.face, *photo.others))


def installed(package: str, name: str) -> Path | None:
    """A file of a package that is installed here, which is not imported; None where it is not there."""
    found = importlib.util.find_spec(package)
    file = Path(found.origin).parent / name if found and found.origin else None
    return file if file is not None and file.is_file() else None
