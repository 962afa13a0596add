"""What a control is, and everything that is derived from one.

A stage's settings are an ordinary frozen dataclass. Each field made with `control` or `passes` carries the rest of
what the page, the recipe JSON, the infotext, the XYZ axes and the docs need: those fields together ARE the table.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from lib_finisher.hints import MOST_HINTS, did_you_mean
from lib_finisher.json_text import shown

Settings = TypeVar("Settings")

_KEY = "finisher.control"
# Seeds have up to 64 bits; no control counts further.
_MOST = 1 << 64
_LONGEST_KEY = 80
LONGEST_TEXT = 20_000
"""The most characters of a text control: a longer prompt would hold an engine's parsers up for minutes."""
_NO_FAMILIES: Mapping[str, Any] = MappingProxyType({})
_NO_VERSIONS: Mapping[int, Mapping[str, Any]] = MappingProxyType({})


class SettingsError(ValueError):
    """Settings that cannot be used. `problems` has one line for each key that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Control:
    """One row of the table.

    `kind` is "switch", "integer", "number", "choice", "text" or "passes". `families` maps a model family's id to the
    default there. For "passes", `item` is the dataclass of one pass and `maximum` the most there may be. A prominent
    control stands in the stage's row on the page; the others are a click away, under the heading `group` where they
    have one. `tabs` are the tabs it means something in, all of them where it names none. `bands` tells what a number
    means in a few words: (up to and with this value, the words), rising to the maximum. `empty` says what an empty text
    stands for, or what a number's minimum stands for where that is no amount ("as the base"). `several` texts take more
    than one name, with commas between. `before` holds defaults of earlier versions of the recipe: {1: {"": True}} was
    the general one up to and with version 1, and {1: {"flux": 0.3}} that of a family.
    """

    name: str
    kind: str
    default: Any
    label: str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    infotext: str = ""
    xyz: bool = True
    prominent: bool = False
    group: str = ""
    families: Mapping[str, Any] = field(default_factory=lambda: _NO_FAMILIES)
    item: type | None = None
    tabs: tuple[str, ...] = ()
    bands: tuple[tuple[float, str], ...] = ()
    empty: str = ""
    before: Mapping[int, Mapping[str, Any]] = field(default_factory=lambda: _NO_VERSIONS)
    several: bool = False

    def default_for(self, family: str, version: int | None = None) -> Any:
        """The default under a model family, the general one where the family has none of its own.

        `version` is the recipe's, None for today's.
        """
        earlier = [number for number in self.before if version is not None and version <= number]
        then = self.before[min(earlier)] if earlier else {}
        now = self.families.get(family, then.get("", self.default))
        return then.get(family, now)

    @property
    def varies(self) -> bool:
        """Whether the default depends on the model family, or did in an earlier version."""
        return bool(self.families) or any(set(values) - {""} for values in self.before.values())

    def accepted(self) -> str:
        """What values are accepted, in words."""
        if self.kind == "switch":
            return "true or false"
        if self.kind == "choice":
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        if self.kind == "text":
            return f"a text of at most {LONGEST_TEXT} characters"
        if self.kind == "passes":
            return f"a list of 1 to {self.maximum:g} passes, each an object"
        noun = "a whole number" if self.kind == "integer" else "a number"
        return f"{noun} from {self.minimum:g} to {self.maximum:g}"


def control(
    default: Any,
    *,
    label: str,
    help: str,
    minimum: float | None = None,
    maximum: float | None = None,
    step: float | None = None,
    choices: Sequence[str] = (),
    infotext: str = "",
    xyz: bool = True,
    prominent: bool = False,
    group: str = "",
    families: Mapping[str, Any] | None = None,
    tabs: Sequence[str] = (),
    bands: Sequence[tuple[float, str]] = (),
    empty: str = "",
    before: Mapping[int, Mapping[str, Any]] | None = None,
    several: bool = False,
) -> Any:
    """A dataclass field that is also a row of the table; the kind follows from the default and the choices."""
    kind = _kind_of(default, choices)
    if kind in ("integer", "number") and (minimum is None or maximum is None or step is None):
        raise TypeError(f"The control {label!r} needs minimum, maximum and step.")
    row = Control(
        name="",
        kind=kind,
        default=default,
        label=label,
        help=help,
        minimum=minimum,
        maximum=maximum,
        step=step,
        choices=tuple(choices),
        infotext=infotext or label,
        xyz=xyz,
        prominent=prominent,
        group=group,
        families=MappingProxyType(dict(families or {})),
        tabs=tuple(tabs),
        bands=tuple(bands),
        empty=empty,
        before=MappingProxyType(dict(before or {})),
        several=several,
    )
    return field(default=default, metadata={_KEY: row})


def passes(
    item: type,
    default: Sequence[Any],
    *,
    label: str,
    help: str,
    most: int,
    before: Mapping[int, Mapping[str, Any]] | None = None,
) -> Any:
    """A field that holds a tuple of one to `most` pass settings of the dataclass `item`."""
    row = Control(
        name="",
        kind="passes",
        default=tuple(default),
        label=label,
        help=help,
        maximum=float(most),
        item=item,
        infotext=label,
        xyz=False,
        before=MappingProxyType(dict(before or {})),
    )
    return field(default=tuple(default), metadata={_KEY: row})


def controls_of(settings: type) -> tuple[Control, ...]:
    """The rows of a settings dataclass, in the order of its fields."""
    return _rows_of(settings)


@functools.lru_cache(maxsize=256)
def _rows_of(settings: Any) -> tuple[Control, ...]:
    return tuple(
        dataclasses.replace(item.metadata[_KEY], name=item.name)
        for item in dataclasses.fields(settings)
        if _KEY in item.metadata
    )


def defaults(settings: type[Settings], family: str = "", version: int | None = None) -> Settings:
    """The settings a family starts from; `version` is that of the recipe, None for today's."""
    values = {}
    for row in controls_of(settings):
        default = row.default_for(family, version)
        if row.kind == "passes" and row.item is not None:
            default = tuple(_with_family(item, family, version) for item in default)
        values[row.name] = default
    return settings(**values)


def read(settings: type[Settings], data: Any, *, where: str, family: str = "", version: int | None = None) -> Settings:
    """Settings from JSON data: what `data` leaves out has the family's default, in recipes of that version.

    Raises SettingsError with one line for every key that is unknown or whose value is not accepted.
    """
    problems: list[str] = []
    result = _read(settings, data, where, (family, version), problems)
    if problems:
        raise SettingsError(problems)
    return result


def refusal(row: Control, value: Any) -> str:
    """Why a value is not accepted for a control that holds no passes, "" where it is."""
    ok, _ = _convert(row, value)
    return "" if ok else f"{shown(value)} is not accepted; it must be {row.accepted()}."


def taken(row: Control, value: Any) -> Any:
    """An accepted value as the control holds it."""
    return _convert(row, value)[1]


def write(settings: Any) -> dict[str, Any]:
    """Settings as JSON data, every control named; `read` returns the same settings from it."""
    data: dict[str, Any] = {}
    for row in controls_of(type(settings)):
        value = getattr(settings, row.name)
        data[row.name] = [write(item) for item in value] if row.kind == "passes" else value
    return data


def differences(settings: Any, family: str = "", version: int | None = None) -> dict[str, Any]:
    """Settings as JSON data that names only what differs from the family's defaults; `read` fills in the same ones."""
    plain = defaults(type(settings), family, version)
    told: dict[str, Any] = {}
    for row in controls_of(type(settings)):
        value = getattr(settings, row.name)
        if value == getattr(plain, row.name):
            continue
        told[row.name] = [differences(item, family, version) for item in value] if row.kind == "passes" else value
    return told


def _kind_of(default: Any, choices: Sequence[str]) -> str:
    if choices:
        return "choice"
    kinds = {bool: "switch", int: "integer", float: "number", str: "text"}
    return kinds[type(default)]


def _with_family(item: Any, family: str, version: int | None) -> Any:
    """A built-in pass with the family's defaults wherever the pass does not say something of its own."""
    changes = {
        row.name: row.default_for(family, version)
        for row in controls_of(type(item))
        if getattr(item, row.name) == row.default
    }
    return dataclasses.replace(item, **changes)


_Of = tuple[str, "int | None"]
"""What decides a default: the model family, and the version of the recipe."""


def _read(settings: type[Settings], data: Any, where: str, of: _Of, problems: list[str]) -> Settings:
    base = defaults(settings, *of)
    if not isinstance(data, Mapping):
        problems.append(f"{where}: {shown(data)} is not accepted; it must be an object of controls.")
        return base
    rows = {row.name: row for row in controls_of(settings)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in rows:
            problems.append(unknown_control(f"{where}.{key[:_LONGEST_KEY]}", str(key), list(rows), len(problems)))
        elif rows[key].kind == "passes":
            values[key] = _read_passes(rows[key], value, f"{where}.{key}", of, problems)
        else:
            values[key] = _checked(rows[key], value, f"{where}.{key}", problems)
    return dataclasses.replace(base, **values) if not problems else base  # type: ignore[type-var]


def _read_passes(row: Control, value: Any, where: str, of: _Of, problems: list[str]) -> tuple[Any, ...]:
    most = int(row.maximum or 1)
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or not 1 <= len(value) <= most:
        problems.append(f"{where}: {shown(value)} is not accepted; it must be {row.accepted()}.")
        return tuple(row.default)
    assert row.item is not None
    return tuple(_read(row.item, item, f"{where}.{number}", of, problems) for number, item in enumerate(value, 1))


def _checked(row: Control, value: Any, where: str, problems: list[str]) -> Any:
    wrong = refusal(row, value)
    if wrong:
        problems.append(f"{where}: {wrong}")
    return taken(row, value)


def _convert(row: Control, value: Any) -> tuple[bool, Any]:
    if row.kind == "switch":
        return isinstance(value, bool), value
    if row.kind == "text":
        return isinstance(value, str) and len(value) <= LONGEST_TEXT, value
    if row.kind == "choice":
        return isinstance(value, str) and value in row.choices, value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_MOST < value < _MOST:
        return False, value
    if row.kind == "integer" and value != int(value):
        return False, value
    inside = (row.minimum or 0.0) <= value <= (row.maximum or 0.0)
    return inside, int(value) if row.kind == "integer" else float(value)


def unknown_control(where: str, key: str, known: Sequence[str], told: int = 0) -> str:
    """A line on a control that there is not, with what may have been meant; after `told` such lines more shortly."""
    accepted = f" Accepted here: {', '.join(known)}." if told < MOST_HINTS else ""
    return f"{where}: there is no such control.{did_you_mean(key, known, told=told)}{accepted}"
