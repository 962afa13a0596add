"""Transparency: what is hidden under it must not be seen, whatever a model, a filter or a resize does nearby."""

from __future__ import annotations

import cv2
import numpy as np

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.fill import spread
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize

# Forge hides its infotext in the last bit of an opaque picture's transparency.
_OPAQUE = 253.5 / 255.0
# The colour of what is hardly there is often made up by the program that wrote the file.
_HIDDEN = 8.0 / 255.0


def transparent(alpha: Mask | None) -> Mask | None:
    """A transparency (height, width; 0..1) as it is, None where nothing of the picture is transparent."""
    return None if alpha is None or float(alpha.min()) >= _OPAQUE else alpha


def bled(pixels: Pixels, alpha: Mask) -> Pixels:
    """A picture whose seen colours go on under what its `alpha` hides, so that no hidden colour comes back.

    What is seen stays bit for bit. The colours of pixels that are half there count half.
    """
    hidden = alpha < np.float32(_HIDDEN)
    if not hidden.any() or hidden.all():
        return pixels
    return spread(pixels, np.where(hidden, np.float32(0.0), alpha))


def enlarged_by(made: Pixels, alpha: Mask) -> Mask:
    """The transparency (height, width) of an enlarged picture: `made` is `alpha`, three times as channels, as the
    picture was enlarged. What was opaque or hidden all around stays so: no ringing, no veil."""
    window = np.ones((3, 3), dtype=np.uint8)
    size = Size(made.shape[1], made.shape[0])
    least = resize(np.asarray(cv2.erode(alpha, window, borderType=cv2.BORDER_REPLICATE)), size, "bilinear")
    most = resize(np.asarray(cv2.dilate(alpha, window, borderType=cv2.BORDER_REPLICATE)), size, "bilinear")
    return np.clip(made.mean(axis=-1), np.clip(least, 0.0, 1.0), np.clip(most, 0.0, 1.0), dtype=np.float32)
