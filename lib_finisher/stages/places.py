"""Where the texture stage works, and where fine detail comes back."""

from __future__ import annotations

from dataclasses import dataclass

EVERYWHERE, SKIN, PERSONS, FACES = "everywhere", "skin", "persons", "faces"
PLACES = (EVERYWHERE, SKIN, PERSONS, FACES)


@dataclass(frozen=True)
class KeepDetail:
    """By how much (0..1) and where the fine detail that is lost comes back; see `stages.keep_detail`.

    `where` is one of PLACES, `detector` what it names for finding persons.
    """

    strength: float = 0.0
    where: str = "everywhere"
    detector: str = ""
