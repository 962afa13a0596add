"""Keeping a redraw inside a mask that the user drew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import cut, size_of
from lib_finisher.imaging.masks import mixed_in
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.strips import in_strips
from lib_finisher.redraw.patch import Patch, Request

_ROWS = 64


def limited(request: Request, limit: Mask) -> Request:
    """The request with patches that change nothing outside `limit`; those that lie outside altogether are left out.

    `limit` is (height, width), 0..1, of any size; it is stretched to the request's picture.
    """
    at_size = fitted(limit, request.picture)
    patches = tuple(_limited(patch, at_size) for patch in request.patches)
    return replace(request, patches=tuple(patch for patch in patches if patch is not None))


def within(before: Pixels, after: Pixels, limit: Mask, own: bool = False) -> Pixels:
    """`after` where `limit` is 1, `before` bit for bit where it is 0; both pictures have one size.

    In place where `after` is the caller's `own` and nobody else's.
    """
    if after is before:
        return after
    result = after if own and after.flags.writeable else np.empty_like(after)
    weight = fitted(limit, after)
    for top, bottom in in_strips(len(after), _ROWS):
        result[top:bottom] = mixed_in(before[top:bottom], after[top:bottom], weight[top:bottom])
    return result


def fitted(mask: Mask, picture: Pixels) -> Mask:
    """The mask at the picture's size."""
    return np.asarray(np.clip(resize(mask, size_of(picture), "bilinear"), 0.0, 1.0), dtype=np.float32)


def _limited(patch: Patch, limit: Mask) -> Patch | None:
    part = cut(limit, patch.box)
    if not bool((part > 0).any()):
        return None
    return replace(patch, mask=part if patch.mask is None else np.minimum(patch.mask, part))
