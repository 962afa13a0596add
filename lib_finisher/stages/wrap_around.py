"""Over which borders a picture goes on."""

from __future__ import annotations

from lib_finisher.imaging.wrap import Wrap
from lib_finisher.stages.base import AUTO, BOTH, HORIZONTAL, VERTICAL, BaseSettings


def wrap_of(settings: BaseSettings, tiling: bool) -> Wrap:
    """Over which borders a picture goes on, that was made with the host's `tiling` or without."""
    if settings.wrap == AUTO:
        return Wrap(tiling, tiling)
    return Wrap(settings.wrap in (HORIZONTAL, BOTH), settings.wrap in (VERTICAL, BOTH))
