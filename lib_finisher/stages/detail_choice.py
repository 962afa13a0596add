"""Which findings of a pass are redrawn, in which order, and with which prompt and seed.

What a filter drops is no finding: numbers count what the filters leave, in the pass's order, as in ADetailer, or with
"Number before filtering" all that the detector found. Whatever is left alone later ([SKIP], a number in Only or
Exclude, large enough already) keeps its number, so nobody else gets its prompt or its seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib_finisher.detect.detection import Detection
from lib_finisher.imaging.geometry import Box, Size, frame
from lib_finisher.stages.detail_prompts import chosen, entries_for, own_seed_of, seeds_added, skips
from lib_finisher.stages.detail_settings import (
    BY_CENTRE,
    BY_CONFIDENCE,
    BY_SIZE,
    LEFT_TO_RIGHT,
    TOP_BY_AREA,
    DetailPass,
)
from lib_finisher.stages.diffusion import prompts_of
from lib_finisher.stages.stage import Base

_MOST_BY_SIZE = 0.6


@dataclass(frozen=True)
class Finding:
    """A detection that passed the filters, what it is redrawn with, and whether its prompt leaves it alone.

    `number` is its place in the order, counted from 0; its seed is the one that its prompt names or else the base's
    plus that number, and what "Other seeds" adds. `added` is by how much it differs from the base's plus that number.
    """

    detection: Detection
    number: int
    prompt: str
    negative_prompt: str
    seed: int
    skipped: bool
    added: int = 0

    @property
    def label(self) -> str:
        """For people: what it is, and its number counted from 1."""
        return f"{self.detection.label} {self.number + 1}"


def findings_of(found: Sequence[Detection], picture: Size, one: DetailPass, base: Base) -> list[Finding]:
    """The detections that the pass is about, in its order."""
    # Copies, so that each is told from all others, even from an equal one.
    surest = [replace(item) for item in sorted(found, key=lambda item: -item.confidence)]
    kept = _filtered(surest, picture, one)
    counted = _ordered(surest if one.number_first else kept, one.order, picture)
    prompts = entries_for(one.prompt, counted)
    negatives = entries_for(one.negative_prompt, counted)
    only, exclude, added = chosen(one.only), chosen(one.exclude), seeds_added(one.reseed)
    staying = {id(item) for item in kept}
    findings = []
    for number, (item, prompt, negative) in enumerate(zip(counted, prompts, negatives)):
        if id(item) not in staying or exclude.numbered(number) or (only.numbers and not only.numbered(number)):
            continue
        skipped = skips(prompt) or skips(negative)
        prompt, own_seed = own_seed_of(prompt)
        whole = ("", "") if skipped else prompts_of(replace(one, prompt=prompt, negative_prompt=negative), base)
        plain = base.seed + number
        seed = (plain if own_seed is None else own_seed) + added.get(number + 1, 0)
        findings.append(Finding(item, number, *whole, seed, skipped, seed - plain))
    return findings


def strength_for(region: Box, native_side: int, one: DetailPass) -> float:
    """The denoising strength of a finding.

    With `denoising_by_size` it is the pass's times 1.5 - 2 · side / native, held between 0.5 and 1.5 and rounded to
    tenths so that findings of like size share a batch. `side` is the root of the finding's area in pixels, `native`
    the side of the model's native canvas: a face a quarter of it wide gets the plain strength, one of half of it or
    more half as much. More than the plain strength is capped at 0.6, or at the plain strength where that is higher.
    """
    plain = one.denoising_strength
    if not one.denoising_by_size:
        return plain
    factor = round(min(max(1.5 - 2.0 * math.sqrt(region.area) / native_side, 0.5), 1.5), 1)
    return min(plain * factor, max(plain, _MOST_BY_SIZE))


def _filtered(found: Sequence[Detection], picture: Size, one: DetailPass) -> list[Detection]:
    """What the filters leave, the most confident first."""
    only, exclude = chosen(one.only), chosen(one.exclude)
    kept = [
        item
        for item in found
        if min(item.box.width, item.box.height) >= one.smallest
        and (not one.largest or max(item.box.width, item.box.height) <= one.largest)
        and one.min_area <= _share(item.box, picture) <= one.max_area
        and (not only.names or only.named(item))
        and not exclude.named(item)
    ]
    if not one.most:
        return kept
    if one.most_by == TOP_BY_AREA:
        kept = sorted(kept, key=lambda item: -item.box.area)
    return kept[: one.most]


def _share(box: Box, picture: Size) -> float:
    """How much of the picture lies in a box, 0..1."""
    inside = box.intersection(frame(picture))
    return inside.area / picture.area if inside else 0.0


def _ordered(found: Sequence[Detection], order: str, picture: Size) -> list[Detection]:
    middle = (picture.width / 2, picture.height / 2)
    keys = {
        LEFT_TO_RIGHT: lambda item: item.box.centre,
        BY_SIZE: lambda item: -item.box.area,
        BY_CONFIDENCE: lambda item: -item.confidence,
        BY_CENTRE: lambda item: float(np.hypot(item.box.centre[0] - middle[0], item.box.centre[1] - middle[1])),
    }
    return sorted(found, key=keys[order])
