"""Recipes as programs and the page send them, and what is known where their presets are resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lib_finisher.controls import SettingsError
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.fragment import accepted_part, known_part
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.missing import Here, with_what_is_here
from lib_finisher.presets.origins import YOU
from lib_finisher.presets.resolve import Resolved, read_choice
from lib_finisher.recipe import ABOUT

CHOICE = "preset"
"""The key of a recipe's data that says which presets are used; "auto" where it is missing."""

PASTED = "pasted"
"""True in the data of a recipe that came with a picture's infotext, or the notes on that text: what is wrong in it is
left out alone."""

OUTSIDE = (CHOICE, PASTED, *ABOUT)
"""What a recipe's data says besides the stages."""


@dataclass(frozen=True, eq=False)
class PresetContext:
    """The presets, the checkpoint that is asked about, and the models that the host has."""

    library: Library
    checkpoint: Checkpoint
    here: Here


def split(data: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """(which presets are chosen, the rest): the data of a recipe as the page and API clients send it."""
    return data.get(CHOICE), {key: value for key, value in data.items() if key not in (CHOICE, PASTED)}


def without_wrong_values(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The data of a recipe as the page sends it, without what cannot be used, and a line for each thing left out."""
    kept, notes = accepted_part(split(data)[1])
    of_text = data.get(PASTED)
    said = tuple(map(str, of_text)) if isinstance(of_text, list) else ()
    return {**{key: data[key] for key in (CHOICE, PASTED) if key in data}, **kept}, (*said, *notes)


def resolved_for(data: Mapping[str, Any], around: PresetContext) -> tuple[Resolved, tuple[str, ...]]:
    """The recipe that runs, with every missing model of a preset replaced, and what is to be told.

    What the user says by hand is not replaced; a stage or control that is not known is left out alone, as in a preset.
    Raises SettingsError for a value that is not accepted.
    """
    chosen, own = split(data)
    own, left_out = known_part(own)
    try:
        resolved = around.library.resolve(around.checkpoint, own, read_choice(chosen))
    except PresetError as error:
        raise SettingsError([f"{CHOICE}: {error}"]) from error
    by_hand = frozenset(path for path, origin in resolved.origins.items() if origin.layer == YOU)
    recipe, notes = with_what_is_here(resolved.recipe, around.here, resolved.instead, by_hand)
    return replace(resolved, recipe=recipe), (*left_out, *resolved.notes, *notes)
