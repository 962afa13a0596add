"""How far a picture is extended: the box it grows to, to the pixel, and the passes that take it there."""

from __future__ import annotations

import numpy as np

from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Box, Size, frame
from lib_finisher.imaging.limits import MOST_SIDE
from lib_finisher.imaging.masks import rounded_box
from lib_finisher.stages.extend_settings import BOTTOM, LEFT, RIGHT, TOP


def grown_to(box: Box, aspect: float | None, anchor: str) -> Box:
    """`box` with pixels added on two sides until its width over height is `aspect`, to the nearest pixel.

    `anchor` says on which side of the result it stays; nothing is ever cut off.
    """
    if aspect is None:
        return box
    across = max(0, round(box.height * aspect) - box.width) if box.width < box.height * aspect else 0
    down = max(0, round(box.width / aspect) - box.height) if box.width > box.height * aspect else 0
    left = {LEFT: 0, RIGHT: across}.get(anchor, across // 2)
    top = {TOP: 0, BOTTOM: down}.get(anchor, down // 2)
    return Box(box.left - left, box.top - top, box.right + across - left, box.bottom + down - top)


def checked(box: Box) -> Box:
    """`box` if a picture may be as large. Raises HostError."""
    if max(box.width, box.height) > MOST_SIDE:
        raise HostError(
            f"The extended picture would be {box.size}; at most {MOST_SIDE} pixels a side are supported. Add less."
        )
    return box


def pass_boxes(size: Size, box: Box, most: float, native_side: int) -> list[Box]:
    """The boxes, in pixels of the picture of `size`, that it grows to pass by pass; the last one is `box`.

    A pass adds at most the share `most` to the sides of the picture as it is by then, both sides' shares together, and
    at most that share of the model's native side at any corner: so of the whole, and of each tile, no more than that
    share is new. The passes grow with the picture, and no sliver is left for the last one.
    """
    if box == frame(size):
        return []
    left, top, right, bottom = -box.left, -box.top, box.right - size.width, box.bottom - size.height
    corner = (max(left, right) + max(top, bottom)) / native_side
    ends = [0.0]
    while ends[-1] < 1.0:
        width, height = size.width + ends[-1] * (left + right), size.height + ends[-1] * (top + bottom)
        ends.append(ends[-1] + most / max((left + right) / width + (top + bottom) / height, corner))
    shares = [end / ends[-1] for end in ends[1:-1]]
    boxes = [
        Box(-round(left * at), -round(top * at), size.width + round(right * at), size.height + round(bottom * at))
        for at in shares
    ]
    return [one for one in dict.fromkeys([*boxes, box]) if one != frame(size)]


def border(size: Size, box: Box, overlap: int, feather: int) -> Mask:
    """Where the picture that grows from `size` to `box` is redrawn, as an array of `box`.

    1 in what is new and `overlap` pixels into the old picture, falling to 0 over `feather` more; sides that do not
    grow have no border.
    """
    sides = (-box.left, -box.top, box.right - size.width, box.bottom - size.height)
    reach = overlap + feather
    left, top, right, bottom = (side + reach if side else -reach - 1 for side in sides)
    old = rounded_box(box.height, box.width, (left, top, right, bottom), feather)
    return np.asarray(1.0 - old, dtype=np.float32)
