"""What the base of a picture was made with, from what its file says, where no host reads that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData
from lib_finisher.infotext.fields import told_fields
from lib_finisher.infotext.generation import read_generation
from lib_finisher.stages.stage import Base


def own_base(
    infotext: str,
    side: SideData = NO_SIDE_DATA,
    base: Base | None = None,
    samplers: Sequence[str] = (),
    schedulers: Sequence[str] = (),
) -> tuple[Base, Mapping[str, str]]:
    """(`base` with what the picture says of itself, by field what was not taken as it stands).

    `samplers` and `schedulers` are those of the engine; names that it does not have are left out.
    """
    base = base or Base()
    generation = read_generation(infotext, side)
    if generation is None:
        return base, {}
    told = told_fields(generation.parsed, samplers, schedulers)
    return replace(base, **told.fields), told.notes
