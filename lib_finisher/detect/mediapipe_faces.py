"""MediaPipe's faces, the meshes that it fits to them, and their eyes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.detect.detection import Detection, merged
from lib_finisher.detect.mediapipe_package import (
    IN_A_WINDOW,
    Graph,
    MediaPipeDetector,
    Picture,
    module,
    reduced,
    searched,
)
from lib_finisher.detect.outline import Points, box_around, silhouette
from lib_finisher.detect.search import Search
from lib_finisher.detect.turned import DOUBTED, TRUSTED, look_again
from lib_finisher.imaging.geometry import Box

_FULL = "modules/face_detection/face_detection_full_range_sparse.tflite"
_SHORT = "modules/face_detection/face_detection_short_range.tflite"
_MESH = "modules/face_landmark/face_landmark.tflite"

# What a mesh is fitted to: a square with the face upright in its middle, and so large in it.
_MESH_SIDE, _MESH_SHOWN = 384, 160
_SAME_FACE = 0.3
# By how much the outline of an eye is grown for lids and lashes, in shares of its longer side.
_EYE_MARGIN = 0.25
_NOSE, _RIGHT_MOUTH, _LEFT_MOUTH = 1, 61, 291


class FaceFull(MediaPipeDetector):
    """Faces by the network for the far range, which reports none of which it is less than 0.6 sure.

    The five landmarks are in YuNet's order; both corners of the mouth are its middle, which is all that it tells.
    """

    name = "mediapipe_face_full"
    files = (_FULL,)
    _range = 1

    def __init__(self) -> None:
        self._faces = Graph(
            lambda: module("python.solutions.face_detection").FaceDetection(model_selection=self._range)
        )
        super().__init__(self._faces)

    def find(self, picture: Picture, confidence: float, search: Search) -> list[Detection]:
        """See `MediaPipeDetector.find`."""
        least = min(confidence, DOUBTED) if search.turned else confidence
        window = partial(self._look, confidence=max(least, IN_A_WINDOW))
        found = searched(partial(self._look, confidence=least), window, picture, search, self.side)
        found = merged(found, middles=True, overlap=search.overlap)
        if not search.turned:
            return found
        doubted = [one for one in found if DOUBTED <= one.confidence < TRUSTED and not _near_a_sure_one(one, found)]
        turned = dict(look_again(partial(self._look, confidence=least), picture, doubted, confidence))
        return [turned.get(item, item) for item in found if item.confidence >= confidence or item in turned]

    def _look(self, part: npt.NDArray[Any], confidence: float, scale: float = 1.0) -> list[Detection]:
        answer = self._faces.run(reduced(part, scale))
        found = [_face(item, part.shape[1], part.shape[0]) for item in answer.detections or ()]
        return [item for item in found if item is not None and item.confidence >= confidence]


class FaceShort(FaceFull):
    """Faces by the network for the near range, which reports none of which it is less than 0.5 sure."""

    name = "mediapipe_face_short"
    files = (_SHORT,)
    side = 128
    _range = 0


class FaceMesh(MediaPipeDetector):
    """Faces with their outline as silhouette, and five landmarks.

    They are found by both networks, and a mesh is fitted to each, upright and large enough. A face to which none fits
    is left out. The confidence is that of the finding.
    """

    name = "mediapipe_face_mesh"
    files = (_FULL, _SHORT, _MESH)

    def __init__(self) -> None:
        self._finders = FaceFull(), FaceShort()
        self._mesh = Graph(_mesh_made)
        super().__init__(self._mesh, *(graph for finder in self._finders for graph in finder.graphs))

    def find(self, picture: Picture, confidence: float, search: Search) -> list[Detection]:
        """See `MediaPipeDetector.find`."""
        found = [item for finder in self._finders for item in finder.find(picture, confidence, search)]
        faces = merged(found, middles=True, overlap=search.overlap)
        meshes = [(face, self._fitted(picture, face)) for face in faces]
        return [self._outlined(face, mesh) for face, mesh in meshes if mesh is not None]

    def _fitted(self, picture: Picture, face: Detection) -> Points | None:
        """The 468 points of the mesh of a face, or None where none fits."""
        shown, back = _upright(picture, face)
        best: tuple[float, Points] | None = None
        for item in self._mesh.run(shown).multi_face_landmarks or ():
            inside = np.array([(point.x * _MESH_SIDE, point.y * _MESH_SIDE, 1.0) for point in item.landmark])
            points = inside @ back.T
            likeness = box_around(points, 0).overlap_ratio(face.box)
            if likeness >= _SAME_FACE and (best is None or likeness > best[0]):
                best = likeness, points
        return None if best is None else best[1]

    def _outlined(self, face: Detection, mesh: Points) -> Detection:
        box = box_around(mesh, 0)
        # All points, not the face's oval: of a face from the side the nose stands out of that.
        return Detection(box, face.confidence, "face", _five(mesh), silhouette([mesh], box, 0))


class Eyes(FaceMesh):
    """Both eyes of each face as one finding, so that they are redrawn together and look the same way.

    The silhouette is the two eyes with their lids, and the landmarks are the five of the face.
    """

    name = "mediapipe_face_mesh_eyes_only"

    def _outlined(self, face: Detection, mesh: Points) -> Detection:
        eyes = [mesh[_eye("RIGHT")], mesh[_eye("LEFT")]]
        margin = _EYE_MARGIN * max(float(np.ptp(eye, axis=0).max()) for eye in eyes)
        box = box_around(np.concatenate(eyes), margin)
        return Detection(box, face.confidence, "eyes", _five(mesh), silhouette(eyes, box, margin))


def _face(item: Any, width: int, height: int) -> Detection | None:
    place = item.location_data.relative_bounding_box
    left, top = round(place.xmin * width), round(place.ymin * height)
    right, bottom = round((place.xmin + place.width) * width), round((place.ymin + place.height) * height)
    if right <= left or bottom <= top:
        return None
    right_eye, left_eye, nose, mouth = [
        (float(point.x * width), float(point.y * height)) for point in item.location_data.relative_keypoints[:4]
    ]
    return Detection(Box(left, top, right, bottom), item.score[0], "face", (right_eye, left_eye, nose, mouth, mouth))


def _near_a_sure_one(item: Detection, found: Sequence[Detection]) -> bool:
    return any(sure.confidence >= TRUSTED and sure.box.intersection(item.box) is not None for sure in found)


def _mesh_made() -> Any:
    solution = module("python.solutions.face_mesh")
    return solution.FaceMesh(static_image_mode=True, max_num_faces=3, min_detection_confidence=0.3)


def _upright(picture: Picture, face: Detection) -> tuple[Picture, npt.NDArray[np.float64]]:
    """A square with a face upright in its middle, and the 2 x 3 matrix of its pixels' places in the picture."""
    scale = _MESH_SHOWN / max(face.box.width, face.box.height)
    # Reduced by averaging first, for the turning only looks at the nearest pixels.
    first = min(1.0, 2 * scale)
    source = reduced(picture, first)
    across, down = source.shape[1] / picture.shape[1], source.shape[0] / picture.shape[0]
    centre = face.box.centre[0] * across, face.box.centre[1] * down
    matrix: npt.NDArray[np.float64] = np.array(cv2.getRotationMatrix2D(centre, face.roll or 0.0, scale / first))
    matrix[:, 2] += np.array([_MESH_SIDE / 2 - centre[0], _MESH_SIDE / 2 - centre[1]])
    shown = cv2.warpAffine(source, matrix, (_MESH_SIDE, _MESH_SIDE), flags=cv2.INTER_LINEAR)
    back = np.asarray(cv2.invertAffineTransform(matrix)) / np.array([[across], [down]])
    return np.asarray(shown, dtype=np.uint8), back


def _five(mesh: Points) -> tuple[tuple[float, float], ...]:
    """Right eye, left eye, nose, right and left corner of the mouth."""
    points = (
        mesh[_eye("RIGHT")].mean(axis=0),
        mesh[_eye("LEFT")].mean(axis=0),
        *mesh[[_NOSE, _RIGHT_MOUTH, _LEFT_MOUTH]],
    )
    return tuple((float(x), float(y)) for x, y in points)


def _eye(side: str) -> list[int]:
    """Which points of a mesh go around an eye."""
    edges = getattr(module("python.solutions.face_mesh_connections"), f"FACEMESH_{side}_EYE")
    return sorted({point for edge in edges for point in edge})
