"""A picture that shows what a request is going to redraw."""

from __future__ import annotations

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, paste_region, size_of
from lib_finisher.redraw.patch import Request

_RED = np.array([1.0, 0.15, 0.1], dtype=np.float32)
_SHARE = 0.5


def marked(request: Request, before: Pixels | None = None) -> Pixels:
    """The request's picture, or `before` of the same size, with the patches' weights laid over it in red.

    Of several patches whose labels end with a number each has that number on it.
    """
    result = (request.picture if before is None or before.shape != request.picture.shape else before).copy()
    for patch in request.patches:
        region = paste_region(size_of(result), patch.box)
        if region is not None:
            weight = np.asarray(patch.weight() if patch.mask is None else np.minimum(patch.weight(), patch.mask))
            share = np.float32(_SHARE) * weight[region[1]][..., None]
            result[region[0]] += share * (_RED - result[region[0]])
            number = patch.label.rpartition(" ")[2]
            if len(request.patches) > 1 and number.isdecimal():
                _write(result, number, patch.box, weight)
    return result


def _write(pixels: Pixels, number: str, box: Box, weight: Mask) -> None:
    """The number in the middle of what changes, white with a dark edge, so that it is read on anything."""
    rows, columns = np.nonzero(weight >= 0.5)
    if not len(rows):
        return
    height = max(8, min(pixels.shape[:2]) // 20)
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, height)
    (width, _), _ = cv2.getTextSize(number, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    place = (round(box.left + columns.mean() - width / 2), round(box.top + rows.mean() + height / 2))
    for grey, thickness in ((0.0, 3), (1.0, 1)):
        colour = (grey, grey, grey)
        cv2.putText(pixels, number, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
