"""The recipe as the infotext tells it."""

from __future__ import annotations

from typing import Any

from lib_finisher.controls import controls_of, defaults, write
from lib_finisher.recipe import Recipe
from lib_finisher.stages.order import STAGES


def recorded(recipe: Recipe, family: str) -> dict[str, Any]:
    """What differs from the family's defaults; `read_recipe` makes the same recipe of it under that family."""
    told = {stage.name: _differences(recipe[stage.name], defaults(stage.settings, family), family) for stage in STAGES}
    return {name: data for name, data in told.items() if data}


def _differences(settings: Any, plain: Any, family: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for row in controls_of(type(settings)):
        value = getattr(settings, row.name)
        if value == getattr(plain, row.name):
            continue
        if row.kind == "passes" and row.item is not None:
            common = write(defaults(row.item, family))
            result[row.name] = [
                {name: data for name, data in write(item).items() if data != common[name]} for item in value
            ]
        else:
            result[row.name] = value
    return result
