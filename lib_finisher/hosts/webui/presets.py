"""The host's presets: where they lie, what is known of the checkpoint that runs, and the recipe it gets."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modules import paths_internal

from lib_finisher.api.preset_context import CHOICE, PASTED, PresetContext, resolved_for, without_wrong_values
from lib_finisher.api.presets import answer
from lib_finisher.api.requests import Reading
from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.webui import models, offered, probe, xyz
from lib_finisher.infotext.writing import KEY
from lib_finisher.json_text import read_json
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint, read_checkpoint
from lib_finisher.presets.origins import DEFAULT
from lib_finisher.presets.preset import NONE
from lib_finisher.recipe import FIRST, SECTIONS, SWITCH, VERSION, Recipe, assign, read_recipe, write_recipe


@dataclass(frozen=True)
class Effective:
    """The recipe that runs, the presets that take part and the digits of what they say, and what is to be told.

    `by_hand` is what the user, the request or a plot's cell says itself.
    """

    recipe: Recipe
    names: tuple[str, ...] = ()
    content: str = ""
    notes: tuple[str, ...] = ()
    by_hand: Mapping[str, Any] = field(default_factory=dict)


@functools.cache
def library() -> Library:
    """The presets in the host's data folder, which outlives the extension's."""
    return Library(Path(paths_internal.data_path) / "finisher" / "presets")


def names() -> list[str]:
    """The presets that there are, the user's first."""
    return [entry.preset.name for entry in library().entries()]


def surroundings(checkpoint: str = "") -> PresetContext:
    """The presets, the named checkpoint or the one that the user chose, and what this host has. Raises HostError."""
    return PresetContext(library(), _facts(checkpoint), offered.choices())


def surroundings_of(data: Mapping[str, Any]) -> PresetContext:
    """Those of a request, which may name a checkpoint; whether it is a name at all is for the answer to say."""
    name = data.get("checkpoint", "")
    return surroundings(name if isinstance(name, str) else "")


def reading(checkpoint: str = "") -> Reading:
    """Reads recipes with the presets of the named checkpoint, or of the one that the user chose."""

    def read(data: Any) -> Recipe:
        # What is no object at all is refused in the words for recipes.
        return (
            resolved_for(data, surroundings(checkpoint))[0].recipe if isinstance(data, Mapping) else read_recipe(data)
        )

    return read


def reading_of_the_page(data: Any) -> Recipe:
    """Reads a recipe as the page holds it: a pasted value that is not accepted is left out alone."""
    return reading()(without_wrong_values(data)[0] if isinstance(data, Mapping) else data)


def answer_to_the_page(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is answered about presets for a recipe as the page holds it; what is left out stands in its notes."""
    recipe = data.get("recipe")
    left_out: tuple[str, ...] = ()
    if isinstance(recipe, Mapping):
        usable, left_out = without_wrong_values(recipe)
        data = {**data, "recipe": usable}
    result = answer(data, surroundings_of(data))
    return {**result, "notes": [*left_out, *result["notes"]]} if "notes" in result else result


def effective(p: Any, data: Mapping[str, Any], checkpoint: str = "") -> Effective:
    """The recipe of one generation: presets, what the user says, and over both what a plot's cell varies.

    What came with a pasted infotext and is not accepted is left out alone; a program gets an error for it. Raises
    SettingsError and HostError.
    """
    left_out: tuple[str, ...] = ()
    if data.get(PASTED) or not getattr(p, "is_api", True):
        data, left_out = without_wrong_values(data)
    chosen, varied = xyz.varied(p)
    around = surroundings(checkpoint)
    resolved, notes = resolved_for({**data, CHOICE: chosen} if chosen else data, around)
    recipe = resolved.recipe
    if varied:
        written = write_recipe(recipe)
        for section in {text.partition(".")[0] for text in varied} & set(SECTIONS):
            # What a plot varies is seen, unless somebody said that the stage is off.
            origin = resolved.origins.get(f"{section}.{SWITCH}")
            if origin is not None and origin.layer == DEFAULT:
                written[section].pop(SWITCH)
        recipe = read_recipe(assign(written, varied), around.checkpoint.family)
    by_hand = _with_plotted(data, varied, recipe)
    return Effective(recipe, resolved.names, resolved.content, (*left_out, *notes), by_hand)


def _with_plotted(data: Mapping[str, Any], varied: Sequence[str], recipe: Recipe) -> dict[str, Any]:
    """What the user says, and over it what a plot's cell varies; no other control of the recipe."""
    by_hand = {name: said for name, said in data.items() if name in SECTIONS}
    for name in {text.partition(".")[0] for text in varied} & set(SECTIONS):
        section = dict(by_hand.get(name, {}))
        if "passes" not in section and hasattr(recipe[name], "passes"):
            # As many as there are, so that a value lands in each of them and nothing else is said.
            section["passes"] = [{} for _ in recipe[name].passes]
        by_hand[name] = section
    return assign(by_hand, varied)


def notes_on(data: Any) -> tuple[str, ...]:
    """What of a recipe's data is done otherwise with what this host has. Raises SettingsError and HostError."""
    return resolved_for(data, surroundings())[1] if isinstance(data, Mapping) else ()


def effective_before(p: Any, data: Mapping[str, Any]) -> Recipe:
    """The same before the host has applied the generation's own settings, of which one may name a checkpoint."""
    name = str(p.override_settings.get("sd_model_checkpoint") or "")
    try:
        return effective(p, data, name).recipe
    except HostError:
        # The host is less strict with names; which one it takes is known when it has.
        return effective(p, data).recipe


def pasted(parameters: Mapping[str, Any]) -> str | None:
    """A picture's recipe for the page and for programs that send an infotext: it is whole, so no preset is laid under
    it, and it keeps its version."""
    text = parameters.get(KEY)
    if text is None:
        return None
    try:
        data, notes = read_json(text)
    except ValueError:
        return str(text)
    if not isinstance(data, dict):
        return str(text)
    return json.dumps({CHOICE: NONE, PASTED: list(notes) or True, VERSION: FIRST, **data})


def _facts(name: str) -> Checkpoint:
    """What is known of a checkpoint: its header, its file's name, and its hash if the host has it."""
    info: Any = probe.checkpoint_info(name)
    # Nothing is hashed here: a file of seven gigabytes would stop the page.
    read = read_checkpoint(info.filename, info.name, info.sha256 or "", models.facts(name).family)
    return replace(read, part_hash=info.hash or "")
