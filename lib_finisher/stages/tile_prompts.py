"""Tiles that know what is in them: the prompt of a finding goes where the finding is, and no face into the sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lib_finisher.redraw.patch import Patch
from lib_finisher.stages.regions import Region

# So much of a finding has to lie in a tile for the tile to be about it.
_PART = 0.25


def by_findings(patches: Sequence[Patch], regions: Sequence[Region], empty_prompt: str) -> list[Patch]:
    """The patches, each with the prompts of the finding of which it holds most, or else with `empty_prompt`.

    `regions` lie in pixels of the patches' picture. An empty `empty_prompt` leaves the prompt as it is, and so does a
    picture without any finding: then nobody knows what is where.
    """
    if not regions:
        return list(patches)
    told = []
    for patch in patches:
        held = [(_share(region, patch), region.box.area, number) for number, region in enumerate(regions)]
        inside = [item for item in held if item[0] >= _PART]
        if inside:
            region = regions[max(inside, key=lambda item: (item[0] * item[1], item[0]))[2]]
            told.append(replace(patch, prompt=region.prompt, negative_prompt=region.negative_prompt))
        else:
            told.append(replace(patch, prompt=empty_prompt or patch.prompt))
    return told


def _share(region: Region, patch: Patch) -> float:
    common = region.box.intersection(patch.box)
    return 0.0 if common is None else common.area / region.box.area
