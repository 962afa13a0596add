"""All presets at hand, the user's and those that come with Finisher: what the fronts ask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from lib_finisher.hints import did_you_mean
from lib_finisher.presets import resolve as resolving
from lib_finisher.presets.builtin import BUILT_IN
from lib_finisher.presets.errors import Unknown
from lib_finisher.presets.matching import Candidate, Checkpoint, Entry, Level, explain
from lib_finisher.presets.origins import CHECKPOINT, EVERYTHING, FAMILY, VARIANT
from lib_finisher.presets.preset import Fragment, Match, Preset, key_of, with_name
from lib_finisher.presets.resolve import Choice, Resolved
from lib_finisher.presets.saving import edited
from lib_finisher.presets.share import free_name
from lib_finisher.presets.store import NEW, PresetStore
from lib_finisher.recipe import Recipe

# A preset that a pattern found is for other checkpoints too, so it is not the one to save this checkpoint's in.
_LEVELS = {
    EVERYTHING: (Level.EVERYTHING,),
    FAMILY: (Level.FAMILY,),
    VARIANT: (Level.VARIANT,),
    CHECKPOINT: (Level.NAME, Level.SHORTHASH, Level.SHA256),
}


class Library:
    """The presets of a folder together with the built-in ones. It may be asked from several threads."""

    def __init__(self, folder: Path) -> None:
        self.store = PresetStore(folder)

    def entries(self) -> tuple[Entry, ...]:
        """Every preset, the user's first; one of the user's hides a built-in one of the same name."""
        own = self.store.load().presets
        keys = {item.key for item in own}
        return (*(Entry(item) for item in own), *(item for item in BUILT_IN if item.preset.key not in keys))

    def problems(self) -> tuple[str, ...]:
        """What is wrong with files in the folder, a line each."""
        return self.store.load().problems

    def get(self, name: str) -> Entry:
        """The preset of that name. Raises Unknown."""
        entries = self.entries()
        for entry in entries:
            if entry.preset.key == key_of(name):
                return entry
        names = [item.preset.name for item in entries]
        raise Unknown(f"there is no preset {name!r}.{did_you_mean(name, names)} Presets: {', '.join(names)}.")

    def duplicate(self, name: str, new: str = "") -> Preset:
        """Store a copy, also of a built-in preset, as the user's own: unlocked, and to be chosen.

        Without `new` it gets a name that is free. Raises Unknown, and Conflict where `new` is taken.
        """
        preset = self.get(name).preset
        new = new or free_name(preset.name, {item.preset.key: item for item in self.entries()})
        # With the rules of the first it would take that one's place, being newer.
        copied = replace(with_name(preset, new), match=Match(), locked=False, created="", changed="")
        return self.store.save(copied, NEW)

    def explain(self, checkpoint: Checkpoint) -> tuple[Candidate, ...]:
        """Which presets a checkpoint gets, and why; see `matching.explain`."""
        return explain(checkpoint, self.entries())

    def resolve(self, checkpoint: Checkpoint, own: Fragment | None = None, choice: Choice | None = None) -> Resolved:
        """The recipe for the checkpoint that runs; see `resolve.resolve`."""
        return resolving.resolve(checkpoint, self.entries(), own, choice)

    def draft(
        self,
        name: str,
        shown: Recipe,
        checkpoint: Checkpoint,
        layer: str,
        variant: str = "",
        by_hand: Fragment | None = None,
        **texts: Any,
    ) -> Preset:
        """The preset that makes the recipe `shown` of what the checkpoint inherits, in one of `origins.LAYERS`.

        For a layer that is matched it gets the rule for this checkpoint: its hash and its name, its variant, its
        family. Where there is one of that name, the rest of it stays: what it says to other families and variants, and
        what this Finisher does not know. What is said `by_hand` is said even where it is inherited. `texts` are other
        fields, such as notes.
        """
        entries = self.entries()
        there = next((item.preset for item in entries if item.preset.key == key_of(name)), Preset(name))
        there = replace(there, **texts)
        match = resolving.rule_for(checkpoint, layer, there.match, variant)
        said = resolving.to_save(shown, checkpoint, entries, layer, name, variant)
        below = resolving.below(checkpoint, entries, layer, name, variant)
        return replace(edited(there, shown, said, below, checkpoint, by_hand or {}), name=name, match=match)

    def name_for(self, checkpoint: Checkpoint, layer: str, variant: str = "") -> str:
        """What to save under for a layer: the user's preset that is used there, or a name that is free."""
        meant = variant or next(iter(checkpoint.variants), "")
        levels = _LEVELS.get(layer, ())
        for item in self.explain(checkpoint):
            same = layer != VARIANT or checkpoint.variants[item.place] == meant
            if item.used and item.level in levels and same and not item.entry.built_in:
                return item.entry.preset.name
        told = {EVERYTHING: "Every checkpoint", FAMILY: checkpoint.family, VARIANT: meant}
        stem = Path(checkpoint.name.replace("\\", "/")).stem
        return free_name(told.get(layer) or stem or "Preset", {item.preset.key: item for item in self.entries()})
