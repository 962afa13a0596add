"""A picture that shows what a request is going to redraw."""

from __future__ import annotations

import numpy as np

from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import paste_region, size_of
from lib_finisher.redraw.patch import Request

_RED = np.array([1.0, 0.15, 0.1], dtype=np.float32)
_SHARE = 0.5


def marked(request: Request, before: Pixels | None = None) -> Pixels:
    """The request's picture, or `before` of the same size, with the patches' weights laid over it in red."""
    result = (request.picture if before is None or before.shape != request.picture.shape else before).copy()
    for patch in request.patches:
        region = paste_region(size_of(result), patch.box)
        if region is not None:
            weight = np.asarray(patch.weight() if patch.mask is None else np.minimum(patch.weight(), patch.mask))
            share = np.float32(_SHARE) * weight[region[1]][..., None]
            result[region[0]] += share * (_RED - result[region[0]])
    return result
