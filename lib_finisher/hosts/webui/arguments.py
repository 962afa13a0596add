"""The script's arguments: what the page or an API client asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lib_finisher.controls import SettingsError
from lib_finisher.json_text import MOST_LEVELS, is_shallow, read_json, shown

_KEYS = ("enabled", "recipe")


@dataclass(frozen=True)
class Asked:
    """Whether to finish, the recipe's data as it came, and notes on the text that it came in."""

    enabled: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_arguments(values: Sequence[Any]) -> Asked:
    """What the arguments ask for. Raises SettingsError.

    Either the page's two values, (enabled, recipe), or one object {"enabled": …, "recipe": …}, as an object or as
    JSON text. A recipe is an object, JSON text, or nothing.
    """
    if not values:
        return Asked()
    first = values[0]
    notes: tuple[str, ...] = ()
    if isinstance(first, str) and first.strip().startswith("{"):
        first, notes = _json(first, "Finisher's argument")
    if isinstance(first, Mapping):
        unknown = [key for key in first if key not in _KEYS]
        if unknown:
            accepted = ", ".join(_KEYS)
            raise SettingsError([f"{key}: there is no such key. Accepted here: {accepted}." for key in unknown])
        # Whoever sends a recipe and no word about the switch means it.
        enabled, recipe = first.get("enabled", "recipe" in first), first.get("recipe", {})
    else:
        enabled, recipe = first, values[1] if len(values) > 1 else {}
    if not isinstance(enabled, bool):
        raise SettingsError([f"enabled: {shown(enabled)} is not accepted; it must be true or false."])
    if not enabled:
        return Asked()
    data, more = _recipe(recipe)
    return Asked(True, data, (*notes, *more))


def _recipe(value: Any) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    if isinstance(value, str):
        value, notes = _json(value, "recipe") if value.strip() else ({}, ())
    if value is None:
        return {}, ()
    if not isinstance(value, Mapping):
        raise SettingsError([f"recipe: {type(value).__name__} is not accepted; it must be an object of stages."])
    if not is_shallow(value):
        # The host's own reader goes deeper.
        raise SettingsError([f"recipe: it is nested deeper than {MOST_LEVELS} levels."])
    return value, notes


def _json(text: str, where: str) -> tuple[Any, tuple[str, ...]]:
    try:
        return read_json(text)
    except ValueError as error:
        raise SettingsError([f"{where}: not valid JSON ({error})."]) from error
