"""Where skin is, on photographs: of several tones, in poor and coloured light, in grey, and without a face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bench.texture import ASTRONAUT, HOPPER, OTHER_PARTS, SKIN_PARTS, VARIANTS, faces_of, mean
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.skin import Face, skin_by_colour, skin_of_faces
from lib_finisher.stages.places import FACES, PERSONS, SKIN
from lib_finisher.stages.stage import Tools
from lib_finisher.stages.texture_where import Place, around, detectors_for, place_of
from tests.conftest import Onward, photograph

DETECTORS = Detectors()
FILES = {ASTRONAUT: "astronaut.png", HOPPER: "grace_hopper.jpg"}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", [ASTRONAUT, HOPPER])
def test_skin_of_any_tone_in_any_light_is_found_and_little_else(name: str, variant: str) -> None:
    pixels = VARIANTS[variant](photograph(FILES[name]))
    faces = faces_of(pixels)
    assert len(faces) == 1
    mask = skin_of_faces(pixels, faces)
    assert mask.shape == pixels.shape[:2] and mask.dtype == np.float32
    assert float(mask.min()) == 0.0 and float(mask.max()) <= 1.0
    # Highlights that have lost their colour, and a neck in shadow, are not all of it.
    assert mean(mask, SKIN_PARTS[name]) > 0.8
    # Hair has the colour of some skin.
    hair, *rest = OTHER_PARTS[name]
    assert mean(mask, (hair,)) < 0.1
    assert mean(mask, tuple(rest)) < 0.005
    # Exactly nothing, so that those pixels stay bit for bit.
    assert float((mask == 0).mean()) > 0.8


@pytest.mark.parametrize("name", [ASTRONAUT, HOPPER])
def test_eyes_and_lips_are_left_out(name: str) -> None:
    pixels = photograph(FILES[name])
    (face,) = faces_of(pixels)
    mask = skin_of_faces(pixels, [face])
    right_eye, left_eye, _, right_lip, left_lip = face.landmarks
    mouth = ((right_lip[0] + left_lip[0]) / 2, (right_lip[1] + left_lip[1]) / 2)
    for x, y in (right_eye, left_eye, mouth):
        assert float(mask[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].max()) < 0.1
    without_landmarks = skin_of_faces(pixels, [Face(face.box)])
    assert float(without_landmarks.sum()) > float(mask.sum()), "who says nothing of eyes cannot have them left out"


def test_a_face_on_its_side_or_head_has_the_same_skin() -> None:
    pixels = photograph(FILES[ASTRONAUT])
    upright = skin_of_faces(pixels, faces_of(pixels))
    for turns in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(pixels, turns))
        faces = faces_of(turned)
        assert len(faces) == 1
        back = np.rot90(skin_of_faces(turned, faces), -turns)
        assert mean(back, SKIN_PARTS[ASTRONAUT]) > 0.75
        assert mean(back, OTHER_PARTS[ASTRONAUT]) < 0.005
        assert float(np.minimum(back, upright).sum()) > 0.65 * float(np.maximum(back, upright).sum())


def test_a_grey_picture_has_the_skin_of_its_faces_only() -> None:
    pixels = photograph(FILES[HOPPER])
    grey = np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1)
    (face,) = faces_of(grey)
    mask = skin_of_faces(grey, [face])
    assert mean(mask, SKIN_PARTS[HOPPER][:3]) > 0.8
    outside = face.area(size_of(grey)) == 0
    assert float(mask[outside].mean()) < 0.005


def test_hands_count_where_the_person_is_known() -> None:
    """A face, a hand below it and the same colour beside the person."""
    pixels = photograph(FILES[ASTRONAUT]).copy()
    (face,) = faces_of(pixels)
    cheek = pixels[128:140, 188:200]
    patch = np.tile(cheek, (5, 5, 1))
    pixels[360:420, 100:160] = patch
    pixels[360:420, 440:500] = patch
    alone = skin_of_faces(pixels, [face])
    assert float(alone[370:410, 110:150].max()) == 0.0
    body = np.zeros(pixels.shape[:2], dtype=np.float32)
    body[20:, 20:330] = 1
    known = skin_of_faces(pixels, [Face(face.box, face.landmarks, body)])
    assert float(known[370:410, 110:150].mean()) > 0.9
    assert float(known[350:430, 430:510].max()) == 0.0
    assert mean(known, SKIN_PARTS[ASTRONAUT]) > 0.85


def test_no_face_no_skin_and_a_face_at_the_edge_is_no_trouble() -> None:
    pixels = photograph(FILES[ASTRONAUT])
    assert not skin_of_faces(pixels, []).any()
    (face,) = faces_of(pixels)
    cropped = np.ascontiguousarray(pixels[100:300, 200:400])
    moved = Face(face.box.moved(-200, -100), tuple((x - 200, y - 100) for x, y in face.landmarks))
    assert skin_of_faces(cropped, [moved]).shape == (200, 200)
    assert not skin_of_faces(cropped, [Face(Box(900, 900, 950, 950))]).any()
    tiny = np.zeros((3, 2, 3), dtype=np.float32)
    assert skin_of_faces(tiny, [Face(Box(0, 0, 2, 3))]).shape == (3, 2)


# The six Fitzpatrick types as commonly drawn, and what is no skin.
TONES = ("f6d0b1", "e8b58f", "d39e7c", "ba7750", "a55d2b", "5c3a21")
OTHERS = ("3060c0", "30a040", "f0f0f0", "101010", "808080", "d8d020", "8020a0")


def plane(colour: str) -> Pixels:
    rgb = np.array([int(colour[at : at + 2], 16) for at in (0, 2, 4)], dtype=np.float32) / np.float32(255)
    return np.ones((24, 24, 3), dtype=np.float32) * rgb


def test_the_colours_of_skin_without_a_face() -> None:
    assert min(float(skin_by_colour(plane(colour)).mean()) for colour in TONES) > 0.8
    assert max(float(skin_by_colour(plane(colour)).max()) for colour in OTHERS) == 0.0


class Looking:
    """The built-in face detector, and persons that a detector named "persons" would find; others are missing."""

    def __init__(self, *persons: Detection) -> None:
        self.persons = persons
        self.asked: list[str] = []
        self.sizes: list[Size] = []

    def __call__(self, name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        self.asked.append(name)
        self.sizes.append(size_of(pixels))
        if name == "persons":
            return list(self.persons)
        return DETECTORS.detect(name, pixels, confidence, search)


def place(where: str, named: str, pixels: Pixels, find: Looking | None = None) -> tuple[Place, list[str]]:
    notes: list[str] = []
    tools = Tools(EmbeddedHost(), find or Looking(), Onward())
    return place_of(where, named, pixels, tools, notes), notes


def test_faces_are_known_and_persons_by_their_silhouettes(portrait: np.ndarray) -> None:
    found, notes = place(FACES, "", portrait)
    assert (found.told, notes) == ("1 face", [])
    assert 0.03 < float(found.mask.mean()) < 0.05
    silhouette = np.zeros((100, 50), dtype=np.float32)
    silhouette[:, 25:] = 1
    person = Detection(Box(100, 20, 300, 420), 0.9, "person", silhouette=silhouette)
    found, notes = place(PERSONS, "persons", portrait, Looking(person))
    assert (found.told, notes) == ("1 person", [])
    assert float(found.mask[100:400, 220:290].min()) == 1.0
    assert float(found.mask[100:400, 100:180].max()) == 0.0
    boxed, _ = place(PERSONS, "persons", portrait, Looking(Detection(Box(100, 20, 300, 420), 0.9, "man")))
    assert float(boxed.mask[100:400, 120:280].min()) == 1.0


def test_a_persons_skin_is_looked_for_within_the_person(portrait: np.ndarray) -> None:
    pixels = portrait.copy()
    pixels[360:420, 100:160] = np.tile(portrait[128:140, 188:200], (5, 5, 1))
    person = Detection(Box(20, 20, 330, 512), 0.9, "person")
    assert float(place(SKIN, "", pixels)[0].mask[370:410, 110:150].max()) == 0.0
    assert float(place(SKIN, "persons", pixels, Looking(person))[0].mask[370:410, 110:150].mean()) > 0.9
    # Another person has another face.
    elsewhere = Detection(Box(20, 250, 330, 512), 0.9, "person")
    assert float(place(SKIN, "persons", pixels, Looking(elsewhere))[0].mask[370:410, 110:150].max()) == 0.0


def test_what_cannot_be_found_is_said(portrait: np.ndarray) -> None:
    found, notes = place(SKIN, "nobody.pt", portrait)
    assert found.told == "skin of 1 face"
    assert len(notes) == 1 and "nobody.pt" in notes[0]
    found, notes = place(PERSONS, "", portrait)
    assert found.told == "0 persons" and not found.mask.any()
    assert "need a detector" in notes[0]
    bare = np.ascontiguousarray(portrait[300:500, 0:200])
    found, notes = place(SKIN, "", bare)
    assert "no face was found" in notes[0]
    with pytest.raises(DetectorError):
        DETECTORS.detect("nobody.pt", portrait, 0.5)


def test_detectors_are_asked_once_and_only_those_that_are_needed(portrait: np.ndarray) -> None:
    assert detectors_for("everywhere", "a, b") == ()
    assert detectors_for(PERSONS, " a ,b") == ("a", "b")
    assert detectors_for(SKIN, "a, face_yunet") == ("face_yunet", "a")


def test_a_large_picture_is_looked_at_small_and_its_mask_enlarged(portrait: np.ndarray) -> None:
    large = np.clip(resize(portrait, Size(2048, 2048)), 0, 1)
    find = Looking()
    found, _ = place(SKIN, "", large, find)
    assert find.sizes == [Size(1280, 1280)]
    at_size = found.at(Size(2048, 2048))
    assert at_size.shape == (2048, 2048)
    small = place(SKIN, "", portrait)[0].mask
    back = cv2.resize(at_size, (512, 512), interpolation=cv2.INTER_AREA)
    assert float(np.minimum(back, small).sum()) > 0.8 * float(np.maximum(back, small).sum())


def test_the_part_around_a_mask() -> None:
    mask = np.zeros((300, 400), dtype=np.float32)
    assert around(mask) is None
    mask[150, 200] = 0.1
    assert around(mask) == Box(136, 86, 265, 215)
    mask[299, 399] = 1
    assert around(mask) == Box(136, 86, 400, 300)
