"""Facts about a picture and a recipe, made into ordered steps with a reason and a cost each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.wrap import Around, Wrap
from lib_finisher.recipe import Recipe
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import FADED, MARGIN, Estimate, Tools, Work
from lib_finisher.stages.wrap_around import wrap_of


@dataclass(frozen=True)
class Step:
    """One stage of a plan."""

    stage: str
    label: str
    runs: bool
    reason: str
    estimate: Estimate


@dataclass(frozen=True)
class Plan:
    """Every stage in order, those that are left out too."""

    steps: tuple[Step, ...]

    @property
    def size(self) -> Size:
        """The finished size."""
        return self.steps[-1].estimate.size

    @property
    def total(self) -> Estimate:
        """What all stages together are expected to take."""
        return Estimate(
            self.size,
            sum(step.estimate.patches for step in self.steps),
            sum(step.estimate.host_calls for step in self.steps),
            sum(step.estimate.megapixel_steps for step in self.steps),
            models=tuple(model for step in self.steps for model in step.estimate.models),
        )


def make_plan(work: Work, recipe: Recipe, tools: Tools) -> Plan:
    """The plan for one picture. Detectors look at the picture as it is now; no diffusion is run."""
    steps, size, twice = [], work.size, False
    work = replace(work, wrap=wrap_of(recipe[BASE], work.base.tiling))
    for stage in STAGES:
        settings = recipe[stage.name]
        if not settings.enabled:
            steps.append(Step(stage.name, stage.label, False, "switched off", Estimate(size)))
            continue
        try:
            around = Around.of(size, work.wrap if stage.borders == FADED else Wrap(), MARGIN)
            estimate = stage.estimate(work, around.whole, settings, tools)
            estimate = replace(estimate, size=size) if around.whole != size else estimate
        except HostError as error:
            steps.append(Step(stage.name, stage.label, False, str(error), Estimate(size)))
            continue
        if twice:
            estimate = _doubled(estimate)
        twice = twice or stage.name == recipe[BASE].compare
        idle = not stage.maps and not estimate.patches and estimate.size == size
        reason = "; ".join(estimate.notes) or ("nothing to do" if idle else "")
        steps.append(Step(stage.name, stage.label, not idle, reason, estimate))
        size = estimate.size
    return Plan(tuple(steps))


def _doubled(estimate: Estimate) -> Estimate:
    """With and without the stage that is compared; patches of both share calls where they fit."""
    return replace(
        estimate,
        patches=2 * estimate.patches,
        host_calls=2 * estimate.host_calls,
        megapixel_steps=2 * estimate.megapixel_steps,
        models=2 * estimate.models,
    )
