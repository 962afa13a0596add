"""How presets are told as JSON data: one in a list, its backups, an import's preview, and how a change is undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lib_finisher.controls import controls_of, defaults, write
from lib_finisher.detect.known import find_known
from lib_finisher.presets import share
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.fragment import MISSING
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint, Entry
from lib_finisher.presets.missing import Here, missing_models
from lib_finisher.presets.origins import CHECKPOINT, EVERYTHING, FAMILY, VARIANT
from lib_finisher.presets.preset import Preset, key_of
from lib_finisher.presets.quick import QUICK
from lib_finisher.presets.store import SET_ASIDE
from lib_finisher.recipe import SECTIONS, Recipe

_NO_FAMILY = ("", "unknown")


def listed(library: Library) -> dict[str, Any]:
    """Every preset, and what is wrong with files among them."""
    stored = library.store.load()
    # Whoever looked first has moved the file away: it is told for as long as it lies there.
    aside = [name for name in stored.set_aside if not any(name in problem for problem in stored.problems)]
    told = "could not be read as a preset. Put it right and move it back, or delete it."
    return {
        "presets": [summary(item) for item in library.entries()],
        "problems_of_files": [*stored.problems, *(f"{SET_ASIDE}/{name} {told}" for name in aside)],
    }


def summary(entry: Entry) -> dict[str, Any]:
    """A preset without what it sets."""
    preset = entry.preset
    return {
        "name": preset.name, "source": entry.source, "about": preset.about, "notes": preset.notes,
        "author": preset.author, "stage": preset.stage, "locked": preset.locked, "match": preset.match.as_json(),
        "created": preset.created, "changed": preset.changed, "content": preset.content, "revision": preset.revision,
        "quick": entry.built_in and preset in QUICK,
    }  # fmt: skip


def missing(recipe: Recipe, here: Here) -> list[dict[str, Any]]:
    """Models that a recipe names and that are not here: which control asks, and how each is to be had.

    "fetch" is the name by which Finisher fetches it, "" where it does not; "size" is in bytes, 0 where not known.
    """
    told = []
    for row, name in missing_models(recipe, here):
        known = find_known(name) if row.name == "detector" else None
        fetchable = known is not None and known.fetchable
        told.append({
            "control": row.name, "label": row.label, "name": name,
            "fetch": known.name if known is not None and fetchable else "",
            "size": known.size if known is not None else 0, "source": known.source if known is not None else "",
            "how": "" if fetchable else _HOW.get(row.name, ""),
        })  # fmt: skip
    return told


_UPSCALER = "Put its file into models/ESRGAN and reload the UI; openmodeldb.info tells where each comes from."
_HOW = {
    "upscaler": _UPSCALER,
    "enlarger": _UPSCALER,
    "detector": "Put its file into models/finisher and reload the page.",
    "lut": "Put its file into models/finisher/luts and reload the page.",
    "match_reference": "Put the picture into models/finisher/references and reload the page.",
}


def backups(library: Library, name: str) -> list[dict[str, str]]:
    """Earlier versions of a preset, the newest first."""
    return [{"file": item.file, "when": item.when} for item in library.store.backups(name)]


def previewed(item: share.Preview) -> dict[str, Any]:
    """What importing one preset would meet."""
    return {
        "name": item.preset.name, "state": item.state, "about": item.preset.about,
        "match": item.preset.match.as_json(), "changes": [change(told) for told in item.changes],
        "missing": list(item.missing), "notes": list(item.notes),
    }  # fmt: skip


def change(told: Sequence[Any]) -> dict[str, Any]:
    """One difference; a side that says nothing has no key."""
    path, first, second = told
    sides = {"first": first, "second": second}
    return {"path": path, **{key: value for key, value in sides.items() if value is not MISSING}}


def pass_defaults(family: str, version: int) -> dict[str, dict[str, Any]]:
    """What a pass has under the family, in recipes of that version, where it says nothing itself; by the stage."""
    told = {}
    for section, settings in SECTIONS.items():
        for row in controls_of(settings):
            if row.kind == "passes" and row.item is not None:
                told[section] = write(defaults(row.item, family, version))
    return told


def targets(library: Library, checkpoint: Checkpoint) -> list[dict[str, str]]:
    """Where what is shown can be saved for this checkpoint: the layer, its variant, the preset's name and revision.

    The revision is "" where there is no such preset of the user's yet.
    """
    asked = [(CHECKPOINT, "")] + [(VARIANT, variant) for variant in checkpoint.variants]
    asked += [] if checkpoint.family in _NO_FAMILY else [(FAMILY, "")]
    own = own_presets(library)
    told = []
    for layer, variant in [*asked, (EVERYTHING, "")]:
        name = library.name_for(checkpoint, layer, variant)
        there = own.get(key_of(name))
        told.append(
            {"layer": layer, "variant": variant, "name": name, "revision": there.revision if there is not None else ""}
        )
    return told


def own_presets(library: Library) -> dict[str, Preset]:
    """The user's presets by their keys."""
    return {item.key: item for item in library.store.load().presets}


def undo_save(library: Library, before: Preset | None, stored: Preset) -> list[dict[str, str]]:
    """The requests that undo a save: deleting what is new, or bringing back what was there."""
    if before is None:
        return [{"action": "delete", "name": stored.name, "expected": stored.revision}]
    if before.revision == stored.revision:
        return []
    earlier = library.store.backups(stored.name)
    if not earlier:
        raise PresetError(f"the preset {stored.name!r} was saved, but its earlier version is gone.")
    return [{"action": "restore", "file": earlier[0].file, "expected": stored.revision}]
