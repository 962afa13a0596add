"""Sizes and boxes, and cutting a box out of a picture even where it hangs over the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, order=True)
class Size:
    """Width and height in pixels, both at least 1."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"A size needs at least 1 × 1 pixels, not {self.width} × {self.height}.")

    @property
    def area(self) -> int:
        """Pixels in all."""
        return self.width * self.height

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.area / 1e6

    def scaled(self, factor: float) -> Size:
        """The size times `factor`, each side rounded to the nearest pixel, never below 1."""
        return Size(max(1, round(self.width * factor)), max(1, round(self.height * factor)))

    def rounded_up(self, multiple: int) -> Size:
        """The smallest size not smaller than this whose sides are multiples of `multiple`."""
        return Size(round_up(self.width, multiple), round_up(self.height, multiple))

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"


@dataclass(frozen=True, order=True)
class Box:
    """A half-open rectangle of pixels: x from `left` to `right` - 1, y from `top` to `bottom` - 1.

    It may reach beyond the picture: `cut` mirrors the picture there and `paste_region` leaves that part out.
    """

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if self.right <= self.left or self.bottom <= self.top:
            raise ValueError(f"A box must not be empty: {self.left},{self.top} to {self.right},{self.bottom}.")

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def size(self) -> Size:
        """Width and height together."""
        return Size(self.width, self.height)

    @property
    def area(self) -> int:
        """Pixels inside."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """The middle as (x, y), in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        return self.left <= x < self.right and self.top <= y < self.bottom

    def intersection(self, other: Box) -> Box | None:
        """The shared rectangle, or None where the two do not touch."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Box(left, top, right, bottom) if left < right and top < bottom else None

    def overlap_ratio(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        shared = self.intersection(other)
        return shared.area / (self.area + other.area - shared.area) if shared else 0.0

    def contained_ratio(self, other: Box) -> float:
        """The share of the smaller box that lies inside the other, 0..1."""
        shared = self.intersection(other)
        return shared.area / min(self.area, other.area) if shared else 0.0

    def grown(self, pixels: int) -> Box:
        """The box with `pixels` more on every side."""
        return Box(self.left - pixels, self.top - pixels, self.right + pixels, self.bottom + pixels)

    def moved(self, right: int, down: int) -> Box:
        """The box shifted by whole pixels."""
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)

    def scaled(self, factor: float) -> Box:
        """The same region of the picture enlarged by `factor`, never less than a pixel."""
        left, top = round(self.left * factor), round(self.top * factor)
        right, bottom = round(self.right * factor), round(self.bottom * factor)
        return Box(left, top, max(left + 1, right), max(top + 1, bottom))

    def resized(self, size: Size) -> Box:
        """A box of `size` about the same middle."""
        left = round(self.centre[0] - size.width / 2)
        top = round(self.centre[1] - size.height / 2)
        return Box(left, top, left + size.width, top + size.height)

    def shifted_inside(self, picture: Size) -> Box:
        """Moved, not shrunk, so that as much of it as possible lies inside `picture`; centred where it is larger."""
        left = _shift_axis(self.left, self.width, picture.width)
        top = _shift_axis(self.top, self.height, picture.height)
        return Box(left, top, left + self.width, top + self.height)

    def __str__(self) -> str:
        return f"{self.width}×{self.height} at {self.left},{self.top}"


def frame(size: Size) -> Box:
    """The box of a whole picture."""
    return Box(0, 0, size.width, size.height)


def size_of(pixels: npt.NDArray[Any]) -> Size:
    """The size of an array whose first two axes are height and width."""
    return Size(int(pixels.shape[1]), int(pixels.shape[0]))


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is not below `value`."""
    return -(-value // multiple) * multiple


def round_to(value: float, multiple: int) -> int:
    """The nearest multiple of `multiple`, at least one of it."""
    return max(multiple, round(value / multiple) * multiple)


def cut(pixels: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    """A copy of `box` out of an array (height, width, ...); mirrored where the box leaves the picture."""
    part = look(pixels, box)
    return part.copy() if part.base is not None else part


def look(pixels: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    """Like `cut`, for reading only: a view of the array itself where the box lies inside."""
    if box.intersection(frame(size_of(pixels))) == box:
        return pixels[box.top : box.bottom, box.left : box.right]
    rows = _mirrored(np.arange(box.top, box.bottom), pixels.shape[0])
    columns = _mirrored(np.arange(box.left, box.right), pixels.shape[1])
    return np.asarray(pixels[rows[:, None], columns[None, :]])


def paste_region(picture: Size, box: Box) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Where `box` lands: (slices into the picture, slices into an array of the box), or None outside."""
    inside = box.intersection(frame(picture))
    if inside is None:
        return None
    into_picture = (slice(inside.top, inside.bottom), slice(inside.left, inside.right))
    into_box = (
        slice(inside.top - box.top, inside.bottom - box.top),
        slice(inside.left - box.left, inside.right - box.left),
    )
    return into_picture, into_box


def _shift_axis(start: int, length: int, limit: int) -> int:
    if length >= limit:
        return -((length - limit) // 2)
    return min(max(start, 0), limit - length)


def _mirrored(positions: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """Positions folded back into 0..length-1 as a mirror does, the edge pixel not repeated."""
    if length == 1:
        return np.zeros_like(positions)
    period = 2 * (length - 1)
    folded = np.mod(positions, period)
    return np.where(folded < length, folded, period - folded)
