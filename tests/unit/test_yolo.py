"""YOLO detectors on real photographs with real files: boxes, silhouettes, keypoints, words, ONNX, loading, freeing."""

from __future__ import annotations

import io
import itertools
import os
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lib_finisher.detect import yolo as module
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.search import Search
from lib_finisher.detect.yolo import Yolo
from lib_finisher.detect.yolo_decode import Layout, detections, shown
from lib_finisher.detect.yolo_packages import ultralytics_module
from lib_finisher.imaging.geometry import Box, Size, size_of
from tests.conftest import ROOT, detector_weights, photograph

torch = pytest.importorskip("torch", reason="torch is installed for the newest Python only")
pytest.importorskip("yaml", reason="ultralytics needs it")

FACES, PERSONS, OLDER, POSE, WORLD = (
    "yolov11m-face.pt", "yolo11n-seg.pt", "yolov8n-seg.pt", "yolo11n-pose.pt", "yolov8s-worldv2.pt",
)  # fmt: skip
PLAIN = Search(sliced=False)
LOADED: dict[str, Yolo] = {}


def asked(name: str) -> Yolo:
    if name not in LOADED:
        LOADED[name] = Yolo(detector_weights(name))
    return LOADED[name]


def persons(name: str, picture: np.ndarray, confidence: float = 0.6) -> list[Detection]:
    return sorted(
        (item for item in asked(name).detect(picture, confidence, PLAIN) if item.label == "person"),
        key=lambda item: item.box.left,
    )


def spread(item: Detection, size: Size) -> np.ndarray:
    """Where the object is in the whole picture, by its silhouette."""
    assert item.silhouette is not None
    whole = np.zeros((size.height, size.width), bool)
    box = item.box
    part = cv2.resize(item.silhouette, (box.width, box.height), interpolation=cv2.INTER_LINEAR)
    whole[box.top : box.bottom, box.left : box.right] = np.asarray(part) > 0.5
    return whole


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("astronaut.png", [Box(181, 54, 271, 178)]),
        ("grace_hopper.jpg", [Box(186, 123, 353, 331)]),
        ("bus.jpg", [Box(114, 418, 154, 470), Box(271, 421, 307, 471)]),
        ("zidane.jpg", [Box(912, 94, 1057, 280), Box(543, 224, 665, 452)]),
    ],
)
def test_every_face_is_found_once(name: str, places: list[Box]) -> None:
    for search in (PLAIN, Search()):
        found = asked(FACES).detect(photograph(name), 0.6, search)
        assert len(found) == len(places)
        for item, place in zip(found, places):
            assert item.box.overlap_ratio(place) > 0.8
            assert item.confidence > 0.79
            assert item.label == "face"


def test_a_turned_face_is_looked_at_again_when_asked_for() -> None:
    picture = np.ascontiguousarray(np.rot90(photograph("grace_hopper.jpg")))
    assert asked(FACES).detect(picture, 0.6, PLAIN) == []
    (found,) = asked(FACES).detect(picture, 0.6, Search(sliced=False, turned=True))
    assert found.box.overlap_ratio(Box(123, 512 - 353, 331, 512 - 186)) > 0.6


def best_shift(one: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """By how many pixels down and right the one must be moved to agree best with the other, in steps of 4."""
    steps = range(-8, 9, 4)
    tried = {(down, right): agreement(np.roll(one, (down, right), (0, 1)), other) for down in steps for right in steps}
    return max(tried, key=lambda step: tried[step])


@pytest.mark.parametrize(("name", "count"), [("bus.jpg", 3), ("zidane.jpg", 2)])
def test_silhouettes_fit(name: str, count: int) -> None:
    picture = photograph(name)
    newer, older = persons(PERSONS, picture), persons(OLDER, picture)
    assert len(newer) == len(older) == count
    for one, other in zip(newer, older):
        assert one.silhouette is not None
        assert one.silhouette.dtype == np.float32
        assert 0 <= float(one.silhouette.min()) <= float(one.silhouette.max()) <= 1
        here, there = spread(one, size_of(picture)), spread(other, size_of(picture))
        assert agreement(here, there) > 0.8
        assert best_shift(here, there) == (0, 0)


@pytest.mark.parametrize(
    ("name", "padding"),
    [
        ("zidane.jpg", (0, 0, 300, 0)),
        ("zidane.jpg", (37, 0, 251, 0)),
        ("bus.jpg", (0, 0, 0, 150)),
        ("bus.jpg", (0, 40, 0, 230)),
    ],
)
def test_a_silhouette_does_not_shift_with_the_pictures_shape(name: str, padding: tuple[int, int, int, int]) -> None:
    """At the same scale the network sees each shape with other padding below or beside it."""
    picture = photograph(name)
    top, left, bottom, right = padding
    wider = np.pad(picture, ((top, bottom), (left, right), (0, 0)), constant_values=114 / 255)
    height, width = picture.shape[:2]
    before, after = persons(PERSONS, picture), persons(PERSONS, wider)
    assert len(before) == len(after)
    for one, other in zip(before, after):
        here = spread(one, size_of(picture))
        there = spread(other, size_of(wider))[top : top + height, left : left + width]
        assert agreement(here, there) > (0.9 if top or left else 0.95)
        assert best_shift(here, there) == (0, 0)


def test_a_silhouette_of_a_made_up_mask_lies_where_it_should() -> None:
    """A square of 160 x 96 pixels of a 640 x 384 picture that is shown with 0 and with much padding."""
    picture = np.zeros((384, 640, 3), np.uint8)
    for fixed in (None, Size(640, 640), Size(1024, 640)):
        seen = shown(picture, 1.0, fixed)
        planes = np.full((1, 1, seen.canvas.shape[2] // 4, seen.canvas.shape[3] // 4), -20, np.float32)
        planes[0, 0, 48:72, 80:120] = 20
        planes[0, 0, 96:, :] = 20
        raw = np.array([[[400.0], [240], [240], [144], [0.9], [1.0]]], np.float32)
        layout = Layout({0: "thing"}, masks=1)
        (item,) = detections(raw, planes, layout, seen, size_of(picture), 0.5, 0.5)
        assert item.box == Box(280, 168, 520, 312)
        exact = np.zeros((384, 640), bool)
        exact[192:288, 320:480] = True
        assert agreement(spread(item, Size(640, 384)), exact) > 0.98


@pytest.mark.parametrize("name", ["bus.jpg", "zidane.jpg", "astronaut.png"])
def test_keypoints_lie_in_their_person(name: str) -> None:
    found = asked(POSE).detect(photograph(name), 0.6, PLAIN)
    assert found
    for item in found:
        assert len(item.landmarks) == 17
        box = item.box.grown(10)
        # Below the shoulders a point may lie outside the picture.
        assert all(box.left <= x < box.right and box.top <= y < box.bottom for x, y in item.landmarks[:7])
        nose, hips = item.landmarks[0], item.landmarks[11:13]
        assert nose[1] < min(hip[1] for hip in hips)


def test_pose_and_face_agree() -> None:
    picture = photograph("astronaut.png")
    (person,), (face,) = asked(POSE).detect(picture, 0.6, PLAIN), asked(FACES).detect(picture, 0.6, PLAIN)
    for x, y in person.landmarks[:3]:
        assert face.box.left < x < face.box.right
        assert face.box.top < y < face.box.bottom


def test_words_that_the_file_knows_are_looked_for_alone() -> None:
    world, picture = asked(WORLD), photograph("bus.jpg")
    everything = world.detect(picture, 0.3, PLAIN)
    assert {"person", "bus"} <= {item.label for item in everything}
    only = world.detect(picture, 0.3, Search(sliced=False, classes=(" Bus ",)))
    assert [item.label for item in only] == ["bus"]
    assert only[0].box.overlap_ratio(next(item.box for item in everything if item.label == "bus")) > 0.8
    assert world.detect(picture, 0.3, PLAIN) == everything
    with pytest.raises(DetectorError, match=r"yolov8s-worldv2\.pt does not know dragon.*CLIP"):
        world.detect(picture, 0.3, Search(classes=("bus", "dragon")))


def test_only_yolo_world_minds_words() -> None:
    picture = photograph("astronaut.png")
    assert asked(FACES).detect(picture, 0.5, Search(classes=("dragon",))) == asked(FACES).detect(picture, 0.5)


def test_a_large_picture_is_searched_in_windows() -> None:
    """Persons of 60 pixels in 4096 are 9 pixels to a network that sees the whole at once."""
    small = np.asarray(cv2.resize(photograph("zidane.jpg"), (160, 90), interpolation=cv2.INTER_AREA))
    picture = np.full((1500, 2600, 3), 0.5, np.float32)
    places = [(100, 100), (1200, 700), (2300, 1300), (600, 1390)]
    for left, top in places:
        picture[top : top + 90, left : left + 160] = small
    whole = asked(PERSONS).detect(picture, 0.35, PLAIN)
    found = [item for item in asked(PERSONS).detect(picture, 0.35, Search()) if item.label == "person"]
    assert len(found) > len(whole)
    for left, top in places:
        inside = [item for item in found if Box(left, top, left + 160, top + 90).contained_ratio(item.box) > 0.9]
        assert 1 <= len(inside) <= 2
        assert all(item.silhouette is not None for item in inside)
    for one, other in itertools.combinations(found, 2):
        assert one.box.overlap_ratio(other.box) <= Search().overlap


def test_two_of_one_class_that_overlap_more_are_one() -> None:
    """Two boxes that share half of what they cover, once of one class and once of two."""
    seen = shown(np.zeros((320, 320, 3), np.uint8), 1.0, None)
    for second, overlap, count in ((0, 0.45, 1), (0, 0.55, 2), (1, 0.45, 2)):
        raw = np.zeros((1, 6, 40), np.float32)
        raw[0, :4, 0], raw[0, :4, 1] = (100, 100, 120, 60), (140, 100, 120, 60)
        raw[0, 4, 0], raw[0, 4 + second, 1] = 0.9, 0.8
        found = detections(raw, None, Layout({0: "one", 1: "other"}), seen, Size(320, 320), 0.3, overlap)
        assert len(found) == count
        assert found[0].box == Box(40, 70, 160, 130)
        assert found[0].confidence == pytest.approx(0.9)


@pytest.mark.parametrize(
    "layout",
    ["yolov5n", "yolov8n", "yolov8n-seg", "yolov8n-pose", "yolov8n-p6", "yolov9t", "yolov10n", "yolo11n-seg", "yolo12n",
     "yolo26n", "yolo26n-seg", "yolo26n-pose"],
)  # fmt: skip
def test_every_generation_loads_and_answers(layout: str, tmp_path: Path) -> None:
    """No trained files of most of these are at hand: networks with random weights, saved as ultralytics saves them."""
    tasks = ultralytics_module("ultralytics.nn.tasks", layout)
    kinds = {"seg": tasks.SegmentationModel, "pose": tasks.PoseModel}
    torch.manual_seed(3)
    network = kinds.get(layout.rpartition("-")[2], tasks.DetectionModel)(f"{layout}.yaml", verbose=False).eval()
    network.names = {number: f"class {number}" for number in range(network.model[-1].nc)}
    file = tmp_path / f"{layout}.pt"
    torch.save({"model": network.half(), "train_args": {"imgsz": 640}}, file)
    best = strongest(network.float(), photograph("zidane.jpg"))
    found = Yolo(file).detect(photograph("zidane.jpg"), best / 2, Search(sliced=False, overlap=0.3))
    assert found
    assert all(item.label.startswith("class ") for item in found)
    assert all((item.silhouette is not None) == ("seg" in layout) for item in found)
    assert all((len(item.landmarks) == 17) == ("pose" in layout) for item in found)
    assert found[0].confidence == pytest.approx(best, rel=1e-3)


def strongest(network: Any, pixels: np.ndarray) -> float:
    canvas = shown(np.rint(pixels * 255).astype(np.uint8), 0.5, None).canvas
    head = network.model[-1]
    with torch.inference_mode():
        answer = network(torch.from_numpy(canvas))
    while isinstance(answer, tuple):
        answer = answer[0]
    if answer.shape[2] < answer.shape[1] or answer.shape[1] == 300:
        return float(answer[0, :, 4].max())
    return float(answer[0, 4 : 4 + head.nc].max())


def exported(name: str, folder: Path, **how: Any) -> Path:
    """The ONNX file of a network, with the notes that ultralytics writes into it."""
    onnx = pytest.importorskip("onnx", reason="writing ONNX needs it")
    network = torch.serialization.load(detector_weights(name), map_location="cpu", weights_only=False)["model"]
    network = network.float().eval()
    network.model[-1].export = True
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape = how.pop("shape", (640, 640))
        torch.onnx.export(network, torch.zeros(1, 3, *shape), stream, opset_version=17, dynamo=False,
                          input_names=["images"], **how)  # fmt: skip
    model = onnx.load_from_string(stream.getvalue())
    head = network.model[-1]
    notes = {"names": str(network.names), "task": network.task if hasattr(network, "task") else "detect",
             "imgsz": str(list(shape)), "kpt_shape": str(list(getattr(head, "kpt_shape", [])))}  # fmt: skip
    for key, value in notes.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    file = folder / f"{Path(name).stem}.onnx"
    onnx.save(model, str(file))
    return file


@pytest.mark.parametrize("name", [PERSONS, POSE])
def test_an_onnx_file_finds_the_same(name: str, tmp_path: Path) -> None:
    one = Yolo(exported(name, tmp_path))
    for shown_to, search in (("zidane.jpg", PLAIN), ("bus.jpg", PLAIN), ("bus.jpg", Search())):
        picture = photograph(shown_to)
        wanted = sorted(asked(name).detect(picture, 0.5, search), key=lambda item: item.box)
        found = sorted(one.detect(picture, 0.5, search), key=lambda item: item.box)
        assert [item.label for item in found] == [item.label for item in wanted]
        for here, there in zip(found, wanted):
            assert here.box.overlap_ratio(there.box) > 0.93
            assert here.confidence == pytest.approx(there.confidence, abs=0.06)
            assert (here.silhouette is None) == (there.silhouette is None)
            if here.silhouette is not None:
                assert agreement(spread(here, size_of(picture)), spread(there, size_of(picture))) > 0.93
            apart = [np.hypot(x - u, y - v) for (x, y), (u, v) in zip(here.landmarks, there.landmarks)]
            assert not apart or np.median(apart) < 6


def test_an_onnx_file_of_another_kind_is_named(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="writing ONNX needs it")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    source = helper.make_tensor_value_info("images", kind, [1, 3, 64, 64])
    target = helper.make_tensor_value_info("out", kind, [1, 3, 64, 64])
    graph = helper.make_graph([helper.make_node("Relu", ["images"], ["out"])], "other", [source], [target])
    file = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(file))
    with pytest.raises(DetectorError, match=r"other\.onnx answers with"):
        Yolo(file).detect(np.zeros((64, 64, 3), np.float32), 0.5)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DetectorError, match=r"other\.onnx"):
        Yolo(file).detect(np.zeros((64, 64, 3), np.float32), 0.5)


def test_the_file_is_read_once_for_twenty_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = count_loads(monkeypatch)
    one, picture = Yolo(detector_weights(PERSONS)), photograph("astronaut.png")
    assert one.identity
    assert loads == []
    for number in range(20):
        one.detect(np.roll(picture[:128, :128], number, axis=1), 0.5, PLAIN)
    assert loads == [PERSONS]
    before = one.detect(picture, 0.5, PLAIN)
    one.free()
    one.free()
    assert one.detect(picture, 0.5, PLAIN) == before
    assert loads == [PERSONS, PERSONS]


def count_loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    loads: list[str] = []
    ordinary = module.load_checkpoint

    def counting(data: bytes, file: str, trusted: frozenset[str]) -> Any:
        loads.append(file)
        return ordinary(data, file, trusted)

    monkeypatch.setattr(module, "load_checkpoint", counting)
    return loads


def test_several_threads_may_ask_one_detector() -> None:
    one = asked(PERSONS)
    pictures = [photograph("astronaut.png"), photograph("bus.jpg"), photograph("zidane.jpg")] * 2
    wanted = [one.detect(picture, 0.4, PLAIN) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda picture: one.detect(picture, 0.4, PLAIN), pictures)) == wanted


def test_names_and_identities(tmp_path: Path) -> None:
    file = tmp_path / PERSONS
    file.write_bytes(detector_weights(PERSONS).read_bytes())
    one = Yolo(file)
    assert one.name == PERSONS
    assert one.identity == asked(PERSONS).identity
    assert Yolo(file, name="persons").name == "persons"
    assert str(tmp_path) not in one.identity
    with file.open("ab") as stream:
        stream.write(b"\0")
    assert one.identity != asked(PERSONS).identity


@pytest.mark.parametrize("name", ["gone.pt", "gone.onnx"])
def test_a_missing_or_broken_file_is_named(name: str, tmp_path: Path) -> None:
    one = Yolo(tmp_path / name)
    for act in (lambda: one.identity, lambda: one.detect(np.zeros((64, 64, 3), np.float32), 0.5)):
        with pytest.raises(DetectorError, match=f"{name} is missing"):
            act()
    (tmp_path / name).write_bytes(b"no model")
    with pytest.raises(DetectorError, match=name):
        one.detect(np.zeros((64, 64, 3), np.float32), 0.5)


def test_a_device_that_is_not_there_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(DetectorError, match="'cuda'"):
        Yolo(detector_weights(PERSONS), device="cuda").detect(np.zeros((64, 64, 3), np.float32), 0.5)


def test_a_classifier_is_no_detector(tmp_path: Path) -> None:
    tasks = ultralytics_module("ultralytics.nn.tasks", "sorts.pt")
    folder = Path(sys.modules["ultralytics"].__file__ or "").parent / "cfg" / "models"
    network = tasks.ClassificationModel(str(folder / "v8" / "yolov8-cls.yaml"), verbose=False)
    file = tmp_path / "sorts.pt"
    torch.save({"model": network}, file)
    with pytest.raises(DetectorError, match=r"sorts\.pt is a ClassificationModel"):
        Yolo(file).detect(np.zeros((64, 64, 3), np.float32), 0.5)


def test_loading_leaves_the_process_and_the_home_folder_as_they_were(tmp_path: Path) -> None:
    file = detector_weights(PERSONS)
    program = (
        "import os, socket, subprocess, sys, warnings\n"
        "import cv2, numpy as np, torch\n"
        "from pathlib import Path\n"
        "from PIL import Image\n"
        "def refused(*a, **k): raise AssertionError(f'asked for {a}')\n"
        "socket.socket.connect = socket.getaddrinfo = subprocess.Popen.__init__ = refused\n"
        "def facts(): return (torch.save, torch.load, Image.open, dict(os.environ), cv2.getNumThreads(),\n"
        "    torch.get_num_threads(), repr(np.float32(1/3)), repr(np.array([1/3])), len(warnings.filters))\n"
        "from lib_finisher.detect.yolo import Yolo\n"
        "assert not {'torch.onnx', 'ultralytics'} & set(sys.modules) - {'torch.onnx'}\n"
        "before = facts()\n"
        f"one = Yolo(Path({str(file)!r}))\n"
        "one.detect(np.zeros((64, 64, 3), np.float32), 0.5)\n"
        "assert facts() == before, (facts(), before)\n"
        "heavy = {'matplotlib', 'polars', 'requests', 'ultralytics.engine', 'ultralytics.data'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    own = {**os.environ, "HOME": str(home), "TMPDIR": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    for name in ("XDG_CONFIG_HOME", "YOLO_CONFIG_DIR"):
        own.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert list(home.rglob("*")) == []


def test_asking_needs_no_torch_until_a_file_is_loaded() -> None:
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from lib_finisher.detect.detection import DetectorError\n"
        "from lib_finisher.detect.yolo import Yolo\n"
        f"one = Yolo(Path({str(detector_weights(PERSONS))!r}))\n"
        "one.identity\n"
        "try:\n"
        "    one.detect(np.zeros((64, 64, 3), np.float32), 0.5)\n"
        "except DetectorError as error:\n"
        "    assert 'yolo11n-seg.pt needs torch' in str(error), error\n"
        "else:\n"
        "    raise AssertionError('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_file_that_is_replaced_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = count_loads(monkeypatch)
    file = tmp_path / "own.pt"
    shutil.copyfile(detector_weights(FACES), file)
    one, picture = Yolo(file), photograph("astronaut.png")
    faces, before = one.detect(picture, 0.5, PLAIN), one.identity
    shutil.copyfile(detector_weights(PERSONS), file)
    assert one.identity != before
    assert {item.label for item in one.detect(picture, 0.5, PLAIN)} == {"person"} != {item.label for item in faces}
    one.detect(picture, 0.5, PLAIN)
    file.unlink()
    one.detect(picture, 0.5, PLAIN)
    assert loads == ["own.pt", "own.pt"]
