"""What the command line prints of presets."""

from __future__ import annotations

import json
from typing import Any

from lib_finisher.cli.console import tell
from lib_finisher.presets.fragment import MISSING
from lib_finisher.presets.matching import Candidate, Checkpoint, Entry
from lib_finisher.presets.origins import CHOSEN, DEFAULT
from lib_finisher.presets.preset import Preset
from lib_finisher.presets.resolve import Resolved
from lib_finisher.recipe import write_recipe


def entry_data(entry: Entry) -> dict[str, Any]:
    """A preset as data: its name, whose it is, its rules, its hash."""
    preset = entry.preset
    return {
        "name": preset.name,
        "built_in": entry.built_in,
        "about": preset.about,
        "match": preset.match.as_json(),
        "locked": preset.locked,
        "hash": preset.content,
        "revision": preset.revision,
    }


def resolved_data(checkpoint: Checkpoint, candidates: tuple[Candidate, ...], found: Resolved) -> dict[str, Any]:
    """What a checkpoint gets, and why, as data."""
    return {
        "checkpoint": {
            "name": checkpoint.name,
            "family": checkpoint.family,
            "variants": list(checkpoint.variants),
            "reason": checkpoint.reason,
        },
        "candidates": [
            {
                "name": item.entry.preset.name,
                "built_in": item.entry.built_in,
                "level": item.level.name.lower(),
                "reason": item.reason,
                "used": item.used,
                "before": item.before or None,
            }
            for item in candidates
        ],
        "presets": list(found.names),
        "hash": found.content,
        "recipe": write_recipe(found.recipe),
        "origins": {
            path: {"layer": origin.layer, "preset": origin.preset}
            for path, origin in found.origins.items()
            if origin.layer != DEFAULT
        },
        "notes": list(found.notes),
    }


def whose(entry: Entry) -> str:
    """Whose a preset is, and whether it is locked, in words."""
    return f"{entry.source}, locked" if entry.preset.locked else entry.source


def rules(preset: Preset) -> str:
    """For which checkpoints a preset is, in words."""
    rules = preset.match.as_json().items()
    told = [f"{rule} {', '.join(value)}" if isinstance(value, list) else rule for rule, value in rules]
    return "; ".join(told) or CHOSEN


def change(path: str, first: Any, second: Any) -> str:
    """One control in two presets, in words."""
    return f"{path}: {_value(first)} → {_value(second)}"


def _value(value: Any) -> str:
    return "(says nothing)" if value is MISSING else json.dumps(value, ensure_ascii=False)


def plain(value: Any) -> Any:
    """A value as data: None for what is not said."""
    return None if value is MISSING else value


def safe(text: str) -> str:
    """A name as typed, but without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def print_json(data: Any) -> None:
    """Print data for programs."""
    tell(json.dumps(data, indent=2, ensure_ascii=True))
