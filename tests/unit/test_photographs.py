"""Detection on real photographs and on pictures made of their faces, with one detector and with two at once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench.collage import TILTS, Face, Photo, collage, photograph, photographs, score
from bench.detection import found_by
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.search import Search
from lib_finisher.detect.yunet import YuNet
from lib_finisher.imaging.geometry import Box, Size

# Read before any test puts the cache elsewhere.
FILES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finisher" / "detectors"
YUNET, YOLO = YuNet.name, "yolov11m-face.pt"
PLAIN = Search(sliced=False)
SIZES = ((40, 56), (56, 81))
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return Detectors(folders=(FILES,))


@pytest.fixture(scope="module")
def pictures() -> list[tuple[np.ndarray, list[Face]]]:
    return [collage(photographs(), Size(1536, 1536), seed, SIZES, tuple(TILTS)[:3]) for seed in SEEDS]


def named(detectors: Detectors, name: str) -> str:
    if name == YOLO:
        pytest.importorskip("ultralytics", reason="YOLO needs torch, installed for the newest Python only")
    if name not in detectors.names():
        pytest.skip(f"{name} is not there; `make setup` fetches it")
    return name


def shown(name: str) -> tuple[np.ndarray, tuple[Box, ...]]:
    there = photograph(name)
    if there is None:
        pytest.skip(f"the photograph {name} is in a package that is not installed")
    return there


@pytest.mark.parametrize(
    ("names", "search"),
    [((YUNET,), Search()), ((YUNET,), PLAIN), ((YUNET, YOLO), PLAIN)],
    ids=["yunet", "yunet plain", "both plain"],
)
@pytest.mark.parametrize("picture", ["astronaut", "grace_hopper", "bus", "zidane"])
def test_every_face_of_a_photograph_is_found_once(
    detectors: Detectors, picture: str, names: tuple[str, ...], search: Search
) -> None:
    pixels, faces = shown(picture)
    found = found_by(detectors, [named(detectors, name) for name in names], pixels, 0.65, search)
    assert len(found) == len(faces)
    for face in faces:
        (item,) = [one for one in found if one.box.contained_ratio(face) > 0.7]
        assert item.box.overlap_ratio(face) > 0.4
        assert item.kind == "face"


def test_the_faces_of_a_cluttered_picture_are_found_by_the_first_detector(
    detectors: Detectors, pictures: list[tuple[np.ndarray, list[Face]]]
) -> None:
    """Over the pictures; upright ones of 40 pixels and more, then those tilted by up to 40 degrees."""
    found, faces, false, twice = [], [], 0, 0
    for picture, there in pictures:
        result = score(detectors.detect(YUNET, picture, 0.5), there)
        found += result.found
        faces += there
        false, twice = false + result.false, twice + result.twice
    upright = [hit for hit, face in zip(found, faces) if face.tilt == "upright"]
    assert len(upright) >= 20
    assert sum(upright) >= 0.95 * len(upright)
    assert sum(found) >= 0.85 * len(found)
    assert twice == 0
    assert false <= 0.1 * sum(found)


def test_two_detectors_find_no_face_twice_and_more_than_one(
    detectors: Detectors, pictures: list[tuple[np.ndarray, list[Face]]]
) -> None:
    picture, faces = pictures[0]
    names = (YUNET, named(detectors, YOLO))
    one, other = (score(detectors.detect(name, picture, 0.4, PLAIN), faces) for name in names)
    both = score(found_by(detectors, names, picture, 0.4, PLAIN), faces)
    assert both.twice == 0
    assert sum(both.found) >= max(sum(one.found), sum(other.found))
    upright = [hit for hit, face in zip(both.found, faces) if face.tilt == "upright"]
    assert sum(upright) >= 0.95 * len(upright)


def test_faces_cut_from_a_photograph_of_two(detectors: Detectors) -> None:
    """Nothing of one photograph's faces is taken for the other's, whichever is cut out."""
    pixels, faces = shown("bus")
    photos = [Photo(pixels, face, tuple(one for one in faces if one != face)) for face in faces]
    picture, there = collage(photos, Size(1024, 1024), 4, ((48, 64),), ("upright",))
    result = score(detectors.detect(YUNET, picture, 0.5), there)
    assert len(there) >= 6
    assert sum(result.found) >= 0.9 * len(there)
    assert result.twice == 0
