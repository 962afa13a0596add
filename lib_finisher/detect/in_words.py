"""One boundary around other people's models: whatever goes wrong with one is a DetectorError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lib_finisher.detect.detection import DetectorError

_LONGEST = 300


@contextmanager
def in_words(file: str, what: str, then: str = "Fetch it again, or use another detector.") -> Iterator[None]:
    """`what` says what is not possible with the file, `then` what to do. Lack of memory is among what goes wrong."""
    try:
        yield
    except DetectorError:
        raise
    # A model's parts may raise anything: they come from the file.
    except Exception as error:
        told = str(error)
        told = told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
        raise DetectorError(f"{file} {what} ({type(error).__name__}: {told}). {then}") from error
