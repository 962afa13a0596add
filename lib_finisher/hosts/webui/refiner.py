"""The host's own refiner, set for one generation. "After this share of the steps" holds on every host.

Forge and its kin compare the share of the steps done. AUTOMATIC1111 compares the noise level, unless its own setting
"Switch to refiner by sampling steps" is on; Forge Neo compares sigmas.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from modules import sd_models, sd_samplers, shared
from modules.sd_samplers_common import setup_img2img_steps

from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.webui import finish_only, models, probe
from lib_finisher.stages.base import BaseSettings
from lib_finisher.stages.refiner import advice, first_step, level, why_not

BY_STEPS = "refiner_switch_by_sample_steps"

_STATE = "_finisher_refiner"
# The host fills in the record itself, and would go on using it for the next file of a batch.
_FIELDS = ("refiner_checkpoint", "refiner_switch_at", "refiner_checkpoint_info", "override_settings")
_NONE = (None, "", "None", "none")


@dataclass(eq=False)
class _State:
    """What the object had before, the share that was asked for (0 where the refiner was left out), and the notes."""

    before: dict[str, Any] = field(default_factory=dict)
    share: float = 0.0
    notes: list[str] = field(default_factory=list)


def begin(p: Any, settings: BaseSettings) -> None:
    """Set the refiner of this object, or keep in mind why not. `end` undoes it.

    Called before the host reads the fields and the overridden settings.
    """
    if not settings.refiner_checkpoint:
        return
    state = _State()
    setattr(p, _STATE, state)
    reason = _why_not(p, settings)
    if reason:
        state.notes.append(reason)
        return
    state.before = {name: getattr(p, name) for name in _FIELDS if hasattr(p, name)}
    state.share = settings.refiner_switch_at
    # The full name: the host searches for parts of it only where it is none.
    p.refiner_checkpoint = probe.checkpoint_info(settings.refiner_checkpoint).name
    p.refiner_switch_at = settings.refiner_switch_at
    compared = probe.refiner_compares()
    if compared == "noise":
        # Named beforehand: the host puts back only those settings that its configuration names.
        shared.opts.data.setdefault(BY_STEPS, shared.opts.get_default(BY_STEPS))
        if not _by_steps(p):
            p.override_settings = {**p.override_settings, BY_STEPS: True}
    elif compared == "sigma":
        # Never, until `prepare` knows the level.
        p.refiner_switch_at = 0.0


def prepare(p: Any) -> list[str]:
    """Once the model is loaded: what stays to be set, and the notes for the user."""
    state: _State | None = getattr(p, _STATE, None)
    if state is None:
        return []
    if state.share:
        sampled = _sampled(p)
        if probe.refiner_compares() == "sigma":
            p.refiner_switch_at = _level(p, first_step(sampled, state.share))
        few = advice(sampled, state.share, _idle(p))
        if few:
            state.notes.append(few)
    return state.notes


def notes(p: Any) -> list[str]:
    """What is to be told of the refiner under every picture."""
    state: _State | None = getattr(p, _STATE, None)
    return [] if state is None else state.notes


def end(p: Any) -> None:
    """Put back what `begin` changed."""
    state: _State | None = p.__dict__.pop(_STATE, None)
    if state is None:
        return
    for name, value in state.before.items():
        setattr(p, name, value)


def _why_not(p: Any, settings: BaseSettings) -> str:
    if finish_only.active(p):
        return "nothing is sampled in finish only, so the refiner has no part in it"
    own = getattr(p, "refiner_checkpoint", None)
    if own not in _NONE:
        return f"the host's own refiner setting was kept ({own} at {p.refiner_switch_at:g}), and not Finisher's used"
    try:
        reason = why_not(models.facts(_base_name(p)), models.facts(settings.refiner_checkpoint))
    except HostError as error:
        return f"The refiner was not used. {error}"
    return reason or _why_not_here(p)


def _why_not_here(p: Any) -> str:
    compared = probe.refiner_compares()
    if not compared:
        return "This host has no refiner: choose it as the refine stage's checkpoint instead, at a low strength."
    if compared == "noise" and not _by_steps(p):
        if probe.is_frozen(BY_STEPS):
            return f"This host does not let settings be changed ({BY_STEPS}): set the refiner in the host itself."
        # After an error there is nobody left to put it back.
        if not p.override_settings_restore_afterwards:
            return (
                f"The refiner was not used: it needs {BY_STEPS}, and this request lets overridden settings stay. "
                "Leave override_settings_restore_afterwards true, or turn that setting on."
            )
    if compared == "sigma":
        if getattr(p, "enable_hr", False):
            return "This host has no refiner together with hires fix: leave one of the two out."
        if not _over_sigmas(p.sampler_name):
            return f"On this host {p.sampler_name} takes no refiner: choose a sampler over noise levels (Euler, DPM++)."
    return ""


def _by_steps(p: Any) -> bool:
    """Whether this generation compares the share of the steps anyway."""
    return bool((p.override_settings or {}).get(BY_STEPS, getattr(shared.opts, BY_STEPS)))


def _base_name(p: Any) -> str:
    """The checkpoint that will run, as far as settings overridden for this generation say; "" for the chosen one."""
    name = (p.override_settings or {}).get("sd_model_checkpoint") or ""
    # The host drops a name that it does not know.
    return name if name in sd_models.checkpoint_aliases else ""


def _sampled(p: Any) -> int:
    """How many steps are run in the pass that the refiner takes part in."""
    if finish_only.applies(p):
        return int(setup_img2img_steps(p)[1]) + 1
    second = getattr(p, "enable_hr", False) and getattr(shared.opts, "hires_fix_refiner_pass", "") != "first pass"
    return int((second and p.hr_second_pass_steps) or p.steps)


def _idle(p: Any) -> int:
    """How many of these steps the sampler counts and does not run: those over timesteps stop short of the last."""
    if _over_sigmas(p.sampler_name):
        return 0
    return int(p.sampler_name.startswith("DDIM")) + int(finish_only.applies(p))


def _level(p: Any, number: int) -> float:
    """A sigma that is reached at the step of that number and not before."""
    steps, begun = setup_img2img_steps(p) if finish_only.applies(p) else (p.steps, p.steps - 1)
    sigmas = sd_samplers.create_sampler(p.sampler_name, p.sd_model).get_sigmas(p, steps)[steps - begun - 1 :].tolist()
    return level(sigmas, number)


def _over_sigmas(name: str) -> bool:
    from modules import sd_samplers_timesteps

    return all(item.name != name for item in sd_samplers_timesteps.samplers_data_timesteps)
