"""MediaPipe's hands."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from lib_finisher.detect.detection import Detection
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
from lib_finisher.imaging.geometry import Box

_PALM, _HAND = "modules/palm_detection/palm_detection_full.tflite", "modules/hand_landmark/hand_landmark_full.tflite"

# How sure of a palm the graph for whole pictures must be, and of its 21 points those for whole pictures and windows.
_LEAST, _POINTS, _POINTS_IN_A_WINDOW = 0.1, 0.5, 0.8
# By how much the outline is grown, for the points lie inside the flesh, in shares of its longer side.
_MARGIN = 0.08
_MOST = 10


class Hands(MediaPipeDetector):
    """Hands, "left hand" or "right hand", with 21 landmarks from the wrist on, and their outline as silhouette.

    The confidence is that of the palm; a palm to which no landmarks fit is left out. None below 0.1 is reported.
    """

    name = "mediapipe_hands"
    files = (_PALM, _HAND)

    def __init__(self) -> None:
        self._whole = Graph(lambda: _made(_LEAST, _POINTS))
        self._window = Graph(lambda: _made(IN_A_WINDOW, _POINTS_IN_A_WINDOW))
        super().__init__(self._whole, self._window)

    def find(self, picture: Picture, confidence: float, search: Search) -> list[Detection]:
        """See `MediaPipeDetector.find`."""
        whole, window = (partial(_look, graph, confidence) for graph in (self._whole, self._window))
        return searched(whole, window, picture, search, self.side)


def _look(graph: Graph, confidence: float, part: npt.NDArray[Any], scale: float) -> list[Detection]:
    # Landmarks are read from the same picture as palms, and are better at twice what palms are found at.
    answer = graph.run(reduced(part, min(1.0, 2 * scale)))
    size = np.array([part.shape[1], part.shape[0]])
    palms = [_palm(item, size) for item in answer.palm_detections or ()]
    found = []
    for marks, side in zip(answer.multi_hand_landmarks or (), answer.multi_handedness or ()):
        points = np.array([(point.x, point.y) for point in marks.landmark]) * size
        box = box_around(points, 0)
        sure = max((score for place, score in palms if _holds(box, place)), default=0.0)
        if sure >= confidence:
            found.append(_hand(points, sure, str(side.classification[0].label)))
    return found


def _made(palm: float, points: float) -> Any:
    # As `solutions.hands.Hands`, which keeps to itself how sure it is of each palm.
    module("python.solutions.hands")
    return module("python.solution_base").SolutionBase(
        binary_graph_path="mediapipe/modules/hand_landmark/hand_landmark_tracking_cpu.binarypb",
        side_inputs={"model_complexity": 1, "num_hands": _MOST, "use_prev_landmarks": False},
        calculator_params={
            "palmdetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": palm,
            "handlandmarkcpu__ThresholdingCalculator.threshold": points,
        },
        outputs=["multi_hand_landmarks", "multi_handedness", "palm_detections"],
    )


def _palm(item: Any, size: npt.NDArray[Any]) -> tuple[Points, float]:
    """The middle of a palm in pixels, and how sure the network is of it."""
    place = item.location_data.relative_bounding_box
    return np.array([place.xmin + place.width / 2, place.ymin + place.height / 2]) * size, float(item.score[0])


def _holds(box: Box, place: Points) -> bool:
    return bool(box.left <= place[0] < box.right and box.top <= place[1] < box.bottom)


def _hand(points: Points, confidence: float, side: str) -> Detection:
    margin = _MARGIN * float(np.ptp(points, axis=0).max())
    box = box_around(points, margin)
    # MediaPipe means a mirror's picture: in others its left is the right.
    label = {"Left": "right hand", "Right": "left hand"}.get(side, "hand")
    marks = tuple((float(x), float(y)) for x, y in points)
    return Detection(box, confidence, label, marks, silhouette([points], box, margin))
