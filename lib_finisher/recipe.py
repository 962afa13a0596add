"""A recipe: the settings of every stage together, read from and written to JSON.

A recipe says in "version" which defaults stand for what it leaves out; without it, those of version 1. It may say in
"family" of which model family they are, so that it means the same on another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from lib_finisher.controls import (
    Control,
    SettingsError,
    controls_of,
    defaults,
    differences,
    read,
    unknown_control,
    write,
)
from lib_finisher.hints import MOST_HINTS, did_you_mean
from lib_finisher.json_text import MOST_LEVELS, JsonError, is_shallow, parse_json, shown
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.base import BaseSettings
from lib_finisher.stages.sections import STAGE_SETTINGS

SCHEMA, FIRST = 2, 1
"""The version of recipes that is written, and that of data which names none.

Version 2 switches on only what nobody would take back: in version 1, refine, texture and grade were on too.
"""
VERSION, FAMILY = "version", "family"
ABOUT = (VERSION, FAMILY)
"""What recipe data says besides its stages."""
SWITCH = "enabled"
_LONGEST_KEY = 80

SECTIONS: Mapping[str, type] = MappingProxyType({BASE: BaseSettings, **STAGE_SETTINGS})
"""What a recipe consists of: how the picture is taken, then the stages in their order."""


@dataclass(frozen=True)
class Recipe:
    """The settings of "base" and of every stage, by name."""

    sections: Mapping[str, Any]

    def __getitem__(self, section: str) -> Any:
        return self.sections[section]

    def changed(self, section: str, settings: Any) -> Recipe:
        """The recipe with other settings for one stage, or for "base"."""
        return replace(self, sections=MappingProxyType({**self.sections, section: settings}))


def default_recipe(family: str = "", version: int = SCHEMA) -> Recipe:
    """What a model family starts from, in recipes of that version."""
    sections: dict[str, Any] = {name: defaults(kind, family, version) for name, kind in SECTIONS.items()}
    return Recipe(MappingProxyType(sections))


def version_of(data: Mapping[str, Any]) -> int:
    """The version that recipe data is written in. Raises SettingsError for one that is not known."""
    version = data.get(VERSION, FIRST)
    if isinstance(version, bool) or not isinstance(version, (int, float)) or version not in range(FIRST, SCHEMA + 1):
        raise SettingsError(
            [f"{VERSION}: {shown(version)} is not accepted; this Finisher reads versions {FIRST} to {SCHEMA}."]
        )
    return int(version)


def read_recipe(data: Any, family: str = "") -> Recipe:
    """A recipe from JSON data; what it leaves out has the family's default in the version that the data names.

    The family is the one that the data names; where it names none, the one given.

    Raises SettingsError with a line for every stage or control that is unknown or has a value that is not accepted.
    """
    if not isinstance(data, Mapping):
        raise SettingsError([f"recipe: {type(data).__name__} is not accepted; it must be an object of stages."])
    if not is_shallow(data):
        raise SettingsError([f"recipe: it is nested deeper than {MOST_LEVELS} levels."])
    problems: list[str] = []
    version = SCHEMA
    try:
        version = version_of(data)
    except SettingsError as error:
        problems += error.problems
    family = data.get(FAMILY, family)
    if not isinstance(family, str):
        problems.append(f"{FAMILY}: {shown(family)} is not accepted; it must be the id of a model family.")
        family = ""
    for key in data:
        if key not in ABOUT and key not in SECTIONS:
            hint = did_you_mean(str(key), SECTIONS, told=len(problems))
            stages = f" Stages: {', '.join(SECTIONS)}." if len(problems) < MOST_HINTS else ""
            problems.append(f"{str(key)[:_LONGEST_KEY]}: there is no such stage.{hint}{stages}")
    sections: dict[str, Any] = {}
    for name, settings in SECTIONS.items():
        try:
            sections[name] = read(settings, data.get(name, {}), where=name, family=family, version=version)
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return Recipe(MappingProxyType(sections))


def write_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON data, every control named; `read_recipe` gives the same recipe back."""
    return {VERSION: SCHEMA, **{name: write(recipe[name]) for name in SECTIONS}}


def recorded(recipe: Recipe, family: str = "", by_hand: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What differs from the family's defaults, as JSON data that names it: `read_recipe` makes the same recipe of it.

    What recipe data says `by_hand` is written even where it is a default.
    """
    data = changed_sections(recipe, family)
    for section in SECTIONS.keys() & (by_hand or {}).keys():
        said = (by_hand or {})[section]
        if isinstance(said, Mapping):
            controls = _as_said(recipe[section], said, data.get(section, {}))
            data = {**data, section: controls} if controls else data
    ordered = {name: data[name] for name in SECTIONS if name in data}
    return {VERSION: SCHEMA, **({FAMILY: family} if family else {}), **ordered}


def _as_said(settings: Any, said: Mapping[str, Any], differing: Mapping[str, Any]) -> dict[str, Any]:
    """What differs, and what is said with the value that it has, in the order of the table."""
    data: dict[str, Any] = {}
    for row in controls_of(type(settings)):
        value = getattr(settings, row.name)
        if row.name not in said and row.name not in differing:
            continue
        if row.kind == "passes":
            mine, theirs = _dicts(said.get(row.name)), _dicts(differing.get(row.name))
            data[row.name] = [
                _as_said(item, *(parts[at] if at < len(parts) else {} for parts in (mine, theirs)))
                for at, item in enumerate(value)
            ]
        else:
            data[row.name] = value
    return data


def _dicts(passes: Any) -> list[Mapping[str, Any]]:
    listed = passes if isinstance(passes, (list, tuple)) else []
    return [item if isinstance(item, Mapping) else {} for item in listed]


def of_any_family(data: Mapping[str, Any]) -> dict[str, Any]:
    """Recipe data that means the same under any family: what it leaves to the one that it names is said in it.

    Nothing is checked, and data that names no family is taken as it is. Stages that are off are left alone.
    """
    family, version = data.get(FAMILY), data.get(VERSION, FIRST)
    result = {name: value for name, value in data.items() if name != FAMILY}
    if not isinstance(family, str) or version not in range(FIRST, SCHEMA + 1):
        return result
    for section, settings in SECTIONS.items():
        own = data.get(section, {})
        start: Any = defaults(settings, family, version)
        if isinstance(own, Mapping) and own.get(SWITCH, getattr(start, SWITCH, True)):
            said = _with_defaults(controls_of(settings), own, start, family, version)
            result |= {section: said} if said else {}
    return result


def _with_defaults(
    rows: Sequence[Control], own: Mapping[str, Any], start: Any, family: str, version: int
) -> dict[str, Any]:
    said = dict(own)
    for row in rows:
        if row.kind != "passes" or row.item is None:
            if row.varies:
                said.setdefault(row.name, getattr(start, row.name))
            continue
        inner, listed = controls_of(row.item), own.get(row.name)
        if not any(item.varies for item in inner):
            continue
        if listed is None:
            listed = [differences(item, family, version) for item in getattr(start, row.name)]
        if isinstance(listed, (list, tuple)):
            plain: Any = defaults(row.item, family, version)
            said[row.name] = [
                _with_defaults(inner, item, plain, family, version) if isinstance(item, Mapping) else item
                for item in listed
            ]
    return said


def changed_sections(recipe: Recipe, family: str = "") -> dict[str, dict[str, Any]]:
    """What differs from the family's defaults of today, by the stage."""
    changed = {name: differences(recipe[name], family) for name in SECTIONS}
    return {name: data for name, data in changed.items() if data}


def assign(data: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Recipe data with `stage.control=value` texts applied in turn.

    The value is read as JSON and, where it is none, as a text. A control of a stage's passes is set in every pass, or
    in the one that is numbered from 1: `detail.1.confidence=0.4`. From version 2 on, a stage that something is set of
    is switched on, unless the data or an assignment says its switch. Raises SettingsError for a text of another form;
    whether control and value are accepted is `read_recipe`'s affair.
    """
    result = json.loads(json.dumps(dict(data)))
    version = result.get(VERSION, FIRST)
    problems: list[str] = []
    touched: list[str] = []
    for text in assignments:
        path, equals, value = text.partition("=")
        parts = path.strip().split(".")
        if len(parts) > 2 and parts[1] == "passes":
            del parts[1]
        if not equals or len(parts) not in (2, 3) or not all(parts):
            problems.append(f"{text!r}: expected stage.control=value, for example grade.contrast=0.2.")
        elif not isinstance(result.setdefault(parts[0], {}), dict):
            problems.append(f"{parts[0]}: the recipe file has no object there, so {path} cannot be set.")
        else:
            _assign(result, parts, value.strip(), text, version, problems)
            touched.append(parts[0])
    if problems:
        raise SettingsError(problems)
    for section in touched:
        if version != FIRST and any(row.name == SWITCH for row in controls_of(SECTIONS.get(section, BaseSettings))):
            result[section].setdefault(SWITCH, True)
    return result


def _assign(data: dict[str, Any], parts: list[str], value: str, text: str, version: int, problems: list[str]) -> None:
    settings, section = data[parts[0]], SECTIONS.get(parts[0])
    own = {item.name: item for item in controls_of(section)} if section is not None else {}
    row = next((item for item in own.values() if item.kind == "passes"), None)
    known = [name for name, item in own.items() if item.kind != "passes" and len(parts) == 2]
    known += [item.name for item in controls_of(row.item)] if row is not None and row.item is not None else []
    if section is not None and parts[-1] not in {*known, *own}:
        problems.append(unknown_control(".".join(parts), parts[-1], known))
        return
    if len(parts) == 2 and (row is None or row.item is None or parts[1] in own):
        settings[parts[1]] = _value(value, own.get(parts[1]))
        return
    if row is None or row.item is None:
        problems.append(f"{text!r}: the stage {parts[0]} has no passes.")
        return
    passes = settings.setdefault("passes", [differences(item) for item in row.default_for("", version)])
    if not isinstance(passes, list) or not all(isinstance(item, dict) for item in passes):
        problems.append(f"{parts[0]}.passes: the recipe has no list of passes there, so {text!r} cannot be set.")
        return
    if len(parts) == 2:
        chosen = list(passes)
    elif parts[1].isdigit() and 1 <= int(parts[1]) <= len(passes):
        chosen = [passes[int(parts[1]) - 1]]
    else:
        problems.append(f"{text!r}: {parts[1]!r} is not the number of a pass; {parts[0]} has 1 to {len(passes)}.")
        return
    control = next((item for item in controls_of(row.item) if item.name == parts[-1]), None)
    for item in chosen:
        item[parts[-1]] = _value(value, control)


_SWITCHES: Mapping[str, bool] = MappingProxyType({"true": True, "false": False})
# What people write and JSON does not have: .3, +0.3, 3.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def _value(text: str, control: Control | None) -> Any:
    """The value that a text stands for: JSON where it is any, but for a control that holds a text the text itself.

    "True" and "FALSE" are a switch's as well, and ".3" and "+0.3" a number's.
    """
    kind = control.kind if control is not None else ""
    if kind == "switch" and text.lower() in _SWITCHES:
        return _SWITCHES[text.lower()]
    if kind in ("integer", "number") and _NUMBER.fullmatch(text):
        number = float(text)
        return int(number) if number.is_integer() else number
    try:
        value = parse_json(text)
    except JsonError:
        return text
    return text if kind in ("text", "choice") and not isinstance(value, str) else value
