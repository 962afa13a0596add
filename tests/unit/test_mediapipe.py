"""MediaPipe's detectors on real photographs. They run in an environment with MediaPipe: see `make test`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bench.collage import photograph
from lib_finisher.detect import mediapipe_package
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.mediapipe_models import MAKERS, available
from lib_finisher.detect.search import Search
from lib_finisher.imaging.geometry import Box, frame, size_of

PLAIN = Search(sliced=False)
NAMES = ("mediapipe_face_full", "mediapipe_face_short", "mediapipe_face_mesh")
EYES, HANDS = "mediapipe_face_mesh_eyes_only", "mediapipe_hands"
installed = pytest.mark.skipif(not available(), reason="MediaPipe is not here; `make test` runs these beside it")

# Where the middles of hands are, as one sees them, and whose hand it is.
HANDS_OF = {
    "zidane": (((1060, 447), "left hand"),),
    "bus": (((257, 522), "left hand"), ((270, 665), "right hand"), ((62, 782), "right hand")),
}
# The profile that the mesh does not fit and the far network does not know.
PROFILE = Box(552, 258, 664, 452)

Find = Callable[..., list[Detection]]


@pytest.fixture(scope="module")
def find() -> Iterator[Find]:
    detectors = {name: make() for name, make in MAKERS.items()}

    def ask(name: str, picture: np.ndarray, confidence: float = 0.3, search: Search = PLAIN) -> list[Detection]:
        return detectors[name].detect(picture, confidence, search)

    yield ask
    for detector in detectors.values():
        detector.free()


def shown(name: str) -> tuple[np.ndarray, tuple[Box, ...]]:
    there = photograph(name)
    if there is None:
        pytest.skip(f"the photograph {name} is in a package that is not installed")
    return there


def over_box(item: Detection) -> np.ndarray:
    """The silhouette at the picture's resolution, as an array of the box."""
    assert item.silhouette is not None
    rows = (np.arange(item.box.height) + 0.5) * item.silhouette.shape[0] / item.box.height
    columns = (np.arange(item.box.width) + 0.5) * item.silhouette.shape[1] / item.box.width
    return np.asarray(item.silhouette[rows.astype(int)[:, None], columns.astype(int)[None, :]])


def at(item: Detection, point: tuple[float, float]) -> float:
    return float(over_box(item)[int(point[1]) - item.box.top, int(point[0]) - item.box.left])


@installed
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("picture", ["astronaut", "grace_hopper"])
@pytest.mark.parametrize("search", [PLAIN, Search(), Search(turned=True)], ids=["plain", "sliced", "turned"])
def test_a_portrait_has_one_face(find: Find, name: str, picture: str, search: Search) -> None:
    pixels, (wanted,) = shown(picture)
    (face,) = find(name, pixels, search=search)
    assert face.label == face.kind == "face"
    assert face.box.overlap_ratio(wanted) > 0.6
    assert face.confidence > 0.8
    assert abs(face.roll or 99) < 12
    right_eye, left_eye, nose, *mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(corner[1] for corner in mouth)


@installed
@pytest.mark.parametrize("name", NAMES)
def test_faces_of_a_street_and_a_pitch_are_found_in_windows(find: Find, name: str) -> None:
    for picture, missed in (("bus", None), ("zidane", PROFILE)):
        pixels, wanted = shown(picture)
        found = find(name, pixels, 0.6, Search())
        for face in wanted:
            near = [item for item in found if item.box.contained_ratio(face) > 0.6]
            assert len(near) == 1 or (face == missed and not near)
        assert all(any(item.box.intersection(face) for face in wanted) for item in found)


@installed
@pytest.mark.parametrize("picture", ["astronaut", "grace_hopper", "bus", "zidane"])
def test_the_outline_of_a_face_covers_its_features_and_not_the_corners(find: Find, picture: str) -> None:
    pixels, _ = shown(picture)
    faces = find("mediapipe_face_mesh", pixels, search=Search())
    assert faces
    for face in faces:
        assert face.silhouette is not None
        assert face.silhouette.dtype == np.float32
        assert 0 <= face.silhouette.min() < 0.01
        assert face.silhouette.max() == 1
        assert all(at(face, point) > 0.95 for point in face.landmarks)
        mask = over_box(face)
        assert 0.65 < mask.mean() < 0.95
        assert max(mask[0, 0], mask[0, -1], mask[-1, 0], mask[-1, -1]) < 0.5
        assert face.box.intersection(frame(size_of(pixels))) == face.box


@installed
@pytest.mark.parametrize("picture", ["astronaut", "grace_hopper", "bus"])
def test_both_eyes_are_one_finding_in_the_upper_half_of_the_face(find: Find, picture: str) -> None:
    pixels, wanted = shown(picture)
    found = find(EYES, pixels, search=Search())
    assert len(found) == len(wanted)
    for face in wanted:
        (eyes,) = [item for item in found if item.box.intersection(face)]
        assert eyes.label == eyes.kind == "eyes"
        assert face.grown(4).intersection(eyes.box) == eyes.box
        assert eyes.box.bottom < face.centre[1] + 0.05 * face.height
        right, left = eyes.landmarks[:2]
        assert at(eyes, right) > 0.95
        assert at(eyes, left) > 0.95
        assert at(eyes, ((right[0] + left[0]) / 2, (right[1] + left[1]) / 2)) < 0.05
        assert over_box(eyes).mean() < 0.75


@installed
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_mesh_of_a_face_that_lies_on_its_side(find: Find, turns: int) -> None:
    pixels, (wanted,) = shown("astronaut")
    turned = np.ascontiguousarray(np.rot90(pixels, turns))
    found = find("mediapipe_face_mesh", turned, search=Search(turned=True))
    for face in found:
        assert abs(abs(face.roll or 0) - (180 if turns == 2 else 90)) < 25
        assert face.box.area == pytest.approx(wanted.area, rel=0.35)
        assert at(face, face.landmarks[2]) == 1
    assert len(found) == 1


@installed
@pytest.mark.parametrize("picture", ["bus", "zidane"])
def test_hands_are_found_each_by_its_side(find: Find, picture: str) -> None:
    pixels, _ = shown(picture)
    found = find(HANDS, pixels, search=Search())
    assert len(found) == len(HANDS_OF[picture])
    for place, label in HANDS_OF[picture]:
        (hand,) = [item for item in found if item.box.grown(4).intersection(Box(*place, place[0] + 1, place[1] + 1))]
        assert hand.label == label
        assert hand.kind == "hand"
        assert hand.confidence > 0.7
        assert len(hand.landmarks) == 21
        assert all(at(hand, point) > 0.95 for point in hand.landmarks)
        assert 0.3 < over_box(hand).mean() < 0.95
        assert hand.roll is None


@installed
def test_portraits_without_hands_have_none(find: Find) -> None:
    for picture in ("astronaut", "grace_hopper"):
        assert find(HANDS, shown(picture)[0], search=Search()) == []


@installed
def test_a_picture_in_a_mirror_swaps_the_hands(find: Find) -> None:
    pixels, _ = shown("zidane")
    (hand,) = find(HANDS, np.ascontiguousarray(pixels[:, ::-1]), search=Search())
    assert hand.label == "right hand"


@installed
@pytest.mark.parametrize("name", MAKERS)
def test_odd_pictures_hold_nothing_and_break_nothing(find: Find, name: str) -> None:
    for height, width in ((1, 1), (3, 900), (700, 2), (64, 64)):
        assert find(name, np.full((height, width, 3), 0.5, np.float32), 0.5, Search()) == []
    assert find(name, shown("astronaut")[0], 1.0) == []


@installed
@pytest.mark.parametrize("name", MAKERS)
def test_models_are_loaded_once_for_twenty_pictures_and_again_after_freeing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, _ = shown("bus")
    made: list[mediapipe_package.Graph] = []
    real = mediapipe_package.Graph.__init__

    def counting(graph: mediapipe_package.Graph, make: Callable[[], object]) -> None:
        real(graph, lambda: (made.append(graph), make())[1])

    monkeypatch.setattr(mediapipe_package.Graph, "__init__", counting)
    detector = MAKERS[name]()
    detector.free()
    identity = detector.identity
    assert made == []
    part = np.ascontiguousarray(pixels[380:700])
    first = detector.detect(part, 0.3)
    once = len(made)
    for _ in range(19):
        assert detector.detect(part, 0.3) == first
    assert len(made) == len(set(made)) == once
    detector.free()
    detector.free()
    assert detector.detect(part, 0.3) == first
    assert len(made) == 2 * once
    assert detector.identity == identity


@installed
def test_several_threads_may_ask_one_detector(find: Find) -> None:
    pictures = [shown(name)[0] for name in ("astronaut", "grace_hopper", "bus", "astronaut")]
    wanted = [find("mediapipe_face_mesh", one) for one in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda one: find("mediapipe_face_mesh", one), pictures)) == wanted


@installed
def test_identities_differ_and_name_the_version() -> None:
    seen = [make().identity for make in MAKERS.values()]
    assert len(set(seen)) == len(MAKERS)
    assert all(mediapipe_package.version() in one for one in seen)


@installed
def test_importing_and_asking_prints_nothing_of_ours_and_leaves_logging_and_environment_alone(tmp_path: Path) -> None:
    program = """
import logging, os, sys
import cv2
def state():
    return dict(os.environ), list(logging.root.handlers), logging.root.level, logging.root.disabled
before = state()
from lib_finisher.detect.mediapipe_models import MAKERS, available
assert available() and "mediapipe" not in sys.modules
MAKERS["mediapipe_face_full"]().identity
assert "mediapipe" not in sys.modules and "google.protobuf" not in sys.modules
from lib_finisher.detect.mediapipe_package import module
for name in ("face_detection", "face_mesh", "hands"):
    module(f"python.solutions.{name}")
assert state() == before
assert not {"jax", "tensorflow", "sounddevice", "torch"} & set(sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        env={**os.environ, "MPLCONFIGDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, ""), run.stderr
    assert "Matplotlib is building the font cache" in run.stderr or run.stderr == ""


def a_package(folder: Path, *files: str) -> None:
    """A package of the name, as another version of MediaPipe would be: some files, whose imports fail."""
    (folder / "mediapipe").mkdir()
    (folder / "mediapipe" / "__init__.py").write_text("raise TypeError('Descriptors cannot be created directly.')\n")
    for file in files:
        path = folder / "mediapipe" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"model")


def forget_mediapipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fresh process, until the test ends."""
    for loaded in [one for one in sys.modules if one.split(".")[0] == "mediapipe"]:
        monkeypatch.delitem(sys.modules, loaded)


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_missing_is_named_with_what_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.zeros((64, 64, 3), np.float32)
    forget_mediapipe(monkeypatch)
    detector = MAKERS[name]()

    def refused(match: str) -> None:
        for act in (lambda: detector.identity, lambda: detector.detect(pixels, 0.5)):
            with pytest.raises(DetectorError, match=match):
                act()

    monkeypatch.setitem(sys.modules, "mediapipe", None)
    assert not available()
    refused(r"needs the package MediaPipe; .*pip install --no-deps")
    monkeypatch.delitem(sys.modules, "mediapipe")
    monkeypatch.syspath_prepend(str(tmp_path))
    a_package(tmp_path)
    assert not available()
    refused(r"comes without the model .*0\.10\.14 to 0\.10\.21")
    detector.free()


@pytest.mark.parametrize("name", MAKERS)
def test_versions_that_do_not_fit_are_told(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_mediapipe(monkeypatch)
    monkeypatch.syspath_prepend(str(tmp_path))
    files = {file for make in MAKERS.values() for file in getattr(make, "files", ())}
    a_package(tmp_path, "python/solution_base.py", "modules/face_detection/face_detection_short_range.tflite", *files)
    assert available()
    detector = MAKERS[name]()
    assert detector.identity
    with pytest.raises(DetectorError, match=r"does not run .*Descriptors cannot.*protobuf below 5"):
        detector.detect(np.zeros((64, 64, 3), np.float32), 0.5)
