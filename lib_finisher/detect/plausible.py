"""Whether the five landmarks of a face lie as those of a face can."""

from __future__ import annotations

import math

from lib_finisher.detect.detection import Detection

_POINTS = 5
# In shares of the box's longer side, with the face upright: by how much a landmark may lie outside the box, how far
# apart the eyes are, how far below them the mouth is, and where between the two the nose is. Faces in half profile
# and tilted ones are within; the bounds lie beyond all faces that were measured (see bench/faceless.py).
_OUTSIDE = 0.05
_EYES = (0.05, 0.65)
_MOUTH_BELOW = (0.2, 0.52)
_NOSE = (0.25, 0.95)
# The box's width as a share of its height.
_ASPECT = (0.5, 1.6)


def plausible(found: Detection) -> bool:
    """Whether a finding may be a face by its shape; always where the detector tells no five landmarks."""
    if len(found.landmarks) != _POINTS:
        return True
    # Eyes that lie on the mouth are no face's.
    if found.roll is None:
        return False
    box = found.box
    if not _ASPECT[0] <= box.width / box.height <= _ASPECT[1]:
        return False
    longest, angle = max(box.width, box.height), math.radians(found.roll)
    out = (
        max(abs(x - box.centre[0]) - box.width / 2 for x, _ in found.landmarks),
        max(abs(y - box.centre[1]) - box.height / 2 for _, y in found.landmarks),
    )
    if max(out) > _OUTSIDE * longest:
        return False
    # Turned upright about the box's middle: x to the right, y downwards.
    upright = [
        (
            (x * math.cos(angle) + y * math.sin(angle)) / longest,
            (y * math.cos(angle) - x * math.sin(angle)) / longest,
        )
        for x, y in found.landmarks
    ]
    (right_x, right_y), (left_x, left_y), (_, nose_y), (_, a), (_, b) = upright
    eyes_y = (right_y + left_y) / 2
    below = (a + b) / 2 - eyes_y
    return (
        _EYES[0] <= left_x - right_x <= _EYES[1]
        and _MOUTH_BELOW[0] <= below <= _MOUTH_BELOW[1]
        and _NOSE[0] <= (nose_y - eyes_y) / below <= _NOSE[1]
    )
