"""A preset's file that was edited by hand: what is wrong is left out alone, with a note, and the rest holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lib_finisher.presets.preset import RULES, SHAPES, TEXTS
from lib_finisher.recipe import FIRST, VERSION

_EVERY = "every"


def repaired(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Data of today's schema without what has another form than it must, and a line for each thing left out."""
    notes: list[str] = []
    good = dict(data)
    for key in ("name", *TEXTS):
        _keep(good, key, str, "a text", key, notes)
    for key, kind, noun in SHAPES:
        _keep(good, key, kind, noun, key, notes)
    if "recipe" in good:
        good["recipe"] = _stages(good["recipe"], "recipe", notes)
    for parts_of in ("families", "variants"):
        parts = dict(good.get(parts_of, {}))
        for key in list(parts):
            _keep(parts, key, dict, "an object of stages", f"{parts_of}.{key}", notes)
        if parts_of in good:
            good[parts_of] = {key: _stages(part, f"{parts_of}.{key}", notes) for key, part in parts.items()}
    if "match" in good:
        rules = dict(good["match"])
        _keep(rules, "everything", bool, "true or false", "match.everything", notes)
        for rule in RULES:
            _keep_texts(rules, rule, f"match.{rule}", notes)
        good["match"] = rules
    if "instead" in good:
        names = dict(good["instead"])
        for key in list(names):
            _keep_texts(names, key, f"instead.{key}", notes)
        good["instead"] = names
    return good, tuple(notes)


def _stages(recipe: Mapping[str, Any], where: str, notes: list[str]) -> dict[str, Any]:
    good = dict(recipe)
    for section in list(good):
        if section == VERSION:
            value = good[VERSION]
            if isinstance(value, bool) or not isinstance(value, int) or value < FIRST:
                _drop(good, VERSION, "the number of a version", f"{where}.{VERSION}", notes)
            continue
        if section == "family":
            continue
        _keep(good, section, dict, "an object of controls", f"{where}.{section}", notes)
        controls = dict(good.get(section, {}))
        _keep(controls, _EVERY, dict, "an object of controls", f"{where}.{section}.{_EVERY}", notes)
        if section in good:
            good[section] = controls
    return good


def _keep(data: dict[str, Any], key: str, kind: type, noun: str, where: str, notes: list[str]) -> None:
    if key in data and not isinstance(data[key], kind):
        _drop(data, key, noun, where, notes)


def _keep_texts(data: dict[str, Any], key: str, where: str, notes: list[str]) -> None:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        _drop(data, key, "a list of texts", where, notes)


def _drop(data: dict[str, Any], key: str, noun: str, where: str, notes: list[str]) -> None:
    shown = repr(data.pop(key))
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    notes.append(f"{where}: {shown} is not accepted, it must be {noun}; it is left out")
