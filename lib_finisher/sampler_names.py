"""Samplers and noise schedules as other hosts and tools write them: in one name or two, and in other spellings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType

# Schedules by what stays of their names; the hosts' labels and ComfyUI's ids come to the same.
_SCHEDULES = (
    "karras", "polyexponential", "exponential", "sgmuniform", "kloptimal", "alignyoursteps", "simple", "normal", "ddim",
    "beta", "turbo", "uniform",
)  # fmt: skip
_AUTOMATIC = ("", "automatic", "default")
_SAME: Mapping[str, str] = MappingProxyType({
    "ddimuniform": "ddim",
    "dpmsolvermultistep": "dpmpp2m",
    "dpmsolversinglestep": "dpmppsde",
    "dpmsolversde": "dpmppsde",
    "kdpm2": "dpm2",
    "kdpm2a": "dpm2a",
    "unipcmultistep": "unipc",
})  # fmt: skip


def sampler_here(
    sampler: str, scheduler: str, samplers: Sequence[str], schedulers: Sequence[str]
) -> tuple[str, str] | None:
    """(sampler, schedule) as a host names them, None where it has no such sampler.

    "DPM++ 2M Karras", "dpmpp_2m" and "k_euler_a" are found, on hosts with a list of schedules and on those that write
    both in one name. A schedule within the sampler's name counts before the other one, as in the hosts' own API; one
    that the host does not have is "".
    """
    given, schedule = _plain(sampler), _plain(scheduler)
    named = {_plain(item): item for item in reversed(samplers)}
    labels = {_plain(item): item for item in reversed(schedulers)}
    if not labels and schedule not in _AUTOMATIC and given + schedule in named:
        return named[given + schedule], ""
    found = [(sampler, "")] if sampler in samplers else []
    found += [(named[given], "")] if given in named else []
    ends = dict.fromkeys([*labels, *_SCHEDULES])
    found += [(named[given.removesuffix(end)], end) for end in ends if end and _ends(given, end) in named]
    if given.endswith("k") and given[:-1] in named:
        # InvokeAI's "euler_k".
        found.append((named[given[:-1]], "karras"))
    if not found:
        return None
    name, within = found[0]
    wanted = within or schedule
    if not labels and wanted not in _AUTOMATIC:
        return named.get(_plain(name) + wanted, name), ""
    if scheduler in schedulers and not within:
        return name, scheduler
    return name, labels.get(wanted, "")


def scheduler_here(scheduler: str, schedulers: Sequence[str]) -> str:
    """A schedule's name as a host has it, "" where it has none of it."""
    if scheduler in schedulers:
        return scheduler
    return next((item for item in schedulers if _plain(item) == _plain(scheduler)), "")


def _ends(name: str, end: str) -> str:
    return name.removesuffix(end) if name.endswith(end) else ""


def _plain(name: str) -> str:
    """What stays of a name: "DPM++ 2M a", "dpmpp_2m_ancestral" and "k_dpmpp_2m_a" are one."""
    folded = unicodedata.normalize("NFC", name).casefold().replace("+", "p")
    folded = re.sub(r"^k_|_gpu$|_cfg_pp$", "", folded.strip())
    bare = re.sub(r"[\W_]+", "", folded).replace("ancestral", "a")
    bare = re.sub(r"(?:discrete)?scheduler$", "", bare)
    return _SAME.get(bare, bare)
