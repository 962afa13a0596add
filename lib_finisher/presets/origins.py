"""Where every value of a resolved recipe comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lib_finisher.controls import Control, controls_of
from lib_finisher.presets.fragment import EVERY, passes_of
from lib_finisher.presets.preset import Fragment
from lib_finisher.recipe import SCHEMA, SECTIONS, Recipe, default_recipe

DEFAULT, FAMILY, VARIANT, EVERYTHING, CHECKPOINT, CHOSEN, YOU = (
    "default", "family", "variant", "everything", "checkpoint", "chosen", "you",
)  # fmt: skip
LAYERS = (DEFAULT, EVERYTHING, FAMILY, VARIANT, CHECKPOINT, CHOSEN, YOU)
"""Where a value can come from, the weakest first."""


@dataclass(frozen=True)
class Origin:
    """Where a value comes from: one of LAYERS, and the preset's name where it is one that says it."""

    layer: str
    preset: str = ""


def origins_of(
    recipe: Recipe, family: str, sources: Sequence[tuple[Origin, Fragment]], earlier: tuple[int, Origin] | None = None
) -> dict[str, Origin]:
    """The origin of each control by its path; `sources` are what was laid over one another, the weakest first.

    "detail.passes" is for the list, "detail.passes.1.confidence" for a control of its first pass. Where the defaults
    are those of an `earlier` version of recipes, it is given with what brought it, which those that differ come from.
    """
    version, brought = earlier or (SCHEMA, Origin(DEFAULT))
    told: dict[str, Origin] = {}
    for section, settings in SECTIONS.items():
        for row in controls_of(settings):
            changed = row.default_for(family, version) != row.default_for(family)
            told[f"{section}.{row.name}"] = brought if changed else _by_family(row, family)
        passes = passes_of(section)
        if passes is not None:
            told |= _default_passes(section, passes, family)
    every: dict[tuple[str, str], Origin] = {}
    for origin, data in sources:
        for section, controls in data.items():
            passes = passes_of(section)
            every |= {(section, name): origin for name in controls.get(EVERY, {})}
            told |= {f"{section}.{name}": origin for name in controls if name != EVERY}
            if passes is not None:
                path = f"{section}.{passes.name}"
                # A list of the user's own is taken as it is.
                own = origin.layer == YOU
                inherited = {} if own else {name: value for (of, name), value in every.items() if of == section}
                told |= _passes(path, passes, controls, origin, inherited, family)
    return {path: origin for path, origin in told.items() if _there(path, recipe)}


def _passes(
    path: str, row: Control, controls: Mapping[str, Any], origin: Origin, every: Mapping[str, Origin], family: str
) -> dict[str, Origin]:
    rows = controls_of(row.item) if row.item is not None else ()
    most = range(1, int(row.maximum or 1) + 1)
    if row.name not in controls:
        return {f"{path}.{number}.{name}": origin for number in most for name in controls.get(EVERY, {})}
    told = {}
    for number, item in zip(most, controls[row.name]):
        said = item if isinstance(item, Mapping) else {}
        for inner in rows:
            by_default = every.get(inner.name, _by_family(inner, family))
            told[f"{path}.{number}.{inner.name}"] = origin if inner.name in said else by_default
    return told


def _default_passes(section: str, row: Control, family: str) -> dict[str, Origin]:
    told = {}
    built_in = getattr(default_recipe()[section], row.name)
    for number, item in enumerate(built_in, 1):
        for inner in controls_of(row.item) if row.item is not None else ():
            # What a built-in pass says of its own does not follow the family.
            own = getattr(item, inner.name) != inner.default
            told[f"{section}.{row.name}.{number}.{inner.name}"] = Origin(DEFAULT) if own else _by_family(inner, family)
    return told


def _there(path: str, recipe: Recipe) -> bool:
    section, _, rest = path.partition(".")
    passes = passes_of(section)
    if passes is None or not rest.startswith(f"{passes.name}."):
        return True
    return int(rest.split(".")[1]) <= len(getattr(recipe[section], passes.name))


def _by_family(row: Control, family: str) -> Origin:
    return Origin(FAMILY if row.default_for(family) != row.default else DEFAULT)
