"""What a picture marks when it is given as a mask: painters and programs write masks in several forms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels

_OPAQUE = 0.5
# So dark and so bright are the two ends of a mask that has its black as well as its white.
_DARK, _BRIGHT = 0.1, 0.9
# So much of it has each of them at least.
_SOME = 0.01
# Paint has a few colours (of 16 levels a channel) on nearly all that it covers; a photograph has more.
_PAINTS, _COVERED, _LEVELS = 8, 0.9, 16


def marked_by(pixels: Pixels, alpha: Mask | None) -> Mask:
    """Where a picture (height, width, 3; 0..1) with its alpha (height, width; 0..1), if any, marks, 0..1.

    Without transparency brightness marks, and a strong colour does as white does. With it: black and white together
    mark by brightness where they are opaque; paint of a few colours marks wherever it is; and of a picture that has
    holes the holes are marked, for that is how an eraser leaves it.
    """
    bright = pixels.max(axis=-1)
    if alpha is None or bool((alpha >= 1).all()):
        return np.asarray(bright, dtype=np.float32)
    opaque = alpha > _OPAQUE
    if not opaque.any():
        return np.asarray(alpha, dtype=np.float32)
    shown = pixels[opaque]
    if _has_both_ends(shown):
        return np.asarray(bright * alpha, dtype=np.float32)
    return np.asarray(alpha if _is_paint(shown) else 1.0 - alpha, dtype=np.float32)


def _has_both_ends(colours: npt.NDArray[np.float32]) -> bool:
    """Whether nearly all colours (number, 3) are black or white, and there are both."""
    dark, bright = (colours.max(axis=-1) < _DARK).mean(), (colours.min(axis=-1) > _BRIGHT).mean()
    return bool(min(dark, bright) >= _SOME and dark + bright >= _COVERED)


def _is_paint(colours: npt.NDArray[np.float32]) -> bool:
    steps = np.clip((colours * _LEVELS).astype(np.int64), 0, _LEVELS - 1)
    counts = np.bincount(steps @ np.array([1, _LEVELS, _LEVELS**2]))
    return bool(np.sort(counts)[-_PAINTS:].sum() >= _COVERED * len(colours))
