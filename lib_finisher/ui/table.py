"""The table of controls as the page needs it. No gradio here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lib_finisher.controls import Control, controls_of, differences
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


def page_table(offer: Offer, family: str = "", with_base: bool = False) -> dict[str, Any]:
    """The stages in order, each with its controls, as JSON data for the page's script.

    With the base's row where a picture is given (img2img).
    """
    table: dict[str, Any] = {"stages": [_stage(stage, offer, family) for stage in STAGES]}
    if with_base:
        table["base"] = {
            "name": base.NAME,
            "label": base.LABEL,
            "help": "How the picture and its mask are taken.",
            "controls": [_control(row, offer, family) for row in controls_of(base.BaseSettings)],
        }
    return table


def _stage(stage: Any, offer: Offer, family: str) -> dict[str, Any]:
    rows = controls_of(stage.settings)
    told: dict[str, Any] = {
        "name": stage.name,
        "label": stage.label,
        "help": next(row.help for row in rows if row.name == "enabled"),
        "enabled": next(bool(row.default_for(family)) for row in rows if row.name == "enabled"),
        "controls": [_control(row, offer, family) for row in rows if row.kind != "passes" and row.name != "enabled"],
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
    if row.families:
        told["varies"] = True
    if row.name in offer.missing:
        told["missing"] = True
    offered = list(row.choices) or list(offer.choices.get(row.name, ()))
    if offered:
        told["choices"] = offered
    if row.name in offer.suggested:
        told["suggested"] = {choice: dict(values) for choice, values in offer.suggested[row.name].items()}
    return told
