"""Presets for the page and the routes: what is asked, as JSON data, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from lib_finisher.api import presets_told as told
from lib_finisher.api.preset_context import OUTSIDE, PresetContext, resolved_for, split
from lib_finisher.api.problems import Problem, RequestError, from_settings, shown, unknown_keys
from lib_finisher.controls import SettingsError
from lib_finisher.presets import share
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.fragment import known_part
from lib_finisher.presets.matching import Entry
from lib_finisher.presets.origins import LAYERS
from lib_finisher.presets.preset import Fragment, Preset, key_of
from lib_finisher.presets.resolve import masked, read_choice
from lib_finisher.presets.store import NEW
from lib_finisher.recipe import SECTIONS, write_recipe


def answer(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """What is answered to {"action": ..., ...}; see ACTIONS. Raises RequestError, PresetError and SettingsError."""
    action = data.get("action")
    if not isinstance(action, str) or action not in ACTIONS:
        raise RequestError([Problem("action", f"{shown(action)} is not accepted; it must be {', '.join(ACTIONS)}.")])
    act, needed, more = ACTIONS[action]
    problems = unknown_keys(data, ("action", "id", "checkpoint", *needed, *more))
    problems += [Problem(key, "it is missing.") for key in needed if key not in data]
    for key in _TEXTS:
        if not isinstance(data.get(key, ""), str):
            problems.append(Problem(key, f"{shown(data[key])} is not accepted; it must be a text."))
    for key, noun in (("recipe", "an object of stages"), ("data", "a preset, an object")):
        if not isinstance(data.get(key, {}), Mapping):
            problems.append(Problem(key, f"{shown(data[key])} is not accepted; it must be {noun}."))
    if problems:
        raise RequestError(problems)
    try:
        return act(data, around)
    except SettingsError as error:
        raise RequestError(from_settings(error, "recipe")) from error


def _show(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """The effective recipe, where every value comes from, the presets there are and which this checkpoint gets.

    "inherited" is the recipe without the user's own values; "pass_defaults" what a pass of the user's own list has
    where it says nothing; "targets" where the user's values can be saved.
    """
    given = data.get("recipe", {})
    resolved, notes = resolved_for(given, around)
    inherited, _ = resolved_for({key: given[key] for key in OUTSIDE if key in given}, around)
    chosen, own = split(given)
    wanted = around.library.resolve(around.checkpoint, known_part(own)[0], read_choice(chosen))
    checkpoint = around.checkpoint
    return {
        "checkpoint": {
            "name": checkpoint.name, "family": checkpoint.family, "variants": list(checkpoint.variants),
            "reason": checkpoint.reason,
        },
        "values": write_recipe(resolved.recipe),
        "inherited": write_recipe(inherited.recipe),
        "origins": {path: [item.layer, item.preset] for path, item in resolved.origins.items()},
        "inherited_origins": {path: [item.layer, item.preset] for path, item in inherited.origins.items()},
        "used": [
            {"name": item.entry.preset.name, "layer": item.layer, "reason": item.reason, "source": item.entry.source}
            for item in resolved.layers
        ],
        "candidates": [
            {
                "name": item.entry.preset.name, "source": item.entry.source, "reason": item.reason,
                "used": item.used, "before": item.before,
            }
            for item in around.library.explain(checkpoint)
        ],
        "content": resolved.content,
        "notes": list(notes),
        "missing": told.missing(wanted.recipe, around.here),
        "pass_defaults": told.pass_defaults(resolved.family, resolved.version),
        "targets": told.targets(around.library, checkpoint),
        **told.listed(around.library),
    }  # fmt: skip


def _save(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """Save what is shown for a layer ("checkpoint", "variant", "family", "everything") or as a preset to choose.

    "masked" names what a stronger preset says otherwise, so that it would not be as shown without the user's values.
    """
    layer, variant = data["layer"], data.get("variant", "")
    if layer not in LAYERS[1:-1]:
        text = f"{shown(layer)} is not accepted; it must be one of {', '.join(LAYERS[1:-1])}."
        raise RequestError([Problem("layer", text)])
    library, checkpoint = around.library, around.checkpoint
    chosen, own = split(data["recipe"])
    own = known_part(own)[0]
    resolved = library.resolve(checkpoint, own, read_choice(chosen))
    by_hand = {key: value for key, value in own.items() if key in SECTIONS}
    name = data.get("name") or library.name_for(checkpoint, layer, variant)
    texts = {key: data[key] for key in ("notes", "about") if key in data}
    if data.get("stage"):
        texts["stage"] = data["stage"]
    draft = library.draft(name, resolved.recipe, checkpoint, layer, variant, by_hand, **texts)
    if data.get("stage"):
        draft = _of_stage(draft, data["stage"])
    before = told.own_presets(library).get(draft.key)
    stored = library.store.save(draft, data.get("expected"))
    after = library.resolve(checkpoint, None, read_choice([stored.name] if layer == "chosen" else None))
    hidden = [] if data.get("stage") else masked(resolved.recipe, after)
    return {
        "saved": told.summary(Entry(stored)),
        "masked": [{"path": path, "layer": origin.layer, "preset": origin.preset} for path, origin in hidden],
        "backups": told.backups(library, stored.name),
        "undo": told.undo_save(library, before, stored),
        **told.listed(library),
    }


def _delete(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """Delete one of the user's presets."""
    backup = around.library.store.delete(data["name"], data.get("expected"))
    undo = [{"action": "restore", "file": backup.file, "expected": NEW}]
    return {"backup": backup.file, "undo": undo, **told.listed(around.library)}


def _restore(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """Bring an earlier version back, in the place of whatever has its name now, or only of the revision "expected"."""
    restored = around.library.store.restore(data["file"], data.get("expected"))
    return {"saved": told.summary(Entry(restored)), **told.listed(around.library)}


def _rename(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """Give a preset another name."""
    before = around.library.store.get(data["name"]).name
    renamed = around.library.store.rename(before, data["new"], data.get("expected"))
    undo = [{"action": "rename", "name": renamed.name, "new": before, "expected": renamed.revision}]
    return {"saved": told.summary(Entry(renamed)), "undo": undo, **told.listed(around.library)}


def _duplicate(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """Store a copy of a preset, also of a built-in one, as the user's own: unlocked, and to be chosen."""
    return _stored(around.library.duplicate(data["name"], data.get("new", "")), around)


def _lock(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """Lock a preset against changes ("on": true), or unlock it."""
    on = data["on"]
    if not isinstance(on, bool):
        raise RequestError([Problem("on", f"{shown(on)} is not accepted; it must be true or false.")])
    locked = around.library.store.lock(data["name"], on)
    undo = [{"action": "lock", "name": locked.name, "on": not on}]
    return {"saved": told.summary(Entry(locked)), "undo": undo, **told.listed(around.library)}


def _get(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """One preset, whole."""
    entry = around.library.get(data["name"])
    earlier = told.backups(around.library, entry.preset.name)
    return {**told.summary(entry), "data": entry.preset.as_json(), "backups": earlier}


def _put(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """Store a preset that is given whole, as "get" answers it in "data"."""
    presets = share.read_bundle(json.dumps(data["data"], ensure_ascii=True), "imported")
    if len(presets) != 1:
        raise PresetError(f"data: it holds {len(presets)} presets; only one is stored at a time. Import them instead.")
    before = told.own_presets(around.library).get(presets[0].key)
    return _stored(around.library.store.save(presets[0], data.get("expected")), around, before)


def _compare(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """What two presets say differently, control by control."""
    first, second = (around.library.get(data[key]).preset for key in ("first", "second"))
    return {"differences": [told.change(item) for item in share.difference(first, second)]}


def _export(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """One or many presets as the text of one file; without names all of the user's."""
    names = _names(data)
    entries = around.library.entries()
    chosen = [around.library.get(name) for name in names] if names else [item for item in entries if not item.built_in]
    if not chosen:
        raise PresetError("there is no preset of yours to export yet.")
    return {"text": share.export(item.preset for item in chosen)}


def _import(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """What importing a file's text would do; with "how" ("keep", "replace", "rename") it is done.

    "names" leaves out all presets of the file but those.
    """
    names = _names(data)
    presets = share.read_bundle(data["text"], data.get("name") or "imported")
    if names is not None:
        wanted = {key_of(name) for name in names}
        presets = tuple(item for item in presets if item.key in wanted)
    library = around.library
    before = told.own_presets(library)
    if "how" not in data:
        met = share.preview(presets, tuple(before.values()), around.here)
        return {"preview": [told.previewed(item) for item in met]}
    done = share.import_presets(presets, library.store, data["how"])
    undo: list[dict[str, str]] = []
    for item, became in done:
        if became in ("new", "renamed", "replaced"):
            undo += told.undo_save(library, before.get(item.key), item)
    imported = [{"name": item.name, "became": became} for item, became in done]
    notes = [f"{item.name}: {note}" for item, _ in done for note in item.left_out]
    return {"imported": imported, "notes": notes, "undo": undo, **told.listed(library)}


def _from_infotext(data: Mapping[str, Any], around: PresetContext) -> dict[str, Any]:
    """Store what a picture's infotext tells as a preset to choose."""
    preset = share.from_infotext(data["text"], data["name"])
    return {**_stored(around.library.store.save(preset, NEW), around), "notes": list(preset.left_out)}


_Act = Callable[[Mapping[str, Any], PresetContext], dict[str, Any]]

ACTIONS: Mapping[str, tuple[_Act, tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "show": (_show, (), ("recipe",)),
        "save": (_save, ("recipe", "layer"), ("name", "variant", "stage", "notes", "about", "expected")),
        "delete": (_delete, ("name",), ("expected",)),
        "restore": (_restore, ("file",), ("expected",)),
        "rename": (_rename, ("name", "new"), ("expected",)),
        "duplicate": (_duplicate, ("name",), ("new",)),
        "lock": (_lock, ("name", "on"), ()),
        "get": (_get, ("name",), ()),
        "put": (_put, ("data",), ("expected",)),
        "compare": (_compare, ("first", "second"), ()),
        "export": (_export, (), ("names",)),
        "import": (_import, ("text",), ("name", "names", "how")),
        "from infotext": (_from_infotext, ("text", "name"), ()),
    }
)
"""What can be asked: who answers, which fields are needed, and which there may be besides.

Each may name the "checkpoint" that is asked about. What changes something answers "undo": the requests that take it
back, in turn.
"""

_TEXTS = (
    "name", "new", "first", "second", "layer", "variant", "notes", "about", "text", "file", "how", "stage", "expected",
    "checkpoint",
)  # fmt: skip


def _stored(preset: Preset, around: PresetContext, before: Preset | None = None) -> dict[str, Any]:
    undo = told.undo_save(around.library, before, preset)
    return {"saved": told.summary(Entry(preset)), "undo": undo, **told.listed(around.library)}


def _names(data: Mapping[str, Any]) -> list[str] | None:
    names = data.get("names")
    if names is not None and not (isinstance(names, list) and names and all(isinstance(item, str) for item in names)):
        raise RequestError([Problem("names", f"{shown(names)} is not accepted; it must be a list of names.")])
    return names


def _of_stage(preset: Preset, stage: str) -> Preset:
    """Only what the preset says of one stage."""
    if stage not in SECTIONS:
        raise RequestError(
            [Problem("stage", f"{shown(stage)} is not accepted; it must be one of {', '.join(SECTIONS)}.")]
        )
    said: Fragment = {stage: preset.recipe[stage]} if stage in preset.recipe else {}
    return replace(preset, stage=stage, recipe=said)
