"""A preset: a named set of differences from what it inherits, and the checkpoints that it is for by itself."""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from lib_finisher.json_text import json_text, read_json, shown
from lib_finisher.presets.errors import NewerSchema, PresetError
from lib_finisher.presets.migrations import MARK, schema_for, to_current
from lib_finisher.presets.pattern import Pattern, PatternError
from lib_finisher.recipe import FIRST, SCHEMA, VERSION, of_any_family

AUTO, NONE = "auto", "none"
MOST_NAME, MOST_TEXT, MOST_RULES = 300, 10_000, 200
MOST_BYTES = 1_000_000
_SHA256, _SHORT = 64, 10
_DEEPEST = 12
_HEX = frozenset("0123456789abcdef")

Fragment = Mapping[str, Mapping[str, Any]]
"""Recipe data that names only what differs: {stage: {control: value}}."""

RULES = ("sha256", "shorthash", "names", "globs", "regexes", "variants", "families")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Match:
    """The checkpoints that a preset is for by itself; without any rule it is used only when it is chosen.

    `sha256` has 64 and `shorthash` 10 hexadecimal digits (the first ones of the sha256); `names` are whole file names,
    with or without their ending; `globs` know *, ? and [...]; `regexes` see `pattern.Pattern`; `variants` and
    `families` are ids. Upper and lower case are one. `everything` is every checkpoint. `more` is what another version
    of Finisher knows as rules: it is kept, and no checkpoint fits it.
    """

    sha256: tuple[str, ...] = ()
    shorthash: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    regexes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    everything: bool = False
    more: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def __bool__(self) -> bool:
        return any(getattr(self, item.name) for item in fields(self))

    def as_json(self) -> dict[str, Any]:
        """The rules that there are."""
        found: dict[str, Any] = {name: list(getattr(self, name)) for name in RULES if getattr(self, name)}
        if self.everything:
            found["everything"] = True
        return {**found, **_plain(self.more)}


@dataclass(frozen=True)
class Preset:
    """A named set of differences.

    `recipe` holds for every model. `families` and `variants` hold more under a model family or variant, by its id;
    "flow" stands for all rectified-flow families. `stage` names the one stage that the preset is about, "" a whole
    recipe. `instead` names, best first, what takes the place of a model file that is not here. `more` is what another
    version of Finisher has written into the file: it is kept. Dates are UTC, as in 2026-11-21T10:00:00Z. `version` is
    that of its recipes: what they leave out has that version's defaults, as far as nothing below says it. `left_out`
    says what of its file could not be used.
    """

    name: str
    recipe: Fragment = field(default_factory=lambda: _NOTHING)
    families: Mapping[str, Fragment] = field(default_factory=lambda: _NOTHING)
    variants: Mapping[str, Fragment] = field(default_factory=lambda: _NOTHING)
    match: Match = Match()
    stage: str = ""
    about: str = ""
    notes: str = ""
    author: str = ""
    created: str = ""
    changed: str = ""
    locked: bool = False
    instead: Mapping[str, Sequence[str]] = field(default_factory=lambda: _NOTHING)
    more: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    version: int = SCHEMA
    left_out: tuple[str, ...] = field(default=(), compare=False)

    @property
    def key(self) -> str:
        """What tells presets apart: the name without regard to case, accents' form and spaces at its ends."""
        return key_of(self.name)

    @property
    def content(self) -> str:
        """Ten digits that change when what the preset does changes, and with nothing else."""
        said = [self.stage, self.recipe, self.families, self.variants, self.instead]
        return digest_of(said if self.version == FIRST else [*said, self.version])[:10]

    @property
    def revision(self) -> str:
        """Sixteen digits that change with anything in the preset: what a save refers to."""
        return digest_of(self.as_json())[:16]

    def as_json(self) -> dict[str, Any]:
        """The preset as JSON data of the current schema; `read_preset` gives the same preset back."""
        told: dict[str, Any] = {MARK: schema_for(self.version), "name": self.name}
        told |= {name: getattr(self, name) for name in TEXTS if getattr(self, name)}
        if self.locked:
            told["locked"] = True
        if self.match:
            told["match"] = self.match.as_json()
        told["recipe"] = {**({} if self.version == FIRST else {VERSION: self.version}), **_plain(self.recipe)}
        told |= {name: _plain(getattr(self, name)) for name in _OBJECTS if getattr(self, name)}
        return {**told, **{key: _plain(value) for key, value in self.more.items() if key not in told}}


TEXTS = ("stage", "about", "notes", "author", "created", "changed")
_OBJECTS = ("families", "variants", "instead")
_KNOWN = frozenset({MARK, "name", "locked", "match", "recipe", *TEXTS, *_OBJECTS})


def key_of(name: str) -> str:
    """What tells presets of that name from others."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).strip()


def digest_of(data: Any) -> str:
    """The sha256 of JSON data: 2.0 and 2 are one number, and the order of keys does not matter."""
    text = json.dumps(_plain(data), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def text_of(preset: Preset) -> str:
    """The text of a preset's file."""
    return json_text(preset.as_json(), indent=2) + "\n"


def parse(text: bytes | str) -> tuple[Any, tuple[str, ...]]:
    """JSON data from a text that may come from anywhere, and notes on its keys; see `read_json`. Raises PresetError."""
    if len(text) > MOST_BYTES * 4:
        raise PresetError(f"it has {len(text)} bytes; a file of presets has {MOST_BYTES * 4} at most.")
    try:
        return read_json(text, _no_constant)
    except ValueError as error:
        raise PresetError(f"it is not valid JSON ({str(error)[:80]}).") from error


def read_preset(data: Any, name: str = "") -> Preset:
    """A preset from JSON data of this schema or an older one; `name` is for data without one (a bare recipe).

    What cannot be used within the recipe stays in it and is told when the preset is resolved. Raises PresetError, and
    NewerSchema for the file of a newer Finisher.
    """
    data = to_current(data, name)
    problems: list[str] = []
    _bounded(data, 0, problems)
    values: dict[str, Any] = {}
    for key in ("name", *TEXTS):
        value, most = data.get(key, ""), MOST_NAME if key == "name" else MOST_TEXT
        if not isinstance(value, str) or len(value) > most:
            problems.append(f"{key}: it must be a text of at most {most} characters")
            value = ""
        values[key] = value
    wrong = [(key, noun) for key, kind, noun in SHAPES if not isinstance(data.get(key, kind()), kind)]
    problems += [f"{key}: it must be {noun}" for key, noun in wrong]
    if problems:
        raise PresetError(f"the preset {values['name']!r} cannot be read: {'; '.join(problems)}.")
    stages = of_any_family(data.get("recipe", {}))
    version = _version(stages.pop(VERSION, FIRST))
    preset = Preset(
        **values,
        version=version,
        recipe=_fragment(stages, "recipe"),
        families={key: _fragment(value, f"families.{key}") for key, value in data.get("families", {}).items()},
        variants={key: _fragment(value, f"variants.{key}") for key, value in data.get("variants", {}).items()},
        match=_match(data.get("match", {})),
        locked=data.get("locked", False),
        instead=_instead(data.get("instead", {})),
        more={key: value for key, value in data.items() if key not in _KNOWN},
    )
    check_name(preset.name)
    return preset


def check_name(name: str) -> None:
    """Raises PresetError for a name that no preset can have."""
    if not key_of(name):
        raise PresetError("a preset needs a name.")
    if len(name) > MOST_NAME:
        raise PresetError(f"a name has {MOST_NAME} characters at most; this one has {len(name)}.")
    if key_of(name) in (AUTO, NONE):
        raise PresetError(f"{name!r} is no name for a preset: it stands for a way of choosing one. Take another name.")


def check_rules(match: Match) -> None:
    """Raises PresetError for a rule that can never hold, naming it."""
    problems = []
    for name, length in (("sha256", _SHA256), ("shorthash", _SHORT)):
        for value in getattr(match, name):
            if len(value) != length or not _HEX.issuperset(value.lower()):
                problems.append(f"match.{name}: {value!r} is not {length} hexadecimal digits")
    for text in match.regexes:
        try:
            Pattern(text)
        except PatternError as error:
            problems.append(f"match.regexes: {error}")
    if problems:
        raise PresetError("; ".join(problems) + ".")


def with_name(preset: Preset, name: str) -> Preset:
    """The preset under another name. Raises PresetError."""
    check_name(name)
    return replace(preset, name=name)


SHAPES = (
    ("recipe", dict, "an object of stages"),
    ("families", dict, "an object of recipes"),
    ("variants", dict, "an object of recipes"),
    ("match", dict, "an object of rules"),
    ("instead", dict, "an object of lists of names"),
    ("locked", bool, "true or false"),
)


def _version(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < FIRST:
        raise PresetError(f"recipe.{VERSION}: {shown(value)} is no number of a version.")
    if value > SCHEMA:
        raise NewerSchema(
            f"its recipe is of version {shown(value)}; this Finisher knows {SCHEMA} at most. Update Finisher."
        )
    return value


def _fragment(data: Any, where: str) -> Fragment:
    if not isinstance(data, Mapping) or not all(isinstance(item, Mapping) for item in data.values()):
        raise PresetError(f"{where}: it must be an object with an object of controls for each stage.")
    return data


def _match(data: Mapping[str, Any]) -> Match:
    everything = data.get("everything", False)
    if not isinstance(everything, bool):
        raise PresetError("match.everything: it must be true or false.")
    more = {key: value for key, value in data.items() if key not in RULES and key != "everything"}
    rules = {key: _texts(data.get(key, []), f"match.{key}") for key in RULES}
    return Match(**rules, everything=everything, more=more)


def _instead(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: _texts(value, f"instead.{key}") for key, value in data.items()}


def _texts(value: Any, where: str) -> tuple[str, ...]:
    good = isinstance(value, list) and len(value) <= MOST_RULES and all(isinstance(item, str) for item in value)
    if not good or any(len(item) > MOST_NAME for item in value):
        raise PresetError(f"{where}: it must be a list of at most {MOST_RULES} texts of {MOST_NAME} characters.")
    return tuple(value)


def _bounded(data: Any, depth: int, problems: list[str]) -> None:
    if depth > _DEEPEST:
        problems[:] = ["it is nested too deeply"]
    elif isinstance(data, (Mapping, list, tuple)):
        for item in data.values() if isinstance(data, Mapping) else data:
            _bounded(item, depth + 1, problems)
    elif isinstance(data, float) and not math.isfinite(data):
        problems[:] = ["it has a number that JSON cannot write"]


def _plain(data: Any) -> Any:
    """JSON data with every whole number as an integer: a page writes 2.0 as 2."""
    if isinstance(data, Mapping):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(item) for item in data]
    if isinstance(data, float) and data.is_integer():
        return int(data)
    return data


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number that JSON has")
