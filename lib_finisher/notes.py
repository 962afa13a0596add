"""Notes on what a stage did otherwise than asked."""

from __future__ import annotations


class LeftOut(str):
    """A note of something that was asked for and could not be had, so that the result lacks it."""

    __slots__ = ()


class OfTheRun(str):
    """A note of how a result came to be and not of what it is: it stands in the report, not in the picture's file,
    which is the same whatever an earlier run has left."""

    __slots__ = ()
