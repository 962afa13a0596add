"""A recipe for the checkpoint that runs: the table's defaults, presets from the general to the special, the user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from lib_finisher.hints import did_you_mean
from lib_finisher.presets.errors import PresetError, Unknown
from lib_finisher.presets.fragment import Inherited, all_paths, changes, compared, expanded, laid_over, usable
from lib_finisher.presets.matching import Candidate, Checkpoint, Entry, Level, explain
from lib_finisher.presets.origins import (
    CHECKPOINT,
    CHOSEN,
    DEFAULT,
    EVERYTHING,
    FAMILY,
    LAYERS,
    VARIANT,
    YOU,
    Origin,
    origins_of,
)  # fmt: skip
from lib_finisher.presets.preset import AUTO, NONE, Fragment, Match, Preset, digest_of, key_of
from lib_finisher.recipe import FAMILY as OF_FAMILY
from lib_finisher.recipe import FIRST, SCHEMA, VERSION, Recipe, read_recipe, version_of
from lib_finisher.stages.diffusion_settings import FLOW_FAMILIES

FLOW = "flow"
_LAYER_OF = {Level.EVERYTHING: EVERYTHING, Level.FAMILY: FAMILY, Level.VARIANT: VARIANT}


@dataclass(frozen=True)
class Choice:
    """Which presets are to be used: those chosen by name, in turn, and, if `matched`, those for the checkpoint."""

    names: tuple[str, ...] = ()
    matched: bool = True


@dataclass(frozen=True)
class Layer:
    """One preset that takes part: in which layer and why; `content` is what it says to this checkpoint."""

    layer: str
    entry: Entry
    reason: str
    content: Fragment


@dataclass(frozen=True)
class Resolved:
    """The recipe that runs. `origins` has an entry for every control, by its path ("detail.passes.1.confidence").

    `content` has ten digits that change with what the presets say, "" where none takes part; `instead` is what may
    take the place of a model that is not here. `version` is the oldest of the recipes that take part: what nobody says
    has its defaults.
    """

    recipe: Recipe
    family: str
    origins: Mapping[str, Origin]
    layers: tuple[Layer, ...]
    content: str
    notes: tuple[str, ...]
    instead: Mapping[str, Sequence[str]]
    version: int = SCHEMA

    @property
    def names(self) -> tuple[str, ...]:
        """The presets that take part, the weakest first."""
        return tuple(item.entry.preset.name for item in self.layers)


def read_choice(value: Any) -> Choice:
    """What a request says: "auto" or nothing, "none", the name of a preset, or a list of names (with "auto" or not).

    Chosen presets lie over those for the checkpoint; a list with "none" leaves the latter out. Raises PresetError.
    """
    values = [value] if isinstance(value, str) or value is None else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(item, str) or item is None for item in values):
        raise PresetError(f'preset: {value!r} is not accepted; it must be "auto", "none", a name or a list of names.')
    names = [item for item in values if item and key_of(item) not in (AUTO, NONE)]
    return Choice(tuple(names), not any(item and key_of(item) == NONE for item in values))


def resolve(
    checkpoint: Checkpoint, entries: Iterable[Entry], own: Fragment | None = None, choice: Choice | None = None
) -> Resolved:
    """The recipe for a checkpoint: the same arguments, the same result.

    `own` is what the user or the request says itself, None for nothing at all; it is read as strictly as without
    presets. What a preset says and this Finisher cannot use is left out with a note. Raises SettingsError for `own`,
    Unknown for a chosen preset.
    """
    entries, choice = tuple(entries), choice or Choice()
    layers, notes = _layers(checkpoint, entries, choice)
    said: dict[str, dict[str, Any]] = {}
    for layer in layers:
        said = laid_over(said, layer.content)
    mine = {VERSION: SCHEMA} if own is None else dict(own)
    of_presets = min((item.entry.preset.version for item in layers), default=SCHEMA)
    content = digest_of(said if of_presets == FIRST else [said, of_presets])[:10] if layers else ""
    # A preset that somebody saved, named here or for the checkpoint, means what it was saved as, also in what neither
    # it nor the request says.
    saved = any(not item.entry.built_in for item in layers)
    version = of_presets if saved and VERSION not in mine else min(version_of(mine), of_presets)
    recipe = read_recipe({**_with_own(expanded(said, version), mine), VERSION: version}, checkpoint.family)
    sources = [(Origin(item.layer, item.entry.preset.name), item.content) for item in layers]
    sources.append((Origin(YOU), {key: value for key, value in mine.items() if isinstance(value, Mapping)}))
    oldest = (Origin(item.layer, item.entry.preset.name) for item in layers if item.entry.preset.version == version)
    family = str(mine.get(OF_FAMILY, checkpoint.family))
    origins = origins_of(recipe, family, sources, (version, next(oldest, Origin(DEFAULT))))
    instead: dict[str, Sequence[str]] = {}
    for layer in layers:
        instead |= layer.entry.preset.instead
    return Resolved(recipe, family, MappingProxyType(origins), layers, content, notes, instead, version)


def said_to(preset: Preset, checkpoint: Checkpoint) -> Fragment:
    """All that a preset says to a checkpoint: in general, to its family, to each of its variants, in this order."""
    said: Fragment = preset.recipe
    special = {"families": preset.families, "variants": preset.variants}
    for kind, key in parts_for(checkpoint):
        said = laid_over(said, special[kind].get(key, {}))
    return {preset.stage: said[preset.stage]} if preset.stage in said else ({} if preset.stage else said)


def parts_for(checkpoint: Checkpoint) -> tuple[tuple[str, str], ...]:
    """Which parts of a preset are for a checkpoint besides its recipe: ("families" or "variants", id), the weakest
    first."""
    families = (FLOW if checkpoint.family in FLOW_FAMILIES else "", checkpoint.family)
    return (
        *(("families", key) for key in families if key),
        *(("variants", key) for key in checkpoint.variants),
    )


def to_save(
    shown: Recipe, checkpoint: Checkpoint, entries: Iterable[Entry], layer: str, name: str, variant: str = ""
) -> dict[str, dict[str, Any]]:
    """What the preset `name` has to say in `layer` so that the recipe becomes `shown`, and nothing that it inherits.

    The arguments are those of `below`.
    """
    return changes(shown, below(checkpoint, entries, layer, name, variant), checkpoint.family)


def below(checkpoint: Checkpoint, entries: Iterable[Entry], layer: str, name: str, variant: str = "") -> Inherited:
    """What a preset of that name in `layer` lies over for the checkpoint.

    Its version is no newer than that of the preset itself. `variant` is the one meant for the layer VARIANT, by default
    the checkpoint's first. For the layer CHOSEN it is what all presets for this checkpoint say. Raises PresetError for
    a layer that no preset can be in.
    """
    if layer in (DEFAULT, YOU) or layer not in LAYERS:
        raise PresetError(f"{layer!r}: a preset is saved for {', '.join(LAYERS[1:-1])}.")
    entries = tuple(entries)
    others = [item for item in entries if item.preset.key != key_of(name)]
    version = min((item.preset.version for item in entries if item.preset.key == key_of(name)), default=SCHEMA)
    place = _rank(layer, checkpoint.variants.index(variant) if variant in checkpoint.variants else 0)
    said: dict[str, dict[str, Any]] = {}
    for item in explain(checkpoint, others)[::-1]:
        if item.used and _rank(_layer_of(item), item.place) < place:
            said = laid_over(said, usable(said_to(item.entry.preset, checkpoint))[0])
            version = min(version, item.entry.preset.version)
    return Inherited(said, version)


def masked(shown: Recipe, resolved: Resolved) -> tuple[tuple[str, Origin], ...]:
    """Where the recipe that is resolved is not the one shown, and what says otherwise there: for after a save."""
    order = {name: place for place, name in enumerate(resolved.names)}
    rows = compared(all_paths(shown), all_paths(resolved.recipe))
    told = []
    for path in (row[0] for row in rows if row[0] in resolved.origins):
        # A preset that brings a list of passes settles by that also what the list leaves open.
        sources = [resolved.origins[path], *([resolved.origins[path.rsplit(".", 2)[0]]] if path.count(".") > 1 else [])]
        told.append((path, max(sources, key=lambda origin: order.get(origin.preset, -1))))
    return tuple(told)


def _layers(
    checkpoint: Checkpoint, entries: tuple[Entry, ...], choice: Choice
) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    found: list[tuple[str, Entry, str]] = []
    if choice.matched:
        used = [item for item in explain(checkpoint, entries) if item.used]
        found = [(_layer_of(item), item.entry, item.reason) for item in reversed(used)]
    by_key = {entry.preset.key: entry for entry in sorted(entries, key=lambda entry: not entry.built_in)}
    for name in choice.names:
        entry = by_key.get(key_of(name))
        if entry is None:
            names = [item.preset.name for item in by_key.values()]
            raise Unknown(f"there is no preset {name!r}.{did_you_mean(name, names)} Presets: {', '.join(names)}.")
        found = [item for item in found if item[1] is not entry]
        found.append((CHOSEN, entry, "it was chosen"))
    layers: list[Layer] = []
    notes: list[str] = []
    for layer, entry, reason in found:
        content, told = usable(said_to(entry.preset, checkpoint), f"{entry.preset.name}: ")
        layers.append(Layer(layer, entry, reason, content))
        notes += [*(f"{entry.preset.name}: {line}" for line in entry.preset.left_out), *told]
    return tuple(layers), tuple(notes)


def _rank(layer: str, place: int) -> tuple[int, int]:
    return LAYERS.index(layer), place if layer == VARIANT else 0


def _layer_of(item: Candidate) -> str:
    return _LAYER_OF.get(item.level, CHECKPOINT)


def _with_own(said: dict[str, dict[str, Any]], own: Mapping[str, Any]) -> dict[str, Any]:
    """The user's data over the presets', whatever shape it has: `read_recipe` tells what is wrong with it."""
    merged: dict[str, Any] = dict(said)
    for key, value in own.items():
        merged[key] = {**said[key], **value} if isinstance(value, Mapping) and key in said else value
    return merged


def rule_for(checkpoint: Checkpoint, layer: str, known: Match, variant: str = "") -> Match:
    """The rules of a preset that is saved for a layer: those it has, and one that holds for this checkpoint.

    Raises PresetError where the checkpoint has no family, or no variant, that a rule could name.
    """
    if layer == CHOSEN:
        return known
    if layer == EVERYTHING:
        return replace(known, everything=True)
    if layer == CHECKPOINT:
        full = (checkpoint.sha256.lower(),) if checkpoint.sha256 else ()
        return replace(known, sha256=_with(known.sha256, full), names=_with(known.names, checkpoint.names()[:1]))
    told = checkpoint.family if layer == FAMILY else variant or next(iter(checkpoint.variants), "")
    if not told or (layer == VARIANT and told not in checkpoint.variants):
        which = f"no {layer} {told!r}" if told else f"no {layer} that is known"
        raise PresetError(f"{checkpoint.name!r} has {which}. Save for this checkpoint instead.")
    if layer == FAMILY:
        return replace(known, families=_with(known.families, (told,)))
    return replace(known, variants=_with(known.variants, (told,)))


def _with(there: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*there, *more]))
