"""Recipe data that names only what differs: checked control by control, laid over one another, compared."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib_finisher.controls import Control, SettingsError, controls_of, differences, read, write
from lib_finisher.hints import did_you_mean
from lib_finisher.presets.preset import Fragment
from lib_finisher.recipe import ABOUT, FAMILY, FIRST, SCHEMA, SECTIONS, VERSION, Recipe, read_recipe

MISSING = object()
EVERY = "every"
_MOST = 1e300
"""Beside a stage's controls: what holds in every one of its passes, {"detail": {"every": {"steps": 12}}}."""


@dataclass(frozen=True)
class Inherited:
    """What a recipe starts from: what presets `say`, and the version of recipes that all of them mean the same in."""

    said: Fragment
    version: int = SCHEMA

    def recipe(self, family: str) -> Recipe:
        """The recipe itself under that family."""
        return read_recipe({VERSION: self.version, **expanded(self.said, self.version)}, family)


def usable(data: Fragment, where: str = "") -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """What this Finisher can use of recipe data, and a line for each thing that it cannot.

    A control that it does not know, or a value that is not accepted, is left out alone; the rest counts.
    """
    notes: list[str] = []
    clean: dict[str, dict[str, Any]] = {}
    for section, controls in data.items():
        settings = SECTIONS.get(section)
        if settings is None:
            notes += [f"{where}{section}: there is no such stage here; it is left out"] if section not in ABOUT else []
            continue
        kept = _usable_controls(settings, controls, f"{where}{section}", notes)
        if kept:
            clean[section] = kept
    return clean, tuple(notes)


def known_part(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Recipe data without stages and controls that this Finisher does not know, and a line for each that is left out.

    Of a recipe of a newer version, what is known counts, with the defaults of the newest known one. Whether the values
    of the others are accepted is `recipe.read_recipe`'s affair: what a program asks for is refused where it is wrong,
    not replaced.
    """
    notes: list[str] = []
    known: dict[str, Any] = {}
    for section, controls in data.items():
        settings = SECTIONS.get(section)
        if section == VERSION and _is_newer(controls):
            known[VERSION] = SCHEMA
            notes.append(
                f"the recipe is of version {controls:g}, this Finisher reads {SCHEMA} at most: what it knows is used"
            )
        elif settings is None and section not in ABOUT:
            hint = did_you_mean(section, list(SECTIONS), told=len(notes))
            notes.append(f"{section}: there is no such stage here, so it is left out.{hint}")
        else:
            known[section] = _known_controls(settings, controls, section, notes) if settings else controls
    return known, tuple(notes)


def accepted_part(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Recipe data as `known_part` gives it, also without values that are not accepted, and a line for each thing that
    is left out: what comes with a picture, or stands on a page, is not typed anew by anybody."""
    known, lines = known_part(data)
    notes = list(lines)
    kept: dict[str, Any] = {}
    stages: dict[str, Mapping[str, Any]] = {}
    for key, value in known.items():
        if key in SECTIONS and isinstance(value, Mapping):
            stages[key] = value
        elif key in SECTIONS:
            notes.append(f"{key}: {value!r:.60} is not accepted; it must be an object of controls; it is left out")
        elif key == VERSION and not _is_version(value):
            notes.append(f"{VERSION}: {value!r:.60} is not the number of a version; it is left out")
        elif key == FAMILY and not isinstance(value, str):
            notes.append(f"{FAMILY}: {value!r:.60} is not the id of a model family; it is left out")
        else:
            kept[key] = value
    usable_stages, more = usable(stages)
    return {**kept, **usable_stages}, (*notes, *more)


def _is_version(value: Any) -> bool:
    return _is_number(value) and value in range(FIRST, SCHEMA + 1)


def _is_newer(value: Any) -> bool:
    return _is_number(value) and value == value // 1 and value > SCHEMA


def _is_number(value: Any) -> bool:
    # Compared, not converted: JSON's whole numbers may be too long for a float.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_MOST < value < _MOST


def _known_controls(settings: type, controls: Any, where: str, notes: list[str]) -> Any:
    if not isinstance(controls, Mapping):
        return controls
    rows = {row.name: row for row in controls_of(settings)}
    known: dict[str, Any] = {}
    for name, value in controls.items():
        row = rows.get(name)
        if row is None:
            hint = did_you_mean(str(name), list(rows), told=len(notes))
            notes.append(f"{where}.{name}: there is no such control here, so it is left out.{hint}")
        elif row.item is not None and isinstance(value, list):
            known[name] = [
                _known_controls(row.item, item, f"{where}.{name}.{number}", notes)
                for number, item in enumerate(value, 1)
            ]
        else:
            known[name] = value
    return known


def laid_over(below: Fragment, above: Fragment) -> dict[str, dict[str, Any]]:
    """Both, control by control, `above` winning.

    A list of passes is one value: it takes the place of the other. What `below` says of every pass holds for those of
    `above` too, as far as they do not say otherwise themselves.
    """
    merged = {section: dict(controls) for section, controls in below.items()}
    for section, controls in above.items():
        before = merged.get(section, {})
        every = {**before.get(EVERY, {}), **controls.get(EVERY, {})}
        merged[section] = {**before, **controls}
        if every:
            merged[section][EVERY] = every
        passes = passes_of(section)
        if passes is None or not every:
            continue
        if passes.name in controls:
            merged[section][passes.name] = [
                {**every, **item} if isinstance(item, Mapping) else item for item in controls[passes.name]
            ]
        elif passes.name in before:
            merged[section][passes.name] = [{**item, **controls.get(EVERY, {})} for item in before[passes.name]]
    return merged


def expanded(data: Fragment, version: int = SCHEMA) -> dict[str, dict[str, Any]]:
    """Recipe data as `recipe.read_recipe` knows it: what is said of every pass stands in each of them.

    `version` is that of the recipe, whose passes they are where the data has no list of its own.
    """
    told: dict[str, dict[str, Any]] = {}
    for section, controls in data.items():
        told[section] = {name: value for name, value in controls.items() if name != EVERY}
        passes = passes_of(section)
        if passes is not None and EVERY in controls and passes.name not in controls:
            told[section][passes.name] = [
                {**differences(item), **controls[EVERY]} for item in passes.default_for("", version)
            ]
    return told


@functools.lru_cache(maxsize=64)
def passes_of(section: str) -> Control | None:
    """The control of a stage that holds its passes, if it has any."""
    settings = SECTIONS.get(section)
    rows = controls_of(settings) if settings is not None else ()
    return next((row for row in rows if row.kind == "passes"), None)


def changes(shown: Recipe, below: Inherited, family: str) -> dict[str, dict[str, Any]]:
    """What to lay over `below` so that it becomes `shown` under that family: what differs, passes as a whole."""
    inherited = below.recipe(family)
    told: dict[str, dict[str, Any]] = {}
    for section, settings in SECTIONS.items():
        differing = {
            row.name: written(
                row,
                getattr(shown[section], row.name),
                family,
                below.said.get(section, {}).get(EVERY, {}),
                below.version,
            )
            for row in controls_of(settings)
            if getattr(shown[section], row.name) != getattr(inherited[section], row.name)
        }
        if differing:
            told[section] = differing
    return told


def written(row: Control, value: Any, family: str, every: Mapping[str, Any], version: int) -> Any:
    """A value as recipe data of that version says it; passes name what differs from the family's, and all that `every`
    names."""
    if row.kind != "passes":
        return value
    # What is said below of every pass must be answered, even with a default.
    return [{**{name: getattr(item, name) for name in every}, **differences(item, family, version)} for item in value]


def paths(data: Fragment) -> dict[str, Any]:
    """Each value by its path: "refine.steps", "detail.passes.1.confidence", and "detail.passes" for the number."""
    told: dict[str, Any] = {}
    for section, controls in data.items():
        for name, value in controls.items() if isinstance(controls, Mapping) else ():
            if name == EVERY and isinstance(value, Mapping):
                told |= {f"{section}.{EVERY}.{key}": inner for key, inner in value.items()}
            elif isinstance(value, list):
                told[f"{section}.{name}"] = f"{len(value)} passes" if len(value) != 1 else "1 pass"
                for number, item in enumerate(value, 1):
                    pairs = item.items() if isinstance(item, Mapping) else ()
                    told |= {f"{section}.{name}.{number}.{key}": inner for key, inner in pairs}
            else:
                told[f"{section}.{name}"] = value
    return told


def all_paths(recipe: Recipe) -> dict[str, Any]:
    """Every value of a whole recipe by its path."""
    return paths({section: write(recipe[section]) for section in SECTIONS})


def compared(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[tuple[str, Any, Any], ...]:
    """(path, value of the first, value of the second) where they differ; MISSING where one says nothing."""
    keys = dict.fromkeys([*first, *second])
    rows = ((key, first.get(key, MISSING), second.get(key, MISSING)) for key in keys)
    return tuple(row for row in rows if row[1] is MISSING or row[2] is MISSING or row[1] != row[2])


def _usable_controls(settings: type, controls: Mapping[str, Any], where: str, notes: list[str]) -> dict[str, Any]:
    rows = {row.name: row for row in controls_of(settings)}
    passes = next((row for row in rows.values() if row.kind == "passes"), None)
    kept: dict[str, Any] = {}
    for name, value in controls.items():
        row = rows.get(name)
        if name == EVERY and passes is not None and passes.item is not None and isinstance(value, Mapping):
            every = _usable_controls(passes.item, value, f"{where}.{EVERY}", notes)
            if every:
                kept[EVERY] = every
            continue
        if row is not None and row.kind == "passes" and row.item is not None and isinstance(value, (list, tuple)):
            kept_passes = [
                _usable_controls(row.item, item, f"{where}.{name}.{number}", notes)
                for number, item in enumerate(value, 1)
                if isinstance(item, Mapping)
            ]
            wrong = [(number, item) for number, item in enumerate(value, 1) if not isinstance(item, Mapping)]
            if kept_passes:
                notes += [f"{where}.{name}.{number}: {item!r:.60} is no pass; it is left out" for number, item in wrong]
                value = kept_passes
        if _accepted(settings, name, value, where, notes):
            kept[name] = value
    return kept


def _accepted(settings: type, name: str, value: Any, where: str, notes: list[str]) -> bool:
    try:
        read(settings, {name: value}, where=where)
    except SettingsError as error:
        # The list of all controls at the end of the message is for whoever types one.
        notes.append(error.problems[0].partition(" Accepted here:")[0].removesuffix(".") + "; it is left out")
        return False
    return True
