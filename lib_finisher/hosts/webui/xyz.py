"""Axes for the host's X/Y/Z plot, made from the table of controls.

What a cell varies is kept on its own processing object: the script's arguments are common to all cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from modules import script_callbacks, scripts

from lib_finisher.controls import Control, SettingsError, controls_of
from lib_finisher.presets.preset import AUTO, NONE, key_of
from lib_finisher.recipe import assign, read_recipe
from lib_finisher.stages.order import STAGES

PREFIX = "[Finisher] "
_GRID = "xyz_grid.py"
_CELL, _PRESET = "_finisher_cell", "_finisher_cell_preset"
Names = Callable[[], Sequence[str]]
"""Lists the presets that there are."""

_SWITCH = {"on": "true", "off": "false"}


def register(names: Names) -> None:
    """Add the axes when the host builds its page; the plot's script is loaded by then."""
    script_callbacks.on_before_ui(lambda: add(names))


def add(names: Names) -> None:
    """Add the axes to the plot that the page uses, once, where there is one."""
    grid = next((item.module for item in scripts.scripts_data if item.script_class.__module__ == _GRID), None)
    if grid is not None and not any(str(option.label).startswith(PREFIX) for option in grid.axis_options):
        grid.axis_options.extend(axes(grid.AxisOption, names))


def axes(option: Callable[..., Any], names: Names) -> Iterator[Any]:
    """An axis for each stage's switch and its controls that stand in its row, one for presets, and one for any control
    by its name."""
    for stage in STAGES:
        for row in _rows(stage.settings):
            if row.xyz and (row.prominent or row.name == "enabled"):
                yield _axis(option, f"{stage.label}: {row.label}", f"{stage.name}.{row.name}", row)
    yield option(
        f"{PREFIX}Preset", str, _preset, confirm=_known(names), format_value=_told("Preset"),
        choices=lambda: [AUTO, NONE, *names()], cost=0.5,
    )  # fmt: skip
    yield option(
        f"{PREFIX}Any control", str, _applied("{}"), confirm=_confirming("{}"), format_value=_told("Finisher"),
    )  # fmt: skip


def varied(p: Any) -> tuple[str, tuple[str, ...]]:
    """What this cell of a plot varies: the preset, "" for none of its own, and assignments for `recipe.assign`."""
    return getattr(p, _PRESET, ""), getattr(p, _CELL, ())


def _rows(settings: type) -> list[Control]:
    """The controls of a stage, and of its passes: an axis sets them in every pass."""
    rows = list(controls_of(settings))
    return rows + [inner for row in rows if row.item is not None for inner in controls_of(row.item)]


def _axis(option: Callable[..., Any], label: str, path: str, row: Control) -> Any:
    kind = {"integer": int, "number": float}.get(row.kind, str)
    offered = list(_SWITCH) if row.kind == "switch" else list(row.choices)
    text = f"{path}={{}}"
    return option(
        PREFIX + label, kind, _applied(text), confirm=_confirming(text), format_value=_told(row.label),
        **({"choices": lambda: offered} if offered else {}),
    )  # fmt: skip


def _applied(text: str) -> Callable[[Any, Any, Any], None]:
    def apply(p: Any, value: Any, values: Any) -> None:
        setattr(p, _CELL, (*getattr(p, _CELL, ()), text.format(_SWITCH.get(value, value))))

    return apply


def _confirming(text: str) -> Callable[[Any, Sequence[Any]], None]:
    """Every value is checked before the first cell is drawn."""

    def confirm(p: Any, values: Sequence[Any]) -> None:
        problems: list[str] = []
        for value in values:
            try:
                read_recipe(assign({}, [text.format(_SWITCH.get(value, value))]))
            except SettingsError as error:
                problems += error.problems
        if problems:
            raise SettingsError([f"X/Y/Z plot: {problem}" for problem in problems])

    return confirm


def _preset(p: Any, value: Any, values: Any) -> None:
    setattr(p, _PRESET, str(value))


def _known(names: Names) -> Callable[[Any, Sequence[Any]], None]:
    def confirm(p: Any, values: Sequence[Any]) -> None:
        there = {key_of(name) for name in (AUTO, NONE, *names())}
        missing = [str(value) for value in values if key_of(str(value)) not in there]
        if missing:
            raise SettingsError([f"X/Y/Z plot: there is no preset {name!r}." for name in missing])

    return confirm


def _told(label: str) -> Callable[[Any, Any, Any], str]:
    return lambda p, option, value: f"{label}: {round(value, 4) if isinstance(value, float) else value}"
