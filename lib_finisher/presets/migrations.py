"""The schema of a preset's file, and how a file of an older one becomes one of today's.

Schema 0 is a bare recipe, as the command line writes and reads it: {"version": 1, "refine": {...}, ...}. It has no
name, and every control that it names keeps its value. Schema 1 wraps a recipe's differences in what a preset has. In
schema 2 the recipe within says its version, as a recipe does elsewhere; without it, it is one of version 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lib_finisher.json_text import shown
from lib_finisher.presets.errors import NewerSchema, PresetError
from lib_finisher.recipe import FIRST, SECTIONS, VERSION

MARK = "finisher_preset"
SCHEMA = 2


def schema_of(data: Any) -> int:
    """The schema that JSON data is written in. Raises PresetError for data that is no preset's."""
    if not isinstance(data, Mapping):
        raise PresetError(f"a preset is an object, not {type(data).__name__}.")
    if MARK not in data:
        if VERSION in data or not data or any(isinstance(data.get(name), Mapping) for name in SECTIONS):
            return 0
        raise PresetError(f"there is neither {MARK!r} in it nor the stages of a recipe, so it is no preset.")
    schema = data[MARK]
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 0:
        raise PresetError(f"{MARK}: {shown(schema)} is no number of a schema.")
    return schema


def to_current(data: Any, name: str) -> dict[str, Any]:
    """JSON data of the current schema; the data itself is left alone. Raises PresetError and NewerSchema."""
    schema = schema_of(data)
    if schema > SCHEMA:
        raise NewerSchema(
            f"it is of schema {shown(schema)}; this Finisher knows {SCHEMA} at most. Update Finisher to use it."
        )
    result = dict(data)
    for step in _STEPS[schema:]:
        result = step(result, name)
    return result


def schema_for(version: int) -> int:
    """The schema of a file whose recipe is of that version: what an older Finisher can use stays readable for it."""
    return 1 if version == FIRST else SCHEMA


def _named(recipe: dict[str, Any], name: str) -> dict[str, Any]:
    return {MARK: 1, "name": name, "recipe": recipe}


def _with_version(preset: dict[str, Any], name: str) -> dict[str, Any]:
    return {**preset, MARK: 2}


_STEPS: tuple[Callable[[dict[str, Any], str], dict[str, Any]], ...] = (_named, _with_version)
"""From schema 0 to 1, from 1 to 2, and so on: a new schema adds one function and is one higher."""

assert len(_STEPS) == SCHEMA
