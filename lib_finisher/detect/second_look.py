"""A second look at a finding: alone, upright, at sizes that networks know well, and in a mirror.

A face is a face at any of them. Clutter that looked like one is not, once it is larger, smaller or the other way round.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.windows import Look

# Sides in pixels: of the finding, and of the square in whose middle it is shown.
_SHOWN = ((80, 192), (128, 256), (48, 128))
# Faces are taken for upright ones now and then that lie on their side, stand on their head or are tilted further.
_TURNS = (180, 90, -90, 25, -25)
# As sure as this of a turn, and the others are not tried; less sure than that of all, and it is no face.
_ENOUGH, _WORTH = 0.85, 0.5
# How far from the middle another finding may lie and still be this one, in shares of its side, and how much larger.
_OFF, _LARGER = 0.4, 2.0


def second_look(look: Look, picture: npt.NDArray[np.uint8], found: Detection, turn: int = 0) -> float:
    """How sure `look` is of a finding (0..1) when it is shown the finding apart from the rest of the picture.

    The picture has shape (height, width, 3); the finding is shown upright and turned by `turn` degrees from there. It
    is the mean of six looks at 256 x 256 pixels or less: at three sizes, and at each at the finding and at its mirror
    image.
    """
    return sum(sum(_both(look, picture, found, turn, *shown)) for shown in _SHOWN) / (2 * len(_SHOWN))


def turned_look(look: Look, picture: npt.NDArray[np.uint8], found: Detection) -> float:
    """The same, turned by 180, 90 or 25 degrees to either side of what it seems to be: as it looks the surest."""
    best, best_turn = 0.0, 0
    for turn in _TURNS:
        seen = min(_both(look, picture, found, turn, *_SHOWN[0]))
        if seen > best:
            best, best_turn = seen, turn
        if best >= _ENOUGH:
            break
    return second_look(look, picture, found, best_turn) if best >= _WORTH else 0.0


def _both(
    look: Look, picture: npt.NDArray[np.uint8], found: Detection, turn: int, side: int, canvas: int
) -> tuple[float, float]:
    shown = _apart(picture, found, turn, side, canvas)
    return _seen(look, shown, found, side), _seen(look, shown[:, ::-1], found, side)


def _apart(picture: npt.NDArray[np.uint8], found: Detection, turn: int, side: int, canvas: int) -> npt.NDArray[Any]:
    """The finding upright in the middle of a square, its longer side `side` pixels long, and turned from there."""
    longest = max(found.box.width, found.box.height)
    scale = side / longest
    reach = math.ceil(canvas / scale / math.sqrt(2)) + 2
    x, y = found.box.centre
    left, top = max(0, math.floor(x) - reach), max(0, math.floor(y) - reach)
    part = np.ascontiguousarray(picture[top : math.ceil(y) + reach, left : math.ceil(x) + reach])
    # Reduced by averaging first, for the turning only looks at the nearest pixels.
    first = min(1.0, 2 * scale)
    width, height = max(1, round(part.shape[1] * first)), max(1, round(part.shape[0] * first))
    reduced = part if first == 1 else cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    across, down = reduced.shape[1] / part.shape[1], reduced.shape[0] / part.shape[0]
    middle = (x - left) * across, (y - top) * down
    matrix = np.array(cv2.getRotationMatrix2D(middle, (found.roll or 0.0) + turn, scale / first))
    matrix[:, 2] += np.array([canvas / 2 - middle[0], canvas / 2 - middle[1]])
    return np.asarray(
        cv2.warpAffine(reduced, matrix, (canvas, canvas), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _seen(look: Look, shown: npt.NDArray[Any], found: Detection, side: int) -> float:
    middle = shown.shape[0] / 2
    return max(
        (
            item.confidence
            for item in look(np.ascontiguousarray(shown))
            if item.kind == found.kind
            and math.hypot(item.box.centre[0] - middle, item.box.centre[1] - middle) <= _OFF * side
            and 1 / _LARGER <= max(item.box.width, item.box.height) / side <= _LARGER
        ),
        default=0.0,
    )
