"""How thoroughly a picture is searched."""

from __future__ import annotations

from dataclasses import dataclass

OWN = 0.0
"""The confidence that stands for each detector's own."""


@dataclass(frozen=True)
class Search:
    """How thoroughly a detector looks.

    `smallest` is the side in pixels of the smallest object wanted, at least 1. With `sliced`, a picture in which the
    detector would not see such an object when it sees the whole is also searched in windows: see `windows.levels`.
    With `turned`, what the detector is unsure of is looked at again turned about its middle: faces that lie on their
    side, stand on their head or are tilted by more than about 40 degrees. `classes` is what a detector that takes words
    (YOLO-World) looks for; the others ignore it. Two findings of one kind that overlap by more than `overlap`
    (intersection over union, 0..1) are one. Raises ValueError for a `smallest` below 1.
    """

    smallest: int = 20
    sliced: bool = True
    turned: bool = False
    classes: tuple[str, ...] = ()
    overlap: float = 0.45

    def __post_init__(self) -> None:
        if self.smallest < 1:
            raise ValueError(f"The smallest object wanted has at least 1 pixel, not {self.smallest}.")

    @property
    def identity(self) -> str:
        """Changes with every setting."""
        how = f"{'sliced' if self.sliced else 'whole'}/{'turned' if self.turned else 'upright'}"
        return f"{self.smallest}/{how}/{self.overlap:g}/{','.join(self.classes)}"


ORDINARY = Search()
