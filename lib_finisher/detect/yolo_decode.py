"""From a picture to a YOLO network's input, and from its raw output to detections: boxes, silhouettes, keypoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size, frame, size_of

Array = npt.NDArray[np.float32]

_GREY = 114
# The networks of before 2026 answer with thousands of rows; more candidates than this are never one picture's objects.
_MOST_CANDIDATES = 3000
# A silhouette is asked for at the network's own resolution at most: its masks are four times coarser than that.
_LARGEST_SILHOUETTE = 256


@dataclass(frozen=True)
class Layout:
    """What a network's output holds: the classes by number, and how many mask coefficients and keypoint numbers a row.

    `point_length` is the numbers of one keypoint: x, y and mostly how visible it is.
    """

    names: Mapping[int, str]
    masks: int = 0
    points: int = 0
    point_length: int = 3

    @property
    def extra(self) -> int:
        """Numbers of a row after its box and its classes."""
        return self.masks + self.points * self.point_length


class Network(Protocol):
    """A YOLO network that is loaded."""

    @property
    def layout(self) -> Layout:
        """What its output holds."""

    @property
    def side(self) -> int:
        """The long side, in pixels, at which it sees a picture at most."""

    @property
    def stride(self) -> int:
        """What the sides of its input are multiples of."""

    @property
    def fixed(self) -> Size | None:
        """The only size of input it takes, if there is but one."""

    def look_for(self, words: Sequence[str]) -> None:
        """Look for these words only, or for all that it knows where there are none; only YOLO-World minds.

        Raises DetectorError for a word that it does not know.
        """

    def run(self, canvas: Array) -> tuple[Array, Array | None]:
        """Its raw output and, where it segments, its mask prototypes, for an input of shape (1, 3, height, width)."""


@dataclass(frozen=True)
class Shown:
    """A picture as the network sees it: (1, 3, height, width) float, RGB, 0..1, with grey to the right and below.

    `content` is what of it is picture, and `across` and `down` its pixels to one of the picture's.
    """

    canvas: Array = field(repr=False)
    content: Size
    across: float
    down: float


def shown(picture: npt.NDArray[np.uint8], scale: float, fixed: Size | None, stride: int = 32) -> Shown:
    """The picture (height, width, 3; RGB) resized by `scale`, or less where it would not fit into `fixed`."""
    size = size_of(picture)
    if fixed is not None:
        scale = min(scale, fixed.width / size.width, fixed.height / size.height)
    content = size.scaled(scale)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = picture if content == size else cv2.resize(picture, (content.width, content.height), interpolation=way)
    whole = fixed or content.rounded_up(stride)
    canvas = np.full((1, 3, whole.height, whole.width), _GREY / 255, np.float32)
    canvas[0, :, : content.height, : content.width] = np.asarray(resized, np.float32).transpose(2, 0, 1) / 255
    return Shown(canvas, content, content.width / size.width, content.height / size.height)


def detections(
    raw: Array, prototypes: Array | None, layout: Layout, seen: Shown, picture: Size, confidence: float, overlap: float
) -> list[Detection]:
    """What a network's raw output says, in pixels of the picture, the most confident first.

    Of two of one class that overlap by more than `overlap` (intersection over union) the less confident is left out.
    Raises DetectorError where the output is not laid out as YOLOv5u to YOLO26 lay it out.
    """
    rows = _rows(raw, layout, confidence)
    rows = rows[np.isfinite(rows).all(axis=1)]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")][:_MOST_CANDIDATES]
    found = []
    masks = None if prototypes is None else _visible(prototypes, seen)
    for row in rows[_apart(rows, overlap)]:
        box = _box(row, seen, picture)
        if box is None:
            continue
        rest = row[6:]
        silhouette = None
        if masks is not None and layout.masks:
            silhouette = _silhouette(rest[: layout.masks], masks, box, seen)
        number = int(row[5])
        label = layout.names.get(number, str(number))
        found.append(Detection(box, float(row[4]), label, _points(rest, layout, seen), silhouette, number))
    return found


def _rows(raw: Array, layout: Layout, confidence: float) -> Array:
    """Rows of left, top, right, bottom, confidence, class and the rest, at least that sure."""
    classes, extra = len(layout.names), layout.extra
    if raw.ndim != 3 or raw.shape[0] != 1:
        raise DetectorError(f"an output of shape {raw.shape} is not YOLO's")
    if raw.shape[1] == 4 + classes + extra:
        table = raw[0].T
        scores = table[:, 4 : 4 + classes]
        number = scores.argmax(axis=1) if classes else np.zeros(len(table), int)
        sure = scores[np.arange(len(table)), number]
        chosen = np.flatnonzero(sure >= confidence)
        x, y, width, height = table[chosen, :4].T
        corners = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)
        rest = table[chosen, 4 + classes :]
        return np.concatenate([corners, sure[chosen, None], number[chosen, None], rest], axis=1).astype(np.float32)
    if raw.shape[2] == 6 + extra:
        return raw[0][raw[0][:, 4] >= confidence]
    raise DetectorError(f"an output of shape {raw.shape} does not fit {classes} classes")


def _apart(rows: Array, overlap: float) -> npt.NDArray[np.intp]:
    """The numbers of the rows that stay when doubles of one class go."""
    if not len(rows):
        return np.zeros(0, np.intp)
    # Each class in a place of its own, so that classes never meet.
    away = (rows[:, 5] * (np.abs(rows[:, :4]).max() * 2 + 1))[:, None]
    boxes = np.concatenate([rows[:, :2] + away, rows[:, 2:4] - rows[:, :2]], axis=1).astype(np.float64)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), rows[:, 4].tolist(), 0.0, overlap)
    return np.sort(np.asarray(kept, np.intp).reshape(-1))


def _box(row: Array, seen: Shown, picture: Size) -> Box | None:
    left, right = round(float(row[0]) / seen.across), round(float(row[2]) / seen.across)
    top, bottom = round(float(row[1]) / seen.down), round(float(row[3]) / seen.down)
    return Box(left, top, right, bottom).intersection(frame(picture)) if right > left and bottom > top else None


def _points(rest: Array, layout: Layout, seen: Shown) -> tuple[tuple[float, float], ...]:
    numbers = rest[layout.masks :].reshape(layout.points, layout.point_length) if layout.points else ()
    return tuple((float(point[0]) / seen.across, float(point[1]) / seen.down) for point in numbers)


@dataclass(frozen=True)
class _Masks:
    """Mask prototypes, (coefficients, height, width), without the padding, and the input's pixels to one of theirs."""

    values: Array
    across: float
    down: float


def _visible(prototypes: Array, seen: Shown) -> _Masks:
    planes = prototypes[0]
    down, across = seen.canvas.shape[2] / planes.shape[1], seen.canvas.shape[3] / planes.shape[2]
    height, width = -int(-seen.content.height // down), -int(-seen.content.width // across)
    return _Masks(np.ascontiguousarray(planes[:, :height, :width]), across, down)


def _silhouette(coefficients: Array, masks: _Masks, box: Box, seen: Shown) -> Mask:
    """The object's shape, 0..1, to be stretched over its box in the picture."""
    left, right = box.left * seen.across / masks.across, box.right * seen.across / masks.across
    top, bottom = box.top * seen.down / masks.down, box.bottom * seen.down / masks.down
    width = min(_LARGEST_SILHOUETTE, max(1, round((right - left) * masks.across)))
    height = min(_LARGEST_SILHOUETTE, max(1, round((bottom - top) * masks.down)))
    # The first prototypes that matter to this box, so that a picture full of objects costs no more than its area.
    x0, y0 = max(0, int(left) - 1), max(0, int(top) - 1)
    part = masks.values[:, y0 : int(bottom) + 2, x0 : int(right) + 2]
    plane = np.tensordot(coefficients, part, axes=1).astype(np.float32)
    # Middles of the silhouette's pixels, in the plane's pixels, whose own middles lie half a pixel further on.
    x = left + (np.arange(width, dtype=np.float32) + 0.5) * (right - left) / width - 0.5 - x0
    y = top + (np.arange(height, dtype=np.float32) + 0.5) * (bottom - top) / height - 0.5 - y0
    across, down = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    logits: Any = cv2.remap(plane, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return (1 / (1 + np.exp(-np.clip(logits, -60, 60)))).astype(np.float32)
