"""How thoroughly a picture is searched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Search:
    """How thoroughly a detector looks.

    `smallest` is the side in pixels of the smallest object wanted, at least 1. With `sliced`, a picture in which the
    detector would not see such an object when it sees the whole is also searched in windows: see `windows.levels`.
    With `turned`, what the detector is unsure of is looked at again turned about its middle: faces that lie on their
    side, stand on their head or are tilted by more than about 40 degrees. Raises ValueError for a `smallest` below 1.
    """

    smallest: int = 20
    sliced: bool = True
    turned: bool = False

    def __post_init__(self) -> None:
        if self.smallest < 1:
            raise ValueError(f"The smallest object wanted has at least 1 pixel, not {self.smallest}.")

    @property
    def identity(self) -> str:
        """Changes with every setting."""
        return f"{self.smallest}/{'sliced' if self.sliced else 'whole'}/{'turned' if self.turned else 'upright'}"


ORDINARY = Search()
