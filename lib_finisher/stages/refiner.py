"""The SDXL refiner in the base: for which checkpoints it is meant, when it takes over, and whether that is in time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lib_finisher.family import Family
from lib_finisher.hosts.port import ModelFacts

VARIANT = "refiner"
FEWEST_STEPS = 4
MOST_STEPS = 150
INSTEAD = "More steps in the base or a creative upscale do there what it does for SDXL"


def is_refiner(facts: ModelFacts) -> bool:
    """Whether a checkpoint is the SDXL refiner or made from it."""
    return facts.family == Family.SDXL.value and facts.variant == VARIANT


def why_not(base: ModelFacts, refiner: ModelFacts) -> str:
    """Why `refiner` cannot take over from `base` and what to do instead; "" where it can."""
    if base.family != Family.SDXL.value:
        return (
            f"The refiner is for SDXL only, and {base.name} is {_called(base)}: it was not used. "
            f"{INSTEAD}; leave the refiner empty."
        )
    if is_refiner(base):
        return f"{base.name} is itself an SDXL refiner: it was not used a second time. Choose an SDXL base checkpoint."
    if not is_refiner(refiner):
        return (
            f"{refiner.name} is {_called(refiner)} and no SDXL refiner: it was not used. For another checkpoint's "
            "style choose it as the refine stage's checkpoint."
        )
    return ""


def first_step(sampled: int, switch_at: float) -> int:
    """The step, counted from 0, at which the refiner takes over when `sampled` steps run; `sampled` where it does not.

    As the hosts that count steps decide: the share done by then is compared with `switch_at` (0..1).
    """
    return next((number for number in range(sampled) if not number / sampled < switch_at), sampled)


def level(sigmas: Sequence[float], number: int) -> float:
    """A sigma that sampling reaches at the step of that number (1 or more) and not before; some hosts compare those.

    `sigmas` are the levels of the steps, falling, with the 0 at their end.
    """
    # Nearer to the step's own level: some samplers also ask half-way between two.
    return float(sigmas[number] ** 0.75 * sigmas[number - 1] ** 0.25)


def advice(sampled: int, switch_at: float, idle: int = 0) -> str:
    """What to change so that the refiner has steps enough; "" where it has.

    `idle` are those of the steps that are counted and not run, as DDIM does.
    """

    def own_of(count: int) -> int:
        return max(0, count - idle - first_step(count, switch_at))

    own = own_of(sampled)
    if own >= FEWEST_STEPS:
        return ""
    told = f"the refiner has {own} of {sampled} steps, and {FEWEST_STEPS} at least are advised"
    needed = next((count for count in range(sampled, MOST_STEPS + 1) if own_of(count) >= FEWEST_STEPS), 0)
    sooner = math.floor(100 * (sampled - idle - FEWEST_STEPS) / sampled) / 100
    ways = [f"sample {needed} steps"] if needed else []
    ways += [f"let it take over at {sooner:g}"] if sooner >= 0.5 else []
    return f"{told}: {' or '.join(ways)}" if ways else told


def _called(facts: ModelFacts) -> str:
    if facts.family == Family.UNKNOWN.value:
        return "of a kind that its header does not tell"
    return Family(facts.family).label if facts.family in {item.value for item in Family} else facts.family
