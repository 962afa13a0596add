"""The transparency of a finished picture: that of its source, framed as the picture was."""

from __future__ import annotations

import numpy as np

from lib_finisher.finished import Finished, StageReport
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.geometry import Size, cut, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.recipe import Recipe
from lib_finisher.stages.extend import extended_box
from lib_finisher.stages.upscale_targets import Target, targets_of


def alpha_of(alpha: Mask, done: Finished, recipe: Recipe) -> Mask:
    """The transparency at the finished size, framed as the picture was; what was added to it is a mirror image."""
    reports = {item.stage: item for item in done.reports}
    extended, upscaled = reports.get("extend"), reports.get("upscale")
    if extended is not None and extended.status in ("ran", "reused"):
        alpha = cut(alpha, extended_box(size_of(alpha), recipe["extend"]))
    for target in [] if upscaled is None else _targets_reached(upscaled, size_of(alpha), recipe):
        # Where nothing is cut off or added the size alone changes, and that once is enough.
        if target.reframes:
            alpha = cut(np.clip(resize(alpha, target.enlarged), 0.0, 1.0), target.box)
    return np.clip(resize(alpha, size_of(done.pixels)), 0.0, 1.0)


def _targets_reached(report: StageReport, before: Size, recipe: Recipe) -> list[Target]:
    """The targets of the passes that upscale has done to a picture of the size `before`: all, unless it was stopped.

    Of a stopped stage only the size tells how far it came; where several passes have that size, the last one counts.
    """
    if report.status == "skipped" or (report.status == "failed" and not report.refusals and report.size == before):
        # A failure without refusals and without another size came in the midst of a pass: the picture is as it was.
        return []
    targets = targets_of(before, recipe["upscale"].passes)
    reached = [number for number, target in enumerate(targets, 1) if target.size == report.size]
    return targets[: reached[-1]] if reached else []
