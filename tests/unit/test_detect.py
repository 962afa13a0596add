"""Detectors on real pictures: small and many faces, none twice, loading, freeing, and what they are known by."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.collage import PORTRAIT_FACE, Photo, collage, score
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection, DetectorError, merged
from lib_finisher.detect.search import Search
from lib_finisher.detect.windows import Level, levels, look_through
from lib_finisher.detect.yunet import MODEL, YuNet
from lib_finisher.imaging.geometry import Box, Size

NAME = YuNet.name
PLAIN = Search(sliced=False)


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return Detectors()


def face(left: int, top: int, side: int, confidence: float, label: str = "face") -> Detection:
    return Detection(Box(left, top, left + side, top + side), confidence, label)


def set_among(small: np.ndarray, size: Size, left: int, top: int) -> np.ndarray:
    """A picture of soft noise with a small one in it."""
    noise = np.random.default_rng(5).normal(0.5, 0.1, (size.height // 8, size.width // 8, 3)).astype(np.float32)
    picture = np.clip(np.asarray(cv2.resize(noise, (size.width, size.height))), 0, 1)
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    return picture


def reduced(picture: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))


def test_the_portrait_has_the_one_face_it_always_had(detectors: Detectors, portrait: np.ndarray) -> None:
    for search in (Search(), PLAIN, Search(turned=True)):
        (found,) = detectors.detect(NAME, portrait, 0.3, search)
        assert found.box.overlap_ratio(PORTRAIT_FACE) > 0.9
        assert found.confidence > 0.9
        assert found.label == "face"
        assert len(found.landmarks) == 5
        assert abs(found.roll or 0) < 10


@pytest.mark.parametrize("side", [64, 300, 512, 1024, 1280])
def test_small_pictures_are_not_sliced(detectors: Detectors, portrait: np.ndarray, side: int) -> None:
    picture = np.asarray(cv2.resize(portrait, (side, side)))
    for confidence in (0.05, 0.3):
        whole = detectors.detect(NAME, picture, confidence, PLAIN)
        assert detectors.detect(NAME, picture, confidence) == whole
        assert detectors.detect(NAME, picture, confidence, Search(smallest=1)) == whole


def test_few_small_faces_of_a_small_picture(detectors: Detectors, portrait: np.ndarray) -> None:
    sizes, tilts = ((40, 56), (56, 80)), ("upright", "to 25")
    picture, faces = collage([Photo(portrait, PORTRAIT_FACE)], Size(1024, 1024), 3, sizes, tilts)
    found = detectors.detect(NAME, picture, 0.3)
    result = score(found, faces)
    assert len(faces) >= 8
    assert sum(result.found) >= 0.95 * len(faces)
    assert result.twice == 0
    sure = score([item for item in found if item.confidence >= 0.6], faces)
    assert sum(sure.found) >= 0.9 * len(faces)
    assert sure.false <= 1


def test_a_large_picture_is_sliced_and_its_small_faces_are_found_once(
    detectors: Detectors, portrait: np.ndarray
) -> None:
    sizes = ((24, 40), (40, 80))
    photos = [Photo(portrait, PORTRAIT_FACE)]
    picture, faces = collage(photos, Size(2560, 1024), 1, sizes, ("upright",))
    sliced = score(detectors.detect(NAME, picture, 0.3), faces)
    plain = score(detectors.detect(NAME, picture, 0.3, PLAIN), faces)
    assert len(faces) >= 20
    assert sum(sliced.found) >= 0.95 * len(faces)
    assert sum(sliced.found) > sum(plain.found)
    assert sliced.twice == 0


def test_a_large_face_of_a_large_picture_is_found_once(detectors: Detectors, portrait: np.ndarray) -> None:
    """It is larger than the overlap of two windows, and each of them cuts it off."""
    grown = np.asarray(cv2.resize(portrait[:300, 70:370], (2400, 2400), interpolation=cv2.INTER_CUBIC))
    (found,) = detectors.detect(NAME, np.clip(grown, 0, 1), 0.3)
    assert found.box.overlap_ratio(Box(109 * 8, 63 * 8, 199 * 8, 175 * 8)) > 0.7


@pytest.mark.parametrize("left", [0, 1000, 1090, 1145, 1200, 2440])
def test_a_face_across_the_edge_of_a_window_is_found_once(
    detectors: Detectors, portrait: np.ndarray, left: int
) -> None:
    small = reduced(portrait[:250, 100:350], 120)
    picture = set_among(small, Size(2560, 640), left, 300)
    found = [item for item in detectors.detect(NAME, picture, 0.5) if item.box.top > 250]
    assert len(found) == 1
    assert found[0].box.overlap_ratio(Box(left + 38, 330, left + 81, 384)) > 0.6


def test_a_face_on_its_head_is_found_when_asked_for(detectors: Detectors, portrait: np.ndarray) -> None:
    small = reduced(portrait[:250, 100:350], 90)
    for turns, low, high in ((2, 150, 180), (1, 60, 120), (3, 60, 120)):
        picture = set_among(np.rot90(small, turns), Size(640, 480), 200, 200)
        (found,) = detectors.detect(NAME, picture, 0.6, Search(turned=True))
        assert Box(200, 200, 290, 290).contained_ratio(found.box) > 0.9
        assert found.confidence >= 0.7
        if found.confidence > 0.75:
            assert low <= abs(found.roll or 0) <= high


def test_the_file_is_loaded_once_for_twenty_pictures(monkeypatch: pytest.MonkeyPatch, portrait: np.ndarray) -> None:
    loads = count_loads(monkeypatch)
    detectors = Detectors()
    detectors.identity(NAME)
    assert loads == []
    for number in range(20):
        detectors.detect(NAME, np.roll(portrait[:256, :256], number, axis=1), 0.5, Search(turned=number % 2 == 0))
    assert len(loads) == 1


def test_freeing_forgets_the_model_and_the_next_asking_loads_it_again(
    monkeypatch: pytest.MonkeyPatch, portrait: np.ndarray
) -> None:
    loads = count_loads(monkeypatch)
    detectors = Detectors()
    detectors.free()
    before = detectors.detect(NAME, portrait, 0.5)
    detectors.free()
    detectors.free()
    assert detectors.detect(NAME, portrait, 0.5) == before
    assert len(loads) == 2


def count_loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    loads: list[str] = []
    real = cv2.FaceDetectorYN.create

    class Counting:
        @staticmethod
        def create(model: str, *more: object) -> object:
            loads.append(model)
            return real(model, *more)

    monkeypatch.setattr(cv2, "FaceDetectorYN", Counting)
    return loads


def test_identity_changes_with_the_file_and_with_every_setting(tmp_path: Path) -> None:
    model = Path(shutil.copy(MODEL, tmp_path / "model.onnx"))
    detectors = Detectors(makers={NAME: lambda: YuNet(model)})
    searches = (Search(), Search(smallest=21), Search(sliced=False), Search(turned=True))
    seen = [detectors.identity(NAME, search) for search in searches]
    assert seen == [Detectors().identity(NAME, search) for search in searches]
    with model.open("ab") as stream:
        stream.write(b"\0")
    seen += [detectors.identity(NAME, search) for search in searches]
    assert len(set(seen)) == 8
    model.write_bytes(model.read_bytes()[:-1])
    os.utime(model, ns=(1, 1))
    assert detectors.identity(NAME) == seen[0]
    assert str(tmp_path) not in "".join(seen)


def test_what_is_missing_or_broken_is_named(tmp_path: Path, portrait: np.ndarray) -> None:
    def asked(model: Path) -> Detectors:
        return Detectors(makers={NAME: lambda: YuNet(model)})

    for act in (lambda one: one.identity(NAME), lambda one: one.detect(NAME, portrait, 0.5)):
        with pytest.raises(DetectorError, match=r"gone\.onnx is missing"):
            act(asked(tmp_path / "gone.onnx"))
    for missing in (Detectors().identity, lambda name: Detectors().detect(name, portrait, 0.5)):
        with pytest.raises(DetectorError, match="no detector 'other'"):
            missing("other")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(DetectorError, match=r"broken\.onnx cannot be read"):
        asked(broken).detect(NAME, portrait, 0.5)


def test_an_empty_smallest_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 pixel"):
        Search(smallest=0)


def test_when_windows_are_laid() -> None:
    def count(width: int, height: int, **search: object) -> list[int]:
        return [len(level.boxes) for level in levels(Size(width, height), Search(**search), 1280)]  # type: ignore[arg-type]

    assert count(1280, 1280, smallest=1) == []
    assert count(1600, 1200) == []
    assert count(1601, 1200) == [2]
    assert count(4096, 4096) == [16]
    assert count(4096, 4096, sliced=False) == []
    assert count(4096, 4096, smallest=40) == [4]
    assert count(4096, 4096, smallest=60) == []
    assert len(count(16384, 2000)) == 2
    assert levels(Size(4096, 100), Search(smallest=40), 1280)[0].scale == 0.5


def test_what_a_window_cuts_off_is_left_to_the_next() -> None:
    def look(part: np.ndarray) -> list[Detection]:
        return [Detection(Box(0, 10, 30, 40), 0.9, "face", ((1.0, 12.0),)), face(20, 20, 20, 0.8)]

    picture = np.zeros((100, 200, 3), np.uint8)
    found = look_through(look, picture, Level(1.0, (Box(0, 0, 120, 100), Box(80, 0, 200, 100)), 30.0))
    assert [item.box.left for item in found] == [0, 20, 100]
    assert found[0].landmarks == ((1.0, 12.0),)
    assert [item.box.left for item in look_through(look, picture, Level(1.0, (Box(0, 0, 200, 100),), 25.0))] == [20]


def test_a_face_is_kept_once_over_detectors_and_its_eyes_stay() -> None:
    one = face(100, 100, 80, 0.9)
    others = [face(104, 98, 84, 0.7, "Human  Face"), face(120, 120, 40, 0.6), face(60, 60, 200, 0.5)]
    eyes = [face(115, 125, 14, 0.4, "eye"), face(150, 125, 14, 0.5, "left eye")]
    assert merged([*others, *eyes, one]) == [one, eyes[1], eyes[0]]
    person, beside = face(60, 60, 300, 0.8, "person"), face(140, 150, 80, 0.3)
    assert merged([one, person, beside]) == [one, person, beside]
    assert merged([one, person, beside], middles=True) == [one, person, beside]
    hair = face(130, 60, 80, 0.35)
    assert merged([one, hair]) == [one, hair]
    assert merged([hair, one], middles=True) == [one]


def test_roll_is_told_by_the_landmarks() -> None:
    upright = np.array([(-10, -10), (10, -10), (0, 0), (-8, 12), (8, 12)], dtype=float)
    for degrees in (0, 30, 90, 179, -30, -90):
        angle = math.radians(degrees)
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        points = tuple((float(x), float(y)) for x, y in upright @ turn + 50)
        assert Detection(Box(0, 0, 9, 9), 1.0, "face", points).roll == pytest.approx(degrees)
    assert face(0, 0, 9, 1.0).roll is None
    assert Detection(Box(0, 0, 9, 9), 1.0, "face", ((1.0, 1.0),) * 5).roll is None


def test_several_threads_may_ask_one_detector(detectors: Detectors, portrait: np.ndarray) -> None:
    pictures = [portrait, portrait[:200], portrait[:, 100:300], reduced(portrait, 100)]
    wanted = [detectors.detect(NAME, np.ascontiguousarray(one), 0.4) for one in pictures]
    find: Callable[[np.ndarray], list[Detection]] = lambda one: detectors.detect(NAME, one, 0.4)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(find, map(np.ascontiguousarray, pictures))) == wanted
