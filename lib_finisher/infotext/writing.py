"""The infotext of a finished picture: the base's, with what Finisher did to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lib_finisher import __version__
from lib_finisher.finished import Finished
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.metadata import OWN_KEYWORD
from lib_finisher.infotext.layout import is_json, read_layout
from lib_finisher.json_text import json_text
from lib_finisher.notes import OfTheRun
from lib_finisher.recipe import Recipe, recorded
from lib_finisher.stages.stage import Base

KEY, KEY_VERSION, KEY_SIZE = "Finisher", "Finisher version", "Finisher size"
KEY_STAGES, KEY_NOTES, KEY_ERROR = "Finisher stages", "Finisher notes", "Finisher error"
KEY_PROMPTS, KEY_PRESET = "Finisher prompts", "Finisher preset"
_LONGEST_NOTES = 600
DONE = ("ran", "reused")
_KEY = re.compile(r"(\w[\w \-/]{1,60}):")
_KEYS = (KEY, KEY_VERSION, KEY_SIZE, KEY_STAGES, KEY_NOTES, KEY_ERROR, KEY_PROMPTS, KEY_PRESET)
_TEXT = r'"(?:\\.|[^\\"])*"'
# A pair of ours, or a text in quotes of somebody else's value, in which there may be words like ours.
_OWN_OR_TEXT = re.compile(
    rf"(?P<own>(?:^|,)\s*(?:{'|'.join(_KEYS)}):\s*(?:{_TEXT}\s*(?=,|$)|[^,]*))|[:,\[{{]\s*{_TEXT}(?=\s*(?:[\]}}:,]|$))"
)


def finished_infotext(own: str, base: Base, before: Size, told: Mapping[str, str]) -> str:
    """The picture's `own` infotext, or one made of `base` where it has none, with the pairs of `told` at its end.

    Pairs that an earlier finishing left are replaced; all else of its line of pairs stays as it is, also what the web
    UIs cannot read as pairs. Lines behind that one become pairs at its end, where the web UIs read them. JSON is left
    as it came, for the program that reads it.
    """
    if is_json(own):
        return own
    layout = read_layout(own)
    lines = list(layout.before)
    if not layout.line and not lines:
        lines = [base.prompt, f"Negative prompt: {base.negative_prompt}"] if base.negative_prompt else [base.prompt]
    last = _without_own(layout.line) or _line(_pairs_of(base, before))
    for key, value in (*_folded(layout.behind), *told.items()):
        last += f"{' ' if last.endswith(',') else ', '}{key}: {_quoted(value)}"
    return "\n".join([*lines, last])


def beside_json(own: str, told: Mapping[str, str]) -> dict[str, str]:
    """The pairs of `told` as a text by keyword, for where the picture's `own` infotext is JSON and has no place."""
    return {OWN_KEYWORD: json_text(dict(told))} if is_json(own) else {}


def recipe_pairs(recipe: Recipe, family: str, by_hand: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The recipe as the infotext tells it; pasting it brings the recipe back, on a checkpoint of any family.

    What recipe data says `by_hand` is told even where it is a default.
    """
    return {KEY: json.dumps(recorded(recipe, family, by_hand)), KEY_VERSION: __version__}


def preset_pairs(names: Sequence[str], content: str) -> dict[str, str]:
    """The presets that took part, the weakest first, and the digits of what they say together."""
    return {KEY_PRESET: f"{' + '.join(names)} ({content})"} if names else {}


def notes_of(done: Finished) -> list[str]:
    """What was refused or done otherwise, stage by stage; nothing of what the run found in the store."""
    told = ((item, note) for item in done.reports for note in (*item.notes, *item.refusals))
    return [f"{item.stage}: {note}" for item, note in told if not isinstance(note, OfTheRun)]


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


def says_tiling(infotext: str) -> bool:
    """Whether a picture's infotext says that it was made to go on at its other side."""
    return read_layout(infotext).pairs.get("Tiling") == "True"


def infotext_line(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs as the web UIs write them in one line."""
    return _line((key, _quoted(value)) for key, value in pairs)


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


def _folded(behind: Sequence[str]) -> list[tuple[str, str]]:
    """Lines behind the line of pairs as pairs; those without a key go under "Comment"."""
    pairs: list[tuple[str, str]] = []
    loose: list[str] = []
    for line in (line.strip() for line in behind):
        key = _KEY.match(line)
        if key:
            pairs.append((key[1], line[key.end() :].strip()))
        elif line:
            loose.append(line)
    return [*pairs, *([("Comment", "\n".join(loose))] if loose else [])]


def _without_own(line: str) -> str:
    rest = _OWN_OR_TEXT.sub(lambda match: "" if match["own"] is not None else match[0], line)
    # The comma after a pair goes with it where there is none before it.
    return rest[1:].lstrip() if rest.startswith(",") and not line.startswith(",") else rest


def _line(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in pairs)


def _quoted(value: str) -> str:
    # A value that begins with a quotation mark would be read up to the next one.
    apart = value.startswith('"') or any(mark in value for mark in ",:\n")
    return json.dumps(value, ensure_ascii=False) if apart else value
