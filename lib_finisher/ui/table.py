"""The table of controls as the page needs it. No gradio here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lib_finisher.controls import Control, controls_of, differences
from lib_finisher.recipe import SCHEMA
from lib_finisher.stages import base
from lib_finisher.stages.order import STAGES

Choices = Mapping[str, Sequence[str]]
"""What a text control offers on this host, by the control's name: samplers, checkpoints, detectors, upscalers."""


@dataclass(frozen=True)
class Offer:
    """What the engine has for the controls: choices by the control's name, and the controls it can do nothing with.

    `suggested` is what a pass is set to when a choice is made, by the control's name and the choice.
    """

    choices: Choices
    missing: frozenset[str] = frozenset()
    suggested: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)


def page_table(offer: Offer, family: str = "") -> dict[str, Any]:
    """The base's row and the stages in order, each with its controls, as JSON data for the page's script.

    "version" is that of recipes. What a host offers stands once, under "choices"; a control names the list that it
    takes from there in "offers".
    """
    choices = {name: list(values) for name, values in offer.choices.items() if values}
    return {
        "version": SCHEMA,
        "choices": choices,
        "base": {
            "name": base.NAME,
            "label": base.LABEL,
            "help": "What the stages start from: the picture, its mask and its refiner.",
            "controls": [_control(row, offer, family) for row in controls_of(base.BaseSettings)],
        },
        "stages": [_stage(stage, offer, family) for stage in STAGES],
    }


def _stage(stage: Any, offer: Offer, family: str) -> dict[str, Any]:
    rows = controls_of(stage.settings)
    # What is suggested with a choice is meant for a pass.
    plain = replace(offer, suggested={})
    told: dict[str, Any] = {
        "name": stage.name,
        "label": stage.label,
        "help": next(row.help for row in rows if row.name == "enabled"),
        "enabled": next(bool(row.default_for(family)) for row in rows if row.name == "enabled"),
        "controls": [_control(row, plain, family) for row in rows if row.kind != "passes" and row.name != "enabled"],
    }
    for row in rows:
        if row.kind == "passes" and row.item is not None:
            told["passes"] = {
                "most": int(row.maximum or 1),
                "default": [differences(item) for item in row.default],
                "controls": [_control(item, offer, family) for item in _own_first(row.item)],
            }
    return told


def _own_first(settings: type) -> list[Control]:
    """The rows with those that the class itself declares first, in its order, before what every diffusing pass has."""
    own = list(settings.__annotations__)
    return sorted(controls_of(settings), key=lambda row: own.index(row.name) if row.name in own else len(own))


def _control(row: Control, offer: Offer, family: str) -> dict[str, Any]:
    told = {
        "name": row.name,
        "kind": row.kind,
        "label": row.label,
        "help": row.help,
        "default": row.default_for(family),
        "prominent": row.prominent,
    }
    if row.group:
        told["group"] = row.group
    if row.kind in ("integer", "number"):
        told |= {"minimum": row.minimum, "maximum": row.maximum, "step": row.step}
    if row.empty:
        told["empty"] = row.empty
    if row.bands:
        told["bands"] = [list(band) for band in row.bands]
    if row.families:
        told["varies"] = True
    if row.several:
        told["several"] = True
    if row.tabs:
        told["tabs"] = list(row.tabs)
    if row.name in offer.missing:
        told["missing"] = True
    if row.choices:
        told["choices"] = list(row.choices)
    elif offer.choices.get(row.name):
        told["offers"] = row.name
    if row.name in offer.suggested:
        told["suggested"] = {choice: dict(values) for choice, values in offer.suggested[row.name].items()}
    return told
