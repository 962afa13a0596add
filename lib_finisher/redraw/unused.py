"""What a request asks for and an engine cannot do, in words."""

from __future__ import annotations

from lib_finisher.hosts.port import Capabilities
from lib_finisher.notes import LeftOut
from lib_finisher.redraw.patch import Request


def unused(request: Request, capabilities: Capabilities) -> list[str]:
    """A line for each thing."""
    notes = []
    if not capabilities.prompts and any(patch.prompt or patch.negative_prompt for patch in request.patches):
        notes.append("this engine takes no prompts; they were not used")
    for name in request.sampling.extras():
        if name not in capabilities.extras:
            notes.append(LeftOut(f"this engine has no {name.replace('_', ' ')}; it was not used"))
    sampler = request.sampling.sampler
    if sampler in capabilities.samplers and sampler not in capabilities.noise_samplers:
        notes.append(f"{sampler} draws its own noise, so neighbouring patches may differ")
    blended = sampler in capabilities.samplers and sampler not in capabilities.differential_samplers
    if request.sampling.differential and "differential" in capabilities.extras and blended:
        notes.append(f"differential masks do not go with {sampler}; the mask was blended")
    return notes
