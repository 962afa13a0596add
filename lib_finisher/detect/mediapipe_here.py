"""Whether and where MediaPipe is installed; nothing of it is imported for that."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_PACKAGE = "mediapipe"
_ANY_MODEL = "modules/face_detection/face_detection_short_range.tflite"
ANY_SOLUTION = "python/solution_base.py"


def available() -> bool:
    """Whether MediaPipe is installed in a version that carries its models. Imports nothing of it."""
    folder = package_folder()
    return folder is not None and (folder / _ANY_MODEL).is_file() and (folder / ANY_SOLUTION).is_file()


def package_folder() -> Path | None:
    """Where the package lies; None where there is none."""
    try:
        found = importlib.util.find_spec(_PACKAGE)
    except (ImportError, ValueError):
        return None
    return Path(found.origin).parent if found is not None and found.origin else None
