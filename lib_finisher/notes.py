"""Notes on what a stage did otherwise than asked."""

from __future__ import annotations


class LeftOut(str):
    """A note of something that was asked for and could not be had, so that the result lacks it."""

    __slots__ = ()
