"""The infotext of a finished picture: the base's, with what Finisher did to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lib_finisher import __version__
from lib_finisher.finished import Finished
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.recipe import Recipe, recorded
from lib_finisher.stages.stage import Base

KEY, KEY_VERSION, KEY_SIZE = "Finisher", "Finisher version", "Finisher size"
KEY_STAGES, KEY_NOTES, KEY_ERROR = "Finisher stages", "Finisher notes", "Finisher error"
KEY_PROMPTS, KEY_PRESET = "Finisher prompts", "Finisher preset"
_LONGEST_NOTES = 600
DONE = ("ran", "reused")
# As the web UIs read it: the last line holds pairs, if there are at least three.
_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_FEWEST_PAIRS = 3
_KEYS = (KEY, KEY_VERSION, KEY_SIZE, KEY_STAGES, KEY_NOTES, KEY_ERROR, KEY_PROMPTS, KEY_PRESET)
_TEXT = r'"(?:\\.|[^\\"])*"'
# A pair of ours, or a text in quotes of somebody else's value, in which there may be words like ours.
_OWN_OR_TEXT = re.compile(
    rf"(?P<own>(?:^|,)\s*(?:{'|'.join(_KEYS)}):\s*(?:{_TEXT}\s*(?=,|$)|[^,]*))|[:,\[{{]\s*{_TEXT}(?=\s*(?:[\]}}:,]|$))"
)


def finished_infotext(own: str, base: Base, before: Size, told: Mapping[str, str]) -> str:
    """The picture's `own` infotext, or one made of `base` where it has none, with the pairs of `told` at its end.

    Pairs that an earlier finishing left are replaced; all else of its last line stays as it is, also what the web UIs
    cannot read as pairs.
    """
    lines = own.rstrip().split("\n") if own.strip() else []
    last = ""
    if lines and len(_PAIR.findall(lines[-1])) >= _FEWEST_PAIRS:
        last = _without_own(lines.pop())
    elif not lines:
        lines = [base.prompt, f"Negative prompt: {base.negative_prompt}"] if base.negative_prompt else [base.prompt]
    last = last or _line(_pairs_of(base, before))
    added = _line((key, _quoted(value)) for key, value in told.items())
    between = "" if not added else " " if last.endswith(",") else ", "
    return "\n".join([*lines, f"{last}{between}{added}"])


def recipe_pairs(recipe: Recipe, family: str) -> dict[str, str]:
    """The recipe as the infotext tells it; pasting it brings the recipe back."""
    return {KEY: json.dumps(recorded(recipe, family)), KEY_VERSION: __version__}


def preset_pairs(names: Sequence[str], content: str) -> dict[str, str]:
    """The presets that took part, the weakest first, and the digits of what they say together."""
    return {KEY_PRESET: f"{' + '.join(names)} ({content})"} if names else {}


def notes_of(done: Finished) -> list[str]:
    """What was refused or done otherwise, stage by stage."""
    return [f"{item.stage}: {note}" for item in done.reports for note in (*item.notes, *item.refusals)]


def outcome_pairs(done: Finished, notes: Sequence[str]) -> dict[str, str]:
    """What became of a picture."""
    size = size_of(done.pixels)
    pairs = {
        # Not as "512x512": the hosts' parser would split that into two keys.
        KEY_SIZE: f"{size.width} x {size.height}",
        KEY_STAGES: ", ".join(item.stage for item in done.reports if item.status in DONE) or "none",
    }
    prompts = {f"{item.stage}, {label}": text for item in done.reports for label, text in item.prompts.items()}
    if prompts:
        pairs[KEY_PROMPTS] = json.dumps(prompts, ensure_ascii=False)
    if notes:
        pairs[KEY_NOTES] = "; ".join(notes)[:_LONGEST_NOTES]
    if done.error:
        pairs[KEY_ERROR] = done.error
    return pairs


def base_fields(parsed: Mapping[str, Any], samplers: Sequence[str], schedulers: Sequence[str]) -> dict[str, Any]:
    """The fields of `Base` that an infotext tells, which the host has parsed into pairs.

    A sampler that this host does not have is left out. Older infotexts, and hosts without a list of schedulers, write
    both in one name.
    """
    fields: dict[str, Any] = {
        "prompt": str(parsed.get("Prompt", "")),
        "negative_prompt": str(parsed.get("Negative prompt", "")),
    }
    numbers = (("Steps", "steps", int, 1), ("CFG scale", "cfg_scale", float, 0), ("Seed", "seed", int, 0))
    for key, name, kind, least in numbers:
        try:
            value = kind(parsed[key])
        except (KeyError, TypeError, ValueError):
            continue
        if least <= value < 1e15:
            fields[name] = value
    sampler, scheduler = _sampler(str(parsed.get("Sampler", "")), str(parsed.get("Schedule type", "")), samplers)
    if not sampler:
        for end in schedulers:
            name = str(parsed.get("Sampler", "")).removesuffix(f" {end}")
            if name in samplers:
                sampler, scheduler = name, end
    if sampler:
        fields["sampler"] = sampler
        fields["scheduler"] = scheduler if scheduler in schedulers else ""
    return fields


def _sampler(name: str, scheduler: str, samplers: Sequence[str]) -> tuple[str, str]:
    if f"{name} {scheduler}" in samplers:
        return f"{name} {scheduler}", ""
    return (name, scheduler) if name in samplers else ("", "")


def _pairs_of(base: Base, size: Size) -> list[tuple[str, str]]:
    pairs = {
        "Steps": str(base.steps),
        "Sampler": base.sampler,
        "Schedule type": base.scheduler,
        "CFG scale": f"{base.cfg_scale:g}",
        "Seed": str(base.seed),
        "Size": f"{size.width}x{size.height}",
    }
    return [(key, _quoted(value)) for key, value in pairs.items() if value]


def _without_own(line: str) -> str:
    rest = _OWN_OR_TEXT.sub(lambda match: "" if match["own"] is not None else match[0], line)
    # The comma after a pair goes with it where there is none before it.
    return rest[1:].lstrip() if rest.startswith(",") and not line.startswith(",") else rest


def _line(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in pairs)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if any(mark in value for mark in ",:\n") else value
