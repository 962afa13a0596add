"""MediaPipe's detectors: faces far and near, face meshes, eyes, hands.

They need the package `mediapipe`, 0.10.14 to 0.10.21, which is imported by the first detection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lib_finisher.detect.detection import Detector
from lib_finisher.detect.mediapipe_faces import Eyes, FaceFull, FaceMesh, FaceShort
from lib_finisher.detect.mediapipe_hands import Hands
from lib_finisher.detect.mediapipe_here import available

__all__ = ["MAKERS", "available"]

MAKERS: Mapping[str, Callable[[], Detector]] = {
    FaceFull.name: FaceFull,
    FaceShort.name: FaceShort,
    FaceMesh.name: FaceMesh,
    Eyes.name: Eyes,
    Hands.name: Hands,
}
"""The detectors by name. Each can be made where MediaPipe is missing, and says so when it is asked."""
