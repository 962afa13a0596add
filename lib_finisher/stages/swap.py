"""Advice for a stage that redraws the whole picture with another checkpoint."""

from __future__ import annotations

from lib_finisher.hosts.port import Host, HostError
from lib_finisher.stages.diffusion_settings import Diffusion
from lib_finisher.stages.refiner import is_refiner
from lib_finisher.stages.stage import Base

# A base with fewer steps is still rough enough for another checkpoint's hand; from this strength on it draws anew.
_FINISHED_STEPS = 20
_DRAWS_ANEW = 0.5
_ROUGH_STEPS = 10


def style_advice(settings: Diffusion, base: Base, host: Host) -> list[str]:
    """What lets more of the second checkpoint's style through, where a well finished base would keep it out.

    Nothing for a checkpoint that is meant to keep the style: the one that runs anyway, or the SDXL refiner.
    """
    if not settings.checkpoint or base.steps <= _FINISHED_STEPS or settings.denoising_strength >= _DRAWS_ANEW:
        return []
    try:
        other, own = host.model(settings.checkpoint), host.model()
    except HostError:
        # The redraw itself will say that it is not there.
        return []
    if other == own or is_refiner(other):
        return []
    return [
        f"the base was drawn in {base.steps} steps, which leaves little to {other.name} at a strength of "
        f"{settings.denoising_strength:g}: about {_ROUGH_STEPS} base steps let more of its style through"
    ]
