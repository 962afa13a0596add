"""Models that a recipe names and that are not here: what takes their place, and a note of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from lib_finisher.controls import Control, controls_of
from lib_finisher.detect.known import KNOWN, find_known
from lib_finisher.model_titles import hash_fits, split_title
from lib_finisher.recipe import SECTIONS, Recipe
from lib_finisher.sampler_names import sampler_here, scheduler_here
from lib_finisher.stages.upscaler_choices import AUTO_UPSCALER, LANCZOS

Here = Mapping[str, Sequence[str]]
"""The names that a host has, by the control that takes one of them ("upscaler", "detector", "sampler", "checkpoint" …).

A control that is not in it is not looked at, and an empty text always stands for what the base picture used.
"""


class HashedNames(list[str]):
    """Names of models that a host has, with what it knows of their files' hashes, by the name."""

    def __init__(self, hashes: Mapping[str, Sequence[str | None]]) -> None:
        super().__init__(hashes)
        self.hashes = hashes


# One model under the names that two hosts give it.
_SAME = (
    ("R-ESRGAN 4x+", "RealESRGAN_x4plus"),
    ("R-ESRGAN 4x+ Anime6B", "RealESRGAN_x4plus_anime_6B"),
    ("R-ESRGAN 2x+", "RealESRGAN_x2plus"),
    ("4x_foolhardy_Remacri", "4x-Remacri", "Remacri"),
    ("4x-UltraSharp", "UltraSharp"),
    ("4x-AnimeSharp", "AnimeSharp"),
    ("SwinIR 4x", "SwinIR_4x"),
)
_ENDINGS = re.compile(r"\.(?:pth|pt|onnx|safetensors|ckpt|gguf|bin)$")
SAMPLER, SCHEDULER = "sampler", "scheduler"
_NO_MODEL = frozenset({"", AUTO_UPSCALER, LANCZOS})


def with_what_is_here(
    recipe: Recipe,
    here: Here,
    instead: Mapping[str, Sequence[str]] | None = None,
    by_hand: Collection[str] = (),
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with every model that is not here replaced, and a note for each.

    Tried in turn: the same name written another way ("4x_UltraSharp.pth"), what `instead` lists for it, and what the
    control can do without: for an upscaler "auto", for a detector another one for the same thing or no pass at all, for
    anything else what the base picture used. What the user said `by_hand` (paths such as "detail.passes.1.detector")
    is at most written as it is here, never replaced.
    """
    notes: list[str] = []
    others = {plain_name(name): tuple(names) for name, names in (instead or {}).items()}
    asked = _Asked(here, others, by_hand, notes)
    for section, settings in SECTIONS.items():
        changed = _settings(recipe[section], controls_of(settings), asked, section, section)
        recipe = recipe.changed(section, changed)
    return recipe, tuple(dict.fromkeys(notes))


def missing_models(recipe: Recipe, here: Here) -> tuple[tuple[Control, str], ...]:
    """What a recipe names and is not here under any writing: the control that asks for it, and the name."""
    found: list[tuple[Control, str]] = []
    for section, settings in SECTIONS.items():
        for row in controls_of(settings):
            value = getattr(recipe[section], row.name)
            if row.kind == "passes" and row.item is not None:
                asked = [(item, part) for part in value for item in controls_of(row.item) if item.name in here]
                found += [
                    (item, name) for item, part in asked for name in _absent(item, getattr(part, item.name), here)
                ]
            elif row.name in here:
                found += [(row, name) for name in _absent(row, value, here)]
    # One model may be asked for in several passes.
    return tuple({(row.label, name): (row, name) for row, name in found}.values())


def missing_names(recipe: Recipe, here: Here) -> tuple[str, ...]:
    """The same in words."""
    return tuple(f"{row.label.lower()} {name!r}" for row, name in missing_models(recipe, here))


def same_here(name: str, there: Sequence[str]) -> str:
    """That name as it is written here, or "" where there is nothing of it.

    A hash behind it ("model [1a2b3c4d5e]") must not contradict; of several in different folders it is the one in the
    same folder.
    """
    if name in there:
        return name
    whole = [item for item in there if _bare(item) == _bare(name)]
    if len(whole) == 1:
        # Brackets that look like a hash may be a part of the name.
        return whole[0]
    wanted, digest = plain_name(name), split_title(name)[1]
    found = [item for item in there if plain_name(item) == wanted and hash_fits(digest, _hashes_of(item, there))]
    if len(found) > 1:
        found = [item for item in found if _folder(item) == _folder(name)]
    return found[0] if len({plain_name(item) + _folder(item) for item in found}) == 1 else ""


def plain_name(name: str) -> str:
    """What stays of a model's name however it is written: no ending, case, hyphens, folder or hash.

    Letters are one in both Unicode forms, and what stands between digits keeps them apart: "v1.0" is not "v10".
    """
    bare = _bare(split_title(name)[0])
    return _ALIASES.get(bare, bare)


def _bare(name: str) -> str:
    file = name.replace("\\", "/").rpartition("/")[2]
    folded = _ENDINGS.sub("", unicodedata.normalize("NFC", file).casefold()).replace("+", "plus")
    apart = re.sub(r"(?<=\d)[\W_]+(?=\d)", ".", unicodedata.normalize("NFC", folded))
    # Marks are no letters of their own, but without them other scripts lose what they say.
    return "".join(sign for sign in apart if sign.isalnum() or sign == "." or unicodedata.category(sign)[0] == "M")


def _hashes_of(name: str, there: Sequence[str]) -> Sequence[str | None]:
    return there.hashes[name] if isinstance(there, HashedNames) else (split_title(name)[1],)


def _folder(name: str) -> str:
    folder = name.replace("\\", "/").strip("/").rpartition("/")[0]
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", folder).casefold())


_ALIASES = {_bare(name): _bare(names[0]) for names in _SAME for name in names}


class _Asked(NamedTuple):
    here: Here
    others: Mapping[str, Sequence[str]]
    by_hand: Collection[str]
    notes: list[str]


def _settings(settings: Any, rows: Sequence[Control], asked: _Asked, where: str, path: str) -> Any:
    """The settings with what is here; `where` is for notes, `path` for what was said by hand."""
    changed: dict[str, Any] = _sampling(settings, rows, asked, where, path)
    for row in rows:
        value = getattr(settings, row.name)
        if row.kind == "passes" and row.item is not None:
            inner = controls_of(row.item)
            changed[row.name] = tuple(
                _settings(item, inner, asked, f"{where} {number}", f"{path}.{row.name}.{number}")
                for number, item in enumerate(value, 1)
            )
        elif row.name in asked.here and row.name not in changed and row.kind == "text" and value not in _NO_MODEL:
            changed |= _replaced(row, value, asked, where, f"{path}.{row.name}" in asked.by_hand)
    return replace(settings, **changed)


def _sampling(settings: Any, rows: Sequence[Control], asked: _Asked, where: str, path: str) -> dict[str, Any]:
    """Sampler and schedule as they are here, which may write both in one name."""
    names = {row.name for row in rows}
    if not {SAMPLER, SCHEDULER} <= names or SAMPLER not in asked.here or not settings.sampler:
        return {}
    found = sampler_here(settings.sampler, settings.scheduler, asked.here[SAMPLER], asked.here.get(SCHEDULER, ()))
    if found is None:
        return {}
    sampler, scheduler = found
    if settings.scheduler and not scheduler and sampler == settings.sampler:
        # What is to be said of the schedule alone.
        return {SAMPLER: sampler}
    return {SAMPLER: sampler, SCHEDULER: scheduler}


def _replaced(row: Control, value: str, asked: _Asked, where: str, by_hand: bool) -> dict[str, Any]:
    there, notes = asked.here[row.name], asked.notes
    if row.name == "detector":
        return _detectors(value, asked, where, by_hand)
    found = scheduler_here(value, there) if row.name == SCHEDULER else same_here(value, there)
    if found:
        return {row.name: found}
    if by_hand:
        return {}
    for other in asked.others.get(plain_name(value), ()):
        found = other if other in _NO_MODEL else same_here(other, there)
        if found:
            notes.append(f"{where}: {row.label.lower()} {value!r} is not here, so {found!r} is used")
            return {row.name: found}
    plain = AUTO_UPSCALER if row.name == "upscaler" else row.default
    does = "what suits the picture of what is here" if plain == AUTO_UPSCALER else "what the base picture used"
    notes.append(f"{where}: {row.label.lower()} {value!r} is not here, so {does} is used")
    return {row.name: plain}


def _detectors(value: str, asked: _Asked, where: str, by_hand: bool) -> dict[str, Any]:
    there = asked.here["detector"]
    wanted = [name.strip() for name in value.split(",") if name.strip()]
    found = [same_here(name, there) for name in wanted]
    for at, name in enumerate(wanted):
        if not found[at] and by_hand:
            found[at] = name
        elif not found[at]:
            choices = [*asked.others.get(plain_name(name), ()), *_for_the_same(name)]
            found[at] = next((told for other in choices if (told := same_here(other, there))), "")
            does = f"{found[at]!r} is used" if found[at] else "it is left out"
            asked.notes.append(f"{where}: detector {name!r} is not here, so {does}")
    kept = list(dict.fromkeys(name for name in found if name))
    if not kept:
        # A pass without any detector has nothing to redraw; its settings stay for when the detector is here.
        return {"active": False} if wanted else {}
    return {"detector": ", ".join(kept)}


def _for_the_same(name: str) -> list[str]:
    known = find_known(name) or find_known(f"{_ENDINGS.sub('', name)}.pt")
    return [] if known is None else [item.name for item in KNOWN if item.target == known.target]


def _absent(row: Control, value: Any, here: Here) -> list[str]:
    if row.kind != "text" or value in _NO_MODEL:
        return []
    names = [name.strip() for name in value.split(",")] if row.name == "detector" else [value]
    return [name for name in names if name and not same_here(name, here[row.name])]
