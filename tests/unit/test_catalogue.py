"""The catalogue of detectors: folders of real files, names as people spell them, what is listed and what is told."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lib_finisher.detect.catalogue import BUILT_IN, Detectors
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.known import KNOWN, MODEL_SUFFIXES, find_known
from lib_finisher.detect.listing import trusted_hashes
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.detect.yunet import MODEL, YuNet
from lib_finisher.named_files import named_files

NAME = YuNet.name


class Still:
    """A small detector: finds nothing, counts how often it was forgotten."""

    name = identity = "still"

    def __init__(self) -> None:
        self.freed = 0

    def detect(self, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        return []

    def free(self) -> None:
        self.freed += 1


def own(*folders: Path) -> Detectors:
    """Without what is installed here or not."""
    return Detectors(folders, makers=BUILT_IN)


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\0" * 8)


def message(act: Callable[[], object]) -> str:
    with pytest.raises(DetectorError) as raised:
        act()
    return str(raised.value)


def test_files_of_folders_are_named_after_the_detectors_that_need_none(tmp_path: Path) -> None:
    put(tmp_path, "b.pt", "A.onnx", "below/deep/c.PT", "d.txt", "e.pt.part", ".hidden.pt", "._b.pt", ".git/f.pt")
    assert own(tmp_path).names() == (NAME, "A.onnx", "b.pt", "c.PT")


def test_the_first_folder_wins_whatever_the_case(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    put(first, "deep/face.pt", "Hand.pt")
    put(second, "face.pt", "hand.PT", "only.pt")
    assert named_files([first, second], MODEL_SUFFIXES) == {
        "face.pt": first / "deep" / "face.pt",
        "Hand.pt": first / "Hand.pt",
        "only.pt": second / "only.pt",
    }
    put(first, "face.pt")
    assert named_files([first], MODEL_SUFFIXES)["face.pt"] == first / "face.pt", "what lies less deep"


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "real.pt")
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "gone.pt").symlink_to(tmp_path / "nowhere.pt")
    (tmp_path / "circle.pt").symlink_to(tmp_path / "circle.pt")
    (tmp_path / "linked.pt").symlink_to(tmp_path / "real.pt")
    (tmp_path / "up").symlink_to(tmp_path, target_is_directory=True)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    put(elsewhere, "far.pt")
    (tmp_path / "other").symlink_to(elsewhere, target_is_directory=True)
    assert own(tmp_path).names() == (NAME, "far.pt", "linked.pt", "real.pt")
    assert own(tmp_path / "not there", tmp_path / "real.pt").names() == (NAME,)


@pytest.mark.skipif(os.name == "nt", reason="file names there have no backslashes")
def test_a_name_with_a_path_in_it_is_never_accepted(tmp_path: Path) -> None:
    put(tmp_path / "in", "x.pt")
    put(tmp_path, "out.pt", "in/a\\b.pt")
    detectors = own(tmp_path / "in")
    assert detectors.names() == (NAME, "x.pt")
    for name in ("../out.pt", "..", ".", "", str(tmp_path / "out.pt"), "in/x.pt", "a\\b.pt", "./x.pt", "x.pt/"):
        assert name not in detectors
        assert "no detector" in message(lambda name=name: detectors.identity(name))


def test_a_file_that_is_dropped_in_appears_and_a_removed_one_goes(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    detectors = own(folder)
    assert detectors.names() == (NAME,)
    assert "new.onnx" not in detectors
    put(folder, "new.onnx")
    assert detectors.names() == (NAME, "new.onnx")
    assert "new.onnx" in detectors
    (folder / "new.onnx").unlink()
    assert detectors.names() == (NAME,)
    assert "new.onnx" in message(lambda: detectors.identity("new.onnx"))


def test_three_hundred_files(tmp_path: Path) -> None:
    names = [f"model {number:03}.pt" for number in range(300)]
    put(tmp_path, *names)
    detectors = own(tmp_path)
    assert detectors.names() == (NAME, *names)
    assert [item.name for item in detectors.listed() if item.present] == [NAME, *names]
    told = message(lambda: detectors.identity("nothing like it"))
    assert "and 289 more" in told
    assert len(told) < 400


def test_a_file_that_is_named_like_a_built_in_does_not_replace_it(tmp_path: Path, portrait: np.ndarray) -> None:
    put(tmp_path, f"{NAME}.pt")
    detectors = own(tmp_path)
    assert detectors.names() == (NAME, f"{NAME}.pt")
    for name in (NAME, NAME.upper()):
        assert [item.label for item in detectors.detect(name, portrait, 0.5)] == ["face"]
    assert detectors.identity(NAME) == own().identity(NAME)


@pytest.mark.parametrize("asked", ["Face_YOLOv8n.PT", "face_yolov8n", "FACE_YOLOV8N", "Face_YoloV8n.pt"])
def test_names_travel_between_people(tmp_path: Path, asked: str) -> None:
    put(tmp_path, "Face_YoloV8n.pt", "face_yolov8n.onnx", "other.pt")
    detectors = own(tmp_path)
    assert asked in detectors
    identity = detectors.identity(asked)
    assert identity == detectors.identity("Face_YoloV8n.pt")
    assert identity not in (detectors.identity("other.pt"), detectors.identity("face_yolov8n.onnx"))
    assert "face_yolov8n.onn" not in detectors
    assert "Face_YoloV8n.pth" not in detectors


def test_one_object_for_a_name_also_for_eight_threads() -> None:
    made: list[Still] = []

    def make() -> Still:
        made.append(Still())
        return made[-1]

    detectors = Detectors(makers={"still": make})
    picture = np.zeros((8, 8, 3), np.float32)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: detectors.detect("Still", picture, 0.5), range(32)))
    assert len(made) == 1
    detectors.free()
    assert made[0].freed >= 1
    detectors.detect("still", picture, 0.5)
    assert len(made) == 1


def test_a_message_says_where_a_known_one_comes_from() -> None:
    detectors = Detectors(makers=BUILT_IN, fetch_with="fetch <{name}> so")
    for asked in ("hand_yolov8n.pt", "hand_yolov8n", "HAND_yolov8n.PT"):
        assert "fetch it with: fetch <hand_yolov8n.pt> so" in message(lambda asked=asked: detectors.identity(asked))
    told = message(lambda: detectors.identity("deepfashion2_yolov8s-seg"))
    assert "https://huggingface.co/Bingsu/adetailer" in told
    assert "fetch" not in told
    assert "needs the Python package mediapipe" in message(lambda: detectors.identity("mediapipe_face_full"))
    assert "Did you mean 'face_yunet'" in message(lambda: detectors.identity("face_yunett"))
    assert "hand_yolov8n.pt" in message(lambda: detectors.identity("hand_yolo8n"))


def test_what_is_listed(tmp_path: Path) -> None:
    put(tmp_path, "face_yolov8n.pt", "hand_yolov8n.onnx", "mine.onnx")
    listed = {item.name: item for item in own(tmp_path).listed()}
    assert len(listed) == len(own(tmp_path).listed()), "each once"
    assert {item.name for item in KNOWN} <= set(listed)
    here = {name for name, item in listed.items() if item.present}
    assert here == {NAME, "face_yolov8n.pt", "hand_yolov8n.onnx", "mine.onnx"}
    assert (listed[NAME].target, listed[NAME].why_not, listed[NAME].licence) == ("face", "", "MIT")
    assert (listed["face_yolov8n.pt"].size, listed["face_yolov8n.pt"].target) == (8, "face")
    assert listed["face_yolov8n.pt"].fetchable
    exported = listed["hand_yolov8n.onnx"]
    assert (exported.target, exported.sha256, exported.fetchable, exported.why_not) == ("hand", "", False, "")
    assert (listed["mine.onnx"].target, listed["mine.onnx"].source) == ("", "")
    absent = listed["face_yolov8s.pt"]
    assert (absent.present, absent.size, absent.fetchable) == (False, 22_507_707, True)
    assert "not here" in absent.why_not
    assert "put the file" in listed["yolov8x-worldv2.pt"].why_not


def test_the_table_of_known_detectors_is_sound() -> None:
    names = [item.name.casefold() for item in KNOWN]
    assert len(set(names)) == len(names)
    fetchable = [item for item in KNOWN if item.fetchable]
    assert len(fetchable) >= 14
    for item in KNOWN:
        assert item.target
        assert item.trade_off
        assert item.licence
        assert item.source
        assert not {"/", "\\"} & set(item.name)
        assert find_known(item.name.upper()) is item
        assert bool(item.url) == bool(item.sha256)
    for item in fetchable:
        assert re.fullmatch(r"https://huggingface\.co/[\w/-]+/resolve/[0-9a-f]{40}/[\w%.-]+", item.url), item.url
        assert re.fullmatch("[0-9a-f]{64}", item.sha256)
        assert item.size == 0 or 1_000_000 < item.size < 200_000_000
    assert len({item.sha256 for item in fetchable}) == len(fetchable)


def test_a_file_that_cannot_be_read_is_listed_and_says_so_when_it_is_asked(tmp_path: Path) -> None:
    memory = Path("/proc/self/mem")
    if memory.exists():
        # No user may read it from its beginning, not even one who may read every file.
        (tmp_path / "closed.onnx").symlink_to(memory)
    else:
        shutil.copy(MODEL, tmp_path / "closed.onnx")
        (tmp_path / "closed.onnx").chmod(0)
    detectors = own(tmp_path)
    assert "closed.onnx" in detectors.names()
    assert "cannot be read" in message(lambda: detectors.identity("closed.onnx"))
    assert "closed.onnx" in message(lambda: detectors.detect("closed.onnx", np.zeros((64, 64, 3), np.float32), 0.5))


def test_a_folder_that_cannot_be_looked_into_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "closed", "x.pt")
    put(tmp_path, "y.pt")
    (tmp_path / "closed").chmod(0)
    try:
        if os.access(tmp_path / "closed", os.R_OK):
            pytest.skip("this user may look into every folder")
        assert own(tmp_path).names() == (NAME, "y.pt")
    finally:
        (tmp_path / "closed").chmod(0o755)


def test_trusted_hashes_of_a_text() -> None:
    one, other = "a1" * 32, "0f" * 32
    assert trusted_hashes(f"{one.upper()},\n {other};") == (frozenset({one, other}), ())
    assert trusted_hashes(f"{one} {one[:-1]} *") == (frozenset({one}), (one[:-1], "*"))
    assert trusted_hashes("") == (frozenset(), ())
