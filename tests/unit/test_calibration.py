"""A detector's own confidence: what only looks like a face is not found, what is one is, and typed scores stay."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from bench.collage import photograph
from lib_finisher.detect.calibration import Calibrated
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection
from lib_finisher.detect.known import CALIBRATED, KNOWN, calibration_of
from lib_finisher.detect.plausible import plausible
from lib_finisher.detect.scores import AUTHORS, Calibration
from lib_finisher.detect.search import ORDINARY, OWN, Search
from lib_finisher.detect.second_look import second_look
from lib_finisher.detect.yunet import YuNet
from lib_finisher.imaging.geometry import Box

NAME = YuNet.name
UPRIGHT = ((27.0, 34.0), (73.0, 34.0), (50.0, 55.0), (30.0, 72.0), (70.0, 72.0))
DETECTORS = Detectors()


def test_each_face_of_a_photograph_is_found_and_nothing_else() -> None:
    for name, wanted in (("astronaut", 1), ("grace_hopper", 1), ("bus", 2), ("zidane", 2)):
        there = photograph(name)
        if there is None:
            continue
        pixels, faces = there
        found = DETECTORS.detect(NAME, pixels, OWN, Search(smallest=12))
        assert len(found) == wanted and not any(item.doubtful for item in found)
        assert all(any(item.box.overlap_ratio(face) > 0.5 for face in faces) for item in found)


@pytest.mark.parametrize(("side", "turn"), [(90, 0), (120, -40), (400, 25)])
def test_small_tilted_grey_and_dark_faces_stay(portrait: np.ndarray, side: int, turn: int) -> None:
    part = cv2.resize(portrait[20:320, 70:370], (side * 2, side * 2), interpolation=cv2.INTER_AREA)
    matrix = cv2.getRotationMatrix2D((side, side), turn, 1.0)
    turned = np.asarray(cv2.warpAffine(part, matrix, (side * 2, side * 2), borderMode=cv2.BORDER_REPLICATE))
    for shown in (turned, np.repeat(turned.mean(axis=-1, keepdims=True), 3, axis=2), turned * 0.5):
        picture = np.clip(shown, 0, 1).astype(np.float32)
        before = DETECTORS.detect(NAME, picture, 0.3)
        assert [item.box for item in DETECTORS.detect(NAME, picture, OWN)] == [before[0].box]


def test_a_typed_score_means_what_it_meant(portrait: np.ndarray) -> None:
    there = photograph("zidane")
    pixels = portrait if there is None else there[0]
    for score in (0.2, 0.3, 0.6):
        assert DETECTORS.detect(NAME, pixels, score) == YuNet().detect(pixels, score)


class Answering:
    """Finds a face in the whole picture, and says how sure it is of it in each later look."""

    name = "answering"
    identity = "answering"

    def __init__(self, first: float, upright: float, mirrored: float, turned: float = 0.0) -> None:
        self.first, self.looks, self.turned, self.number = first, (upright, mirrored), turned, -1

    def free(self) -> None:
        pass

    def detect(self, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        if pixels.shape[1] == 640:
            found = [
                Detection(Box(200, 200, 300, 300), self.first, "face", tuple((200 + x, 200 + y) for x, y in UPRIGHT))
            ]
            return [item for item in found if item.confidence >= confidence]
        self.number += 1
        middle, half = pixels.shape[1] // 2, {128: 24, 192: 40, 256: 64}[pixels.shape[1]]
        score = self.looks[self.number % 2] if self.number < 6 else self.turned
        return [Detection(Box(middle - half, middle - half, middle + half, middle + half), score, "face")]


@pytest.mark.parametrize(
    ("looks", "counts"),
    [
        ((0.4, 0.8, 0.7), 0.75),
        ((0.4, 0.9, 0.9), 0.9),
        ((0.4, 0.9, 0.3), None),
        ((0.89, 0.5, 0.5), None),
        ((0.89, 0.71, 0.71), 0.89),
        ((0.95, 0.0, 0.0), 0.95),
        ((0.4, 0.2, 0.2, 0.8), 0.8),
        ((0.4, 0.2, 0.2, 0.75), None),
        ((0.29, 0.9, 0.9), None),
    ],
)
def test_both_looks_must_agree(looks: tuple[float, ...], counts: float | None) -> None:
    own = Calibration(0.3, 0.69, 0.78, 0.9, 0.8)
    found = Calibrated(Answering(*looks), own).detect(np.zeros((640, 640, 3), np.float32), OWN, Search(sliced=False))
    assert [item.confidence for item in found] == ([] if counts is None else [pytest.approx(counts)])
    assert [item.doubtful for item in found] == ([] if counts is None else [counts < 0.8])


@pytest.mark.parametrize(("whole", "seen", "counts"), [(False, 0.75, False), (False, 0.8, True), (True, 0.75, True)])
def test_what_only_a_window_shows_needs_more(whole: bool, seen: float, counts: bool) -> None:
    class InWindows(Answering):
        def detect(self, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
            return [] if pixels.shape[1] == 640 and not (whole or search.sliced) else super().detect(pixels, confidence)

    own = Calibration(0.3, 0.69, 0.78, 0.9, 0.8)
    detector = Calibrated(InWindows(0.4, seen, seen), own)
    assert bool(detector.detect(np.zeros((640, 640, 3), np.float32), OWN, Search())) is counts


def test_what_has_no_face_of_landmarks_is_not_even_looked_at_again() -> None:
    class MouthAbove(Answering):
        def detect(self, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
            found = super().detect(pixels, confidence, search)
            return [replace(item, landmarks=(*item.landmarks[3:], *item.landmarks[:3])) for item in found]

    detector = Calibrated(MouthAbove(0.4, 0.9, 0.9, 0.9), Calibration(0.3, 0.69, 0.78, 0.9, 0.8))
    assert detector.detect(np.zeros((640, 640, 3), np.float32), OWN, Search(sliced=False)) == []


def test_every_score_below_the_sure_one_is_doubtful_typed_or_not() -> None:
    for typed, score, doubtful in ((0.3, 0.79, True), (0.3, 0.8, False), (OWN, 0.75, True)):
        detector = Calibrated(Answering(score, 0.7, 0.7), Calibration(sure=0.8))
        found = detector.detect(np.zeros((640, 640, 3), np.float32), typed, Search(sliced=False))
        assert [item.doubtful for item in found] == [doubtful]


class Kept:
    """Findings in a picture of 640 pixels, of which a window shows more, and what each later look was asked."""

    name = identity = "kept"

    def __init__(self, whole: list[Detection], windows: list[Detection], scores: dict[int, float]) -> None:
        self.whole, self.windows, self.scores, self.asked = whole, windows, scores, list[Search]()

    def free(self) -> None:
        pass

    def detect(self, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        side = pixels.shape[0]
        if side == 640:
            return self.whole + (self.windows if search.sliced else [])
        self.asked.append(search)
        half = {128: 24, 192: 40, 256: 64}[side]
        seen = Detection(
            Box(side // 2 - half, side // 2 - half, side // 2 + half, side // 2 + half), self.scores[side], "face"
        )
        return [seen] if seen.confidence >= confidence else []


GREY = np.full((640, 640, 3), 0.5, np.float32)
RULE = Calibration(0.3, 0.69, 0.78, 0.9, 0.8)


def at(left: int, confidence: float) -> Detection:
    return Detection(Box(left, 300, left + 40, 340), confidence, "face")


def test_a_second_look_is_a_plain_one_that_hears_faint_scores_too() -> None:
    detector = Kept([at(50, 0.4)], [], {192: 0.9, 256: 0.9, 128: 0.3})
    found = Calibrated(detector, RULE).detect(GREY, OWN, Search(smallest=7, sliced=True, turned=True, overlap=0.3))
    assert [item.confidence for item in found] == [pytest.approx(0.7)]
    assert set(detector.asked) == {Search(smallest=7, sliced=False, turned=False, overlap=0.3)}


def test_another_finding_in_the_whole_picture_vouches_for_none_of_a_window() -> None:
    detector = Kept([at(50, 0.95)], [at(400, 0.4)], dict.fromkeys((128, 192, 256), 0.75))
    assert [item.box.left for item in Calibrated(detector, RULE).detect(GREY, OWN, Search())] == [50]


def test_the_surest_comes_first_after_the_second_look_as_well() -> None:
    detector = Kept([at(50, 0.9), at(200, 0.5)], [], dict.fromkeys((128, 192, 256), 0.95))
    found = Calibrated(detector, RULE).detect(GREY, OWN, Search())
    assert [(item.box.left, item.confidence) for item in found] == [(200, pytest.approx(0.95)), (50, 0.9)]
    # What scores as much as is certain is not looked at a second time.
    assert len(detector.asked) == 6


def test_a_turned_look_must_convince_as_much_as_many_looks_do() -> None:
    class Turning(Kept):
        def detect(self, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
            # Six looks at it as it stands; the others are turned.
            self.scores = dict.fromkeys((128, 192, 256), 0.2 if len(self.asked) < 6 else self.turned)
            return super().detect(pixels, confidence, search)

    for self_turned, counts in ((0.77, False), (0.79, True)):
        detector = Turning([at(50, 0.4)], [], {})
        detector.turned = self_turned
        assert bool(Calibrated(detector, RULE).detect(GREY, OWN, Search(sliced=False))) is counts


def test_every_figure_of_a_calibration_is_part_of_what_a_finding_is_remembered_under() -> None:
    own = [
        RULE,
        *(replace(RULE, **{name: 0.123}) for name in ("considered", "confirmed", "many_looks", "certain", "sure")),
    ]
    identities = {Calibrated(Kept([], [], {}), item).identity for item in own}
    assert len(identities) == len(own) and all(name.startswith("kept") for name in identities)
    assert (RULE.least, replace(RULE, confirmed=0.0).least) == (0.69, 0.3)


BRIGHT = np.zeros((300, 400, 3), np.uint8)
BRIGHT[100:160, 180:230] = 255


class Shown:
    """Remembers what it is shown, and finds one thing at a place of it."""

    def __init__(self, side: float = 1.0, off: float = 0.0, kind: str = "face") -> None:
        self.side, self.off, self.kind, self.pictures = side, off, kind, list[np.ndarray]()

    def __call__(self, shown: np.ndarray) -> list[Detection]:
        self.pictures.append(shown)
        canvas = shown.shape[0]
        long = {128: 48, 192: 80, 256: 128}[canvas]
        middle, half = canvas / 2 + self.off * long, self.side * long / 2
        box = Box(round(middle - half), round(canvas / 2 - half), round(middle + half), round(canvas / 2 + half))
        return [Detection(box, 0.8, self.kind)]


def test_a_second_look_shows_the_finding_in_the_middle_at_three_sizes_and_mirrored() -> None:
    found = Detection(Box(180, 100, 230, 160), 0.4, "face")
    look = Shown()
    assert second_look(look, BRIGHT, found) == pytest.approx(0.8)
    assert sorted(shown.shape[0] for shown in look.pictures) == [128, 128, 192, 192, 256, 256]
    for shown in look.pictures:
        side = {128: 48, 192: 80, 256: 128}[shown.shape[0]]
        rows, columns = np.nonzero(shown[..., 0] > 127)
        assert len(np.unique(rows)) == pytest.approx(side, abs=2)
        assert len(np.unique(columns)) == pytest.approx(side * 50 / 60, abs=2)
        assert rows.mean() + 0.5 == pytest.approx(shown.shape[0] / 2, abs=1.5)
        assert columns.mean() + 0.5 == pytest.approx(shown.shape[0] / 2, abs=1.5)
    lopsided = BRIGHT.copy()
    lopsided[100:160, 205:230] = 60
    look = Shown()
    second_look(look, lopsided, found)
    halves = [shown[:, : shown.shape[1] // 2].sum() > shown[:, shown.shape[1] // 2 :].sum() for shown in look.pictures]
    assert sorted(halves) == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("look", "seen"),
    [
        (Shown(), 0.8),
        (Shown(side=1.8), 0.8),
        (Shown(side=2.3), 0.0),
        (Shown(side=0.4), 0.0),
        (Shown(off=0.3), 0.8),
        (Shown(off=0.6), 0.0),
        (Shown(kind="hand"), 0.0),
    ],
)
def test_a_second_look_counts_only_the_same_thing_at_the_same_place(look: Shown, seen: float) -> None:
    assert second_look(look, BRIGHT, Detection(Box(180, 100, 230, 160), 0.4, "face")) == pytest.approx(seen)


@pytest.mark.parametrize(
    ("eyes_y", "mouth_y", "apart", "out", "counts"),
    [
        (34, 72, 46, 0, True),
        (45, 62, 46, 0, False),
        (20, 82, 46, 0, False),
        (34, 72, 80, 0, False),
        (34, 72, 46, 4, True),
        (34, 72, 46, 8, False),
        (38, 62, 46, 0, True),
        (39, 60, 46, 0, False),
        (20, 76, 46, 0, True),
        (20, 78, 46, 0, False),
        (34, 72, 71, 0, True),
        (34, 72, 73, 0, False),
        (34, 72, 6, 0, True),
        (34, 72, 5, 0, False),
    ],
)
def test_each_bound_of_a_face_holds(eyes_y: float, mouth_y: float, apart: float, out: float, counts: bool) -> None:
    nose = (eyes_y + mouth_y) / 2
    left, right = 50 - apart / 2, 50 + apart / 2
    points = ((left, eyes_y), (right, eyes_y), (50.0, nose), (30.0, mouth_y), (100 + out if out else 70.0, mouth_y))
    assert plausible(Detection(Box(0, 0, 100, 110), 0.5, "face", points)) is counts


@pytest.mark.parametrize(("nose", "counts"), [(0.2, False), (0.3, True), (0.9, True), (1.0, False)])
def test_the_nose_lies_between_eyes_and_mouth(nose: float, counts: bool) -> None:
    points = (*UPRIGHT[:2], (50.0, 34 + nose * 38), *UPRIGHT[3:])
    assert plausible(Detection(Box(0, 0, 100, 110), 0.5, "face", points)) is counts


@pytest.mark.parametrize(
    ("width", "height", "counts"), [(51, 100, True), (49, 100, False), (158, 100, True), (163, 100, False)]
)
def test_a_face_is_neither_a_stick_nor_a_strip(width: int, height: int, counts: bool) -> None:
    longest = max(width, height)
    middle = (width / 2, height / 2)
    points = ((-0.2, -0.15), (0.2, -0.15), (0.0, 0.05), (-0.15, 0.15), (0.15, 0.15))
    marks = tuple((middle[0] + x * longest, middle[1] + y * longest) for x, y in points)
    assert plausible(Detection(Box(0, 0, width, height), 0.5, "face", marks)) is counts


@pytest.mark.parametrize("degrees", [0, 30, -45, 60, 90, 180])
def test_a_tilted_face_is_one_and_a_tilted_scramble_is_none(degrees: float) -> None:
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))

    def turned(points: tuple[tuple[float, float], ...]) -> Detection:
        marks = ((x - 50, y - 55) for x, y in points)
        return Detection(
            Box(0, 0, 120, 120), 0.5, "face",
            tuple((float(60 + x * cosine - y * sine), float(60 + y * cosine + x * sine)) for x, y in marks),
        )  # fmt: skip

    right_eye, left_eye, nose, right, left = UPRIGHT
    assert plausible(turned(UPRIGHT))
    assert not plausible(turned((left_eye, right_eye, nose, right, left)))
    assert not plausible(turned((right_eye, left_eye, (50.0, 80.0), right, left)))


@pytest.mark.parametrize(("below", "counts"), [(4, True), (8, False)])
def test_a_chin_may_hang_a_little_out_of_its_box(below: int, counts: bool) -> None:
    points = ((27.0, 44.0), (73.0, 44.0), (50.0, 64.0), (30.0, 80.0 + below), (70.0, 80.0 + below))
    assert plausible(Detection(Box(0, 0, 100, 80), 0.5, "face", points)) is counts


def test_landmarks_lie_as_a_face_has_them() -> None:
    face = Detection(Box(0, 0, 100, 110), 0.5, "face", UPRIGHT)
    assert plausible(face)
    assert plausible(replace(face, landmarks=()))
    right_eye, left_eye, nose, right, left = UPRIGHT
    for wrong in (
        (left_eye, right_eye, nose, right, left),
        ((48.0, 34.0), (50.0, 34.0), nose, right, left),
        (right_eye, left_eye, (50.0, 20.0), right, left),
        (right_eye, left_eye, (50.0, 90.0), right, left),
        ((27.0, 62.0), (73.0, 62.0), (50.0, 66.0), right, left),
        ((27.0, 34.0), (113.0, 34.0), nose, right, left),
    ):
        assert not plausible(replace(face, landmarks=wrong)), wrong
    assert not plausible(replace(face, box=Box(0, 0, 230, 110)))
    assert not plausible(replace(face, landmarks=((50.0, 50.0),) * 5))
    for turns in range(1, 4):
        turned = tuple((x, y) for x, y in UPRIGHT)
        box = face.box
        for _ in range(turns):
            turned = tuple((box.height - y, x) for x, y in turned)
            box = Box(0, 0, box.height, box.width)
        assert plausible(Detection(box, 0.5, "face", turned)), turns


def test_what_was_not_measured_is_used_as_its_authors_do() -> None:
    assert {name for name, item in CALIBRATED.items() if item.measured} == set(CALIBRATED)
    assert calibration_of("Face_YOLOv8n.pt") == AUTHORS and AUTHORS.least == 0.3 and not AUTHORS.measured
    assert calibration_of("yolov11m-face.onnx") == calibration_of("yolov11m-face.pt") != AUTHORS
    assert {item.name for item in KNOWN} >= {name for name in CALIBRATED if not name.startswith("yolov11m")}


def test_the_whole_picture_is_looked_at_once_for_all_that_windows_show() -> None:
    looked: list[tuple[int, ...]] = []
    shown = {192: 80, 256: 128, 128: 48}

    class Windows:
        name = identity = "windows"

        def free(self) -> None:
            pass

        def detect(self, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
            if search.sliced:
                return [Detection(Box(left, 300, left + 40, 340), 0.5, "face") for left in (50, 200, 350)]
            if pixels.shape[0] > 300:
                looked.append(pixels.shape)
                return []
            middle, side = pixels.shape[0] // 2, shown[pixels.shape[0]]
            first, last = middle - side // 2, middle + side // 2
            return [Detection(Box(first, first, last, last), 0.72, "face")]

    detector = Calibrated(Windows(), Calibration(0.3, 0.69, 0.78, 0.9, 0.8))
    assert detector.detect(np.full((640, 640, 3), 0.5, np.float32), 0.0, Search(sliced=True)) == []
    assert len(looked) == 1
