"""Saving over a preset: what was changed for this checkpoint, and nothing of what it says to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from lib_finisher.controls import Control, controls_of
from lib_finisher.presets.fragment import EVERY, Inherited, laid_over, usable, written
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.preset import Fragment, Preset
from lib_finisher.presets.resolve import parts_for, said_to
from lib_finisher.recipe import SECTIONS, Recipe

_Part = dict[str, dict[str, Any]]
_NOTHING: Fragment = MappingProxyType({})


def edited(
    there: Preset, shown: Recipe, said: Fragment, below: Inherited, checkpoint: Checkpoint, by_hand: Fragment = _NOTHING
) -> Preset:
    """The preset `there`, changed so that it makes the recipe `shown` of what lies `below` it for the checkpoint.

    `said` is what differs between those two, see `resolve.to_save`. A control that has its value already stays as it is
    said, for other checkpoints too. Another one is changed in the strongest part that says it to this checkpoint (that
    for its variant or family), and otherwise in the recipe; where nothing else says it and it is inherited, it is said
    no more. Stages and controls that this Finisher does not know stay.
    What is said `by_hand` outside passes and has its value already is said in the recipe, if nothing says it.
    """
    whole = laid_over(below.said, usable(said_to(there, checkpoint))[0])
    version = min(below.version, there.version)
    before = Inherited(whole, version).recipe(checkpoint.family)
    recipe = _copied(there.recipe)
    families = {key: _copied(part) for key, part in there.families.items()}
    variants = {key: _copied(part) for key, part in there.variants.items()}
    special = {"families": families, "variants": variants}
    parts = [recipe, *(special[kind][key] for kind, key in parts_for(checkpoint) if key in special[kind])]
    for section, settings in SECTIONS.items():
        every = whole.get(section, {}).get(EVERY, {})
        for row in controls_of(settings):
            value = getattr(shown[section], row.name)
            if value == getattr(before[section], row.name):
                said_here = any(row.name in part.get(section, {}) for part in parts)
                if row.kind != "passes" and row.name in by_hand.get(section, {}) and not said_here:
                    recipe.setdefault(section, {})[row.name] = value
                continue
            inherited = row.name not in said.get(section, {})
            _put(parts, section, row, written(row, value, checkpoint.family, every, version), inherited)
    return replace(there, recipe=recipe, families=_left(families), variants=_left(variants))


def _put(parts: Sequence[_Part], section: str, row: Control, value: Any, inherited: bool) -> None:
    """Have the parts, of which a later one is stronger, say a value, or leave it to what is below them."""
    names = (row.name, EVERY) if row.kind == "passes" else (row.name,)
    saying = [part for part in parts if any(name in part.get(section, {}) for name in names)]
    target = saying[-1] if saying else parts[0]
    if inherited and len(saying) == 1 and set(names) & target[section].keys() == {row.name}:
        del target[section][row.name]
        if not target[section]:
            del target[section]
        return
    controls = target.setdefault(section, {})
    controls[row.name] = _with_unknown(row, controls.get(row.name), value)


def _with_unknown(row: Control, before: Any, value: Any) -> Any:
    """The passes with what the same ones say and this Finisher does not know; another control's value as it is."""
    if row.item is None or not isinstance(before, (list, tuple)) or len(before) != len(value):
        return value
    known = {inner.name for inner in controls_of(row.item)}
    return [
        {**{name: kept for name, kept in old.items() if name not in known}, **new} if isinstance(old, Mapping) else new
        for old, new in zip(before, value)
    ]


def _left(parts: Mapping[str, _Part]) -> dict[str, _Part]:
    return {key: part for key, part in parts.items() if part}


def _copied(data: Fragment) -> _Part:
    return {section: dict(controls) for section, controls in data.items()}
