"""Presets as one file for somebody else, and what an import would do before it does it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lib_finisher.controls import SettingsError
from lib_finisher.json_text import read_json
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.fragment import Inherited, compared, paths, usable
from lib_finisher.presets.migrations import MARK, SCHEMA
from lib_finisher.presets.missing import Here, missing_names
from lib_finisher.presets.preset import Preset, check_rules, key_of, parse, read_preset
from lib_finisher.presets.store import NEW, PresetStore
from lib_finisher.recipe import VERSION

BUNDLE, BUNDLE_SCHEMA = "finisher_presets", 1
MOST_PRESETS = 500
NEW_HERE, SAME, DIFFERS, LOCKED = "new", "same", "differs", "locked"
KEEP, REPLACE, RENAME = "keep", "replace", "rename"
# Without quotes only where it holds neither comma nor colon: an empty recipe of version 1.
_TOLD = re.compile(r'(?:^|, )Finisher: ("(?:[^"\\]|\\.)*"|\{\})')

Change = tuple[str, Any, Any]
"""A path, what is there and what comes; `fragment.MISSING` where one says nothing."""


@dataclass(frozen=True)
class Preview:
    """What importing a preset would meet.

    `state` is "new", "same" (nothing to do), "differs" or "locked". `changes` are those against the preset of that name
    that is here; `missing` names models that are not here, and `notes` what this Finisher cannot use.
    """

    preset: Preset
    state: str
    changes: tuple[Change, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def export(presets: Iterable[Preset]) -> str:
    """One or many presets as the text of a file; `read_bundle` gives the same presets back."""
    data = {BUNDLE: BUNDLE_SCHEMA, "presets": [item.as_json() for item in presets]}
    return json.dumps(data, indent=2, ensure_ascii=True) + "\n"


def read_bundle(text: bytes | str, name: str = "imported") -> tuple[Preset, ...]:
    """The presets of a file: one that was exported, that of one preset, or a bare recipe, which gets `name`.

    Values are data: nothing of them is run, and no path of them is used. Raises PresetError.
    """
    data, notes = parse(text)
    if not isinstance(data, Mapping) or BUNDLE not in data:
        presets = [read_preset(data, name)]
    else:
        schema, items = data[BUNDLE], data.get("presets")
        if schema != BUNDLE_SCHEMA:
            raise PresetError(f"{BUNDLE}: {schema!r} is not {BUNDLE_SCHEMA}, the one read here. Update Finisher.")
        if not isinstance(items, list) or not 1 <= len(items) <= MOST_PRESETS:
            raise PresetError(f"presets: it must be a list of 1 to {MOST_PRESETS} presets.")
        presets = [read_preset(item, f"{name} {number}") for number, item in enumerate(items, 1)]
    keys = [item.key for item in presets]
    for preset in presets:
        check_rules(preset.match)
        if keys.count(preset.key) > 1:
            raise PresetError(f"the name {preset.name!r} is there more than once. Rename one in the file.")
    return tuple(replace(preset, left_out=(*preset.left_out, *notes)) for preset in presets)


def preview(presets: Sequence[Preset], there: Sequence[Preset], here: Here | None = None) -> tuple[Preview, ...]:
    """What importing would do, without doing it; `there` are the user's presets, `here` what the host has."""
    known = {item.key: item for item in there}
    return tuple(_preview(preset, known.get(preset.key), here or {}) for preset in presets)


def import_presets(presets: Sequence[Preset], store: PresetStore, how: str) -> tuple[tuple[Preset, str], ...]:
    """Store presets; each with what became of it: "new", "same", "kept", "replaced" or "renamed".

    `how` says what becomes of one whose name is taken by another: KEEP what is here, REPLACE it (a backup stays), or
    RENAME the one that comes. Raises PresetError, Locked among them; what came before in the list is stored then.
    """
    if how not in (KEEP, REPLACE, RENAME):
        raise PresetError(f"{how!r} is not accepted; it must be {KEEP}, {REPLACE} or {RENAME}.")
    told = []
    for preset in presets:
        known = {item.key: item for item in store.load().presets}
        before = known.get(preset.key)
        if before is None:
            told.append((store.save(preset, NEW), "new"))
        elif _same(before, preset):
            told.append((before, "same"))
        elif how == KEEP:
            told.append((before, "kept"))
        elif how == REPLACE:
            told.append((store.save(preset, before.revision), "replaced"))
        else:
            told.append((store.save(replace(preset, name=free_name(preset.name, known)), NEW), "renamed"))
    return tuple(told)


def difference(first: Preset, second: Preset) -> tuple[Change, ...]:
    """What the presets say otherwise: (path, the first's value, the second's), for families and variants too."""
    return compared(_said(first), _said(second))


def free_name(name: str, taken: Mapping[str, Any]) -> str:
    """The name with a number that makes it new among the keys of `taken`."""
    number, told = 2, name
    while key_of(told) in taken:
        told, number = f"{name} ({number})", number + 1
    return told


def from_infotext(text: str, name: str) -> Preset:
    """The preset that makes what a picture's infotext tells of Finisher. Raises PresetError where it tells nothing."""
    found = _TOLD.search(text.strip().rpartition("\n")[2])
    if found is None:
        raise PresetError("there is no recipe of Finisher in this infotext.")
    try:
        data, notes = read_json(found[1])
    except ValueError as error:
        raise PresetError(f"Finisher's part of this infotext is damaged ({error}).") from error
    if isinstance(data, str):
        data, notes = parse(data)
    return replace(from_recipe(data, name), left_out=notes)


def from_recipe(data: Any, name: str) -> Preset:
    """A preset of recipe data as the infotext, a finished picture or the command line has it. Raises PresetError."""
    if isinstance(data, Mapping) and isinstance(data.get("recipe"), Mapping) and MARK not in data:
        # What the command line writes into its pictures has the recipe beside how it was run.
        data = data["recipe"]
    if not isinstance(data, Mapping):
        raise PresetError("a recipe is an object of stages.")
    return read_preset({MARK: SCHEMA, "name": name, "recipe": data})


def _preview(preset: Preset, before: Preset | None, here: Here) -> Preview:
    clean, notes = usable(preset.recipe)
    notes = (*preset.left_out, *notes)
    try:
        missing = missing_names(Inherited(clean, preset.version).recipe(""), here)
    except SettingsError as error:
        missing, notes = (), (*notes, *error.problems)
    if before is None:
        return Preview(preset, NEW_HERE, (), missing, notes)
    if _same(before, preset):
        return Preview(preset, SAME, (), missing, notes)
    return Preview(preset, LOCKED if before.locked else DIFFERS, difference(before, preset), missing, notes)


def _same(first: Preset, second: Preset) -> bool:
    return replace(first, changed=second.changed, created=second.created, locked=second.locked) == second


def _said(preset: Preset) -> dict[str, Any]:
    told: dict[str, Any] = {
        name: value for name, value in preset.as_json().items() if isinstance(value, str) and name in _TEXTS
    }
    told[f"recipe.{VERSION}"] = preset.version
    told |= {f"match.{rule}": value for rule, value in preset.match.as_json().items()}
    told |= paths(preset.recipe)
    for kind, parts in (("families", preset.families), ("variants", preset.variants)):
        for key, part in parts.items():
            told |= {f"{kind}.{key}.{path}": value for path, value in paths(part).items()}
    return told


_TEXTS = ("stage", "about", "notes", "author")
