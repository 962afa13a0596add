"""Which upscaler model a stage uses."""

from __future__ import annotations

from collections.abc import Sequence

from lib_finisher.hosts.port import UpscalerFacts

AUTO_UPSCALER, LANCZOS = "auto", "Lanczos"


def choose_upscaler(wanted: str, there: Sequence[UpscalerFacts], notes: list[str]) -> UpscalerFacts | None:
    """The model of that name among those that enlarge, with "auto" the first of them; None for Lanczos.

    Where there is none of that name, that is told in `notes`.
    """
    if wanted == LANCZOS:
        return None
    known = [item for item in there if item.scale > 1]
    if wanted == AUTO_UPSCALER:
        return known[0] if known else None
    for item in known:
        if item.name == wanted:
            return item
    names = ", ".join([*(item.name for item in known), LANCZOS])
    notes.append(f"there is no upscaler {wanted!r} here, so {LANCZOS} was used; upscalers here: {names}")
    return None
