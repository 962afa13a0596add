"""Wrap-around of a stage: the picture is carried on beyond its borders before it, and put back together after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.repeated import once_each
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.wrap import Around
from lib_finisher.stages.regions import moved
from lib_finisher.stages.stage import CHANGES, FADED, MARGIN, OWN, Stage, StageOutput, Tools, Work


def carried_on(work: Work, stage: Stage) -> Work:
    """The work with a margin of its other side all round, where the picture wraps and the stage leaves that to us."""
    if not work.wrap or stage.borders == OWN:
        return work
    around = Around.of(work.size, work.wrap, MARGIN)
    return replace(
        work,
        pixels=around.carried_on(work.pixels),
        mask=None if work.mask is None else around.carried_on(work.mask),
        regions=tuple(moved(region, around.right, around.below) for region in work.regions),
        around=around,
    )


def finding_once(tools: Tools, stage: Stage, around: Around | None) -> Tools:
    """The tools for a picture that is carried on: a finding counts where it lies, not where it repeats."""
    if around is None or stage.borders != CHANGES:
        return tools

    def find(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        detections = tools.find(name, pixels, confidence, search)
        return once_each(detections, around) if size_of(pixels) == around.whole else detections

    return replace(tools, find=find)


def put_back(output: StageOutput, before: Pixels, stage: Stage, around: Around | None) -> None:
    """Make of an output that was carried on beyond its borders one that goes on at its other side."""
    if around is None or size_of(output.pixels) != around.whole:
        return
    made = around.folded(output.pixels) if stage.borders == FADED else around.changed(before, output.pixels)
    output.pixels = before if np.array_equal(made, before) else made
    if output.regions is not None:
        output.regions = tuple(moved(region, -around.right, -around.below) for region in output.regions)
