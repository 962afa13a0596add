"""Where the texture stage works: everywhere, or where detectors find faces, persons or their skin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from lib_finisher.detect.detection import Detection, DetectorError, merged
from lib_finisher.detect.search import Search
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, Size, frame, paste_region, size_of
from lib_finisher.imaging.masks import feathered
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.skin import Face, skin_by_colour, skin_of_faces
from lib_finisher.notes import LeftOut
from lib_finisher.stages.places import EVERYWHERE, FACES, PERSONS
from lib_finisher.stages.stage import Tools

FACE_DETECTOR = "face_yunet"
SEARCH = Search(sliced=False, turned=True)
# More pixels tell no more of where skin is, and cost time.
_LONG_SIDE = 1280
_SURE = 0.65
_SURE_OF_PERSONS = 0.4
# By how much of their longer side silhouettes are grown and softened: as they are to be changed, and as skin is looked
# for in them, when what lies beyond the outline must not count.
_WHOLE, _WITHIN = (0.006, 0.012), (-0.006, 0.006)
# What a model and a blur see beyond the mask that they work in.
_MARGIN = 64
# The share of a face that lies on a person whose face it is.
_ON_BODY = 0.4


class Place(NamedTuple):
    """Where to work: a mask of some size, 0..1, that is to be stretched over the picture, and what it is of.

    `doubtful` says that a detector could not be asked, so that another run may come to another place.
    """

    mask: Mask
    told: str
    doubtful: bool = False

    def at(self, size: Size) -> Mask:
        """The mask at a picture's size."""
        return np.clip(resize(self.mask, size, "bilinear"), 0.0, 1.0)


def detectors_for(where: str, named: str) -> tuple[str, ...]:
    """The detectors that are asked; a face has to be known for its skin."""
    own = tuple(name.strip() for name in named.split(",") if name.strip())
    if where == EVERYWHERE:
        return ()
    return own if where == PERSONS else tuple(dict.fromkeys((FACE_DETECTOR, *own)))


def place_of(where: str, named: str, pixels: Pixels, tools: Tools, notes: list[str]) -> Place:
    """Where that is in the picture. A detector that is missing, and a guess without a face, are told in `notes`.

    `where` is one of `places.PLACES` but not EVERYWHERE; `named` are detectors beside that of faces, by commas.
    """
    size = size_of(pixels)
    small = size.scaled(min(1.0, _LONG_SIDE / max(size.width, size.height)))
    seen = pixels
    if small != size:
        seen = np.asarray(cv2.resize(pixels, (small.width, small.height), interpolation=cv2.INTER_AREA))
    found, failed = _found(detectors_for(where, named), seen, tools, notes)
    faces = [item for item in found if item.kind == "face" and item.confidence >= _SURE]
    persons = [item for item in found if item.kind == "person"]
    if where == FACES:
        return Place(_union([_whole(item, small) for item in faces], small), _counted(faces, "face"), failed)
    if where == PERSONS:
        if not detectors_for(where, named):
            notes.append("persons need a detector that finds persons, for example a segmentation model of YOLO")
        return Place(_union([_body(item, small) for item in persons], small), _counted(persons, "person"), failed)
    if faces:
        known = [Face(item.box, item.landmarks, _body_of(item, persons, small)) for item in faces]
        return Place(skin_of_faces(seen, known), f"skin of {_counted(faces, 'face')}", failed)
    notes.append("no face was found, so skin was told by its colour alone: wood and sand may count as skin")
    mask = skin_by_colour(seen)
    if persons:
        mask = mask * _union([_body(item, small) for item in persons], small)
    return Place(mask, "what has the colour of skin", failed)


def around(mask: Mask) -> Box | None:
    """The part of a picture that a mask lies in, with what work in it has to see beyond; None where it is 0."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return box.grown(_MARGIN).intersection(frame(size_of(mask)))


def _found(names: Sequence[str], pixels: Pixels, tools: Tools, notes: list[str]) -> tuple[list[Detection], bool]:
    """What they find together, and whether one of them failed."""
    found: list[Detection] = []
    failed = False
    for name in names:
        try:
            found += tools.find(name, pixels, _SURE_OF_PERSONS, SEARCH)
        except DetectorError as error:
            failed = True
            notes.append(LeftOut(f"the detector {name} could not be used: {error}"))
    return merged(found, middles=True), failed


def _union(masks: Sequence[Mask], size: Size) -> Mask:
    result = np.zeros((size.height, size.width), dtype=np.float32)
    for mask in masks:
        result = np.maximum(result, mask)
    return result


def _whole(item: Detection, size: Size) -> Mask:
    return Face(item.box).area(size) if item.silhouette is None else _body(item, size)


def _body(item: Detection, size: Size, margin: tuple[float, float] = _WHOLE) -> Mask:
    """A finding's silhouette, or its box, softly ended."""
    result = np.zeros((size.height, size.width), dtype=np.float32)
    place = paste_region(size, item.box)
    if place is None:
        return result
    into, of_box = place
    shape = np.ones((item.box.height, item.box.width), dtype=np.float32)
    if item.silhouette is not None:
        shape = np.clip(resize(item.silhouette, item.box.size, "bilinear"), 0.0, 1.0)
    result[into] = shape[of_box]
    side = max(item.box.width, item.box.height)
    return feathered(result, round(margin[0] * side), margin[1] * side)


def _body_of(face: Detection, persons: Sequence[Detection], size: Size) -> Mask | None:
    """Where the person of a face is; None where no detector says so."""
    inside = Face(face.box).area(size) > 0.5
    bodies = [_body(item, size, _WITHIN) for item in persons if item.box.intersection(face.box) is not None]
    shares = [float(body[inside].mean()) if inside.any() else 0.0 for body in bodies]
    best = max(range(len(bodies)), key=lambda index: shares[index], default=None)
    return bodies[best] if best is not None and shares[best] >= _ON_BODY else None


def _counted(found: Sequence[Detection], noun: str) -> str:
    return f"1 {noun}" if len(found) == 1 else f"{len(found)} {noun}s"
