"""What a base picture was made with, field by field: one rule for each, whoever says it.

A request, an infotext, a graph of nodes and the command line all go through the rows of `BaseFields`. What a request
says wrong is refused; what a picture says wrong is left out with a note, and the rest holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lib_finisher.controls import Control, control, controls_of, refusal, taken
from lib_finisher.infotext.seeds import SEEDS, read_seed
from lib_finisher.sampler_names import sampler_here
from lib_finisher.stages.diffusion_settings import MOST_STEPS
from lib_finisher.stages.stage import Base

RANDOM_SEED = -1
# What is drawn is short enough for every page and program.
MOST_DRAWN = (1 << 32) - 1
# More than any number or name has; only then is it looked at.
_LONGEST_WORD = 200
_TEXTS = (("Prompt", "prompt"), ("Negative prompt", "negative_prompt"))
_NUMBERS = (("Steps", "steps"), ("CFG scale", "cfg_scale"))
_NO_SCHEDULE = ("", "automatic", "default")


@dataclass(frozen=True)
class BaseFields:
    """What the base picture was made with, as far as anybody may say so."""

    prompt: str = control("", label="Prompt", help="As it was written; extra networks too.")
    negative_prompt: str = control("", label="Negative prompt", help="As it was written.")
    seed: int = control(
        Base.seed, label="Seed", help="-1 draws one; the infotext tells which.",
        minimum=RANDOM_SEED, maximum=SEEDS - 1, step=1,
    )  # fmt: skip
    steps: int = control(
        Base.steps, label="Steps", help="Sampling steps of the base.", minimum=1, maximum=MOST_STEPS, step=1
    )
    cfg_scale: float = control(
        Base.cfg_scale, label="CFG scale", help="How closely the prompt was followed.",
        minimum=0.0, maximum=30.0, step=0.5,
    )  # fmt: skip
    sampler: str = control("", label="Sampler", help="Empty is the host's first one.")
    scheduler: str = control("", label="Scheduler", help="Empty is the host's first one.")


ROWS: Mapping[str, Control] = {row.name: row for row in controls_of(BaseFields)}


@dataclass(frozen=True)
class ToldFields:
    """Fields of `Base` that a picture tells, and by field what was not taken as it stands."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def told_fields(parsed: Mapping[str, Any], samplers: Sequence[str], schedulers: Sequence[str]) -> ToldFields:
    """The fields that the pairs of an infotext tell.

    `samplers` and `schedulers` are the engine's; without any, no name is taken. Older infotexts, and hosts without a
    list of schedulers, write both in one name.
    """
    fields: dict[str, Any] = {}
    notes: dict[str, str] = {}
    for key, name in _TEXTS:
        _take(name, str(parsed.get(key, "")), fields, notes)
    if "Seed" in parsed:
        seed, note = read_seed(parsed["Seed"])
        if seed is not None:
            fields["seed"] = seed
        if note:
            notes["seed"] = note
    for key, name in _NUMBERS:
        if key in parsed:
            _take(name, _number(parsed[key]), fields, notes)
    if str(parsed.get("Tiling", "")) == "True":
        fields["tiling"] = True
    _take_sampler(parsed, samplers, schedulers, fields, notes)
    return ToldFields(fields, notes)


def _take(name: str, value: Any, fields: dict[str, Any], notes: dict[str, str]) -> None:
    wrong = refusal(ROWS[name], value)
    if wrong:
        notes[name] = f"the {ROWS[name].label} of the picture's infotext was left out: {wrong}"
    else:
        fields[name] = taken(ROWS[name], value)


def _take_sampler(
    parsed: Mapping[str, Any],
    samplers: Sequence[str],
    schedulers: Sequence[str],
    fields: dict[str, Any],
    notes: dict[str, str],
) -> None:
    sampler, scheduler = (str(parsed.get(key, ""))[:_LONGEST_WORD] for key in ("Sampler", "Schedule type"))
    if not sampler or not samplers:
        return
    found = sampler_here(sampler, scheduler, samplers, schedulers)
    if found is None:
        notes["sampler"] = f"the Sampler of the picture's infotext was left out: {sampler!r} is not here"
        return
    fields["sampler"], fields["scheduler"] = found
    if schedulers and not found[1] and scheduler.lower() not in _NO_SCHEDULE:
        notes["scheduler"] = f"the Schedule type of the picture's infotext was left out: {scheduler!r} is not here"


def _number(value: Any) -> Any:
    """A number that is written as a text; what is none as it came, for the row to refuse."""
    text = str(value).strip()[:_LONGEST_WORD]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
