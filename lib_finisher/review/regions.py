"""What a detail pass would do with a picture, region by region, before anything is sampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lib_finisher.detect.detection import Detection
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.recipe import Recipe
from lib_finisher.redraw.patch import Patch
from lib_finisher.stages.detail import Detail, DetailPass, DetailSettings
from lib_finisher.stages.detail_choice import Finding, findings_of
from lib_finisher.stages.detail_masks import Where
from lib_finisher.stages.detail_patches import Choice, choose
from lib_finisher.stages.detail_prompts import chosen
from lib_finisher.stages.detail_search import find_for, where_of
from lib_finisher.stages.detail_settings import INVERTED
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import Base, Tools

# The pass without one of its filters, and what that filter says of what it drops.
_FILTERS: tuple[tuple[Callable[[DetailPass], DetailPass], str], ...] = (
    (lambda one: replace(one, smallest=0), "smaller than Smallest side"),
    (lambda one: replace(one, largest=0), "larger than Largest side"),
    (lambda one: replace(one, min_area=0.0), "below Mask min area ratio"),
    (lambda one: replace(one, max_area=1.0), "above Mask max area ratio"),
    (lambda one: replace(one, most=0), "beyond Top k"),
    (lambda one: replace(one, only=""), "not among the labels in Only"),
    (lambda one: replace(one, exclude=""), "its label is in Exclude"),
)


@dataclass(frozen=True)
class Region:
    """Something the detector found. `number` counts from 1 as in prompts, seeds, Only and Exclude, None where a filter
    drops it; `redrawn` says whether the pass redraws it, `why` why not. `ticked` is what Only and Exclude say.
    """

    detection: Detection
    number: int | None
    ticked: bool
    redrawn: bool
    why: str = ""


@dataclass(frozen=True, eq=False)
class Regions:
    """Of one picture and pass: the numbered regions in their order, then what the filters drop; and the patches."""

    rows: tuple[Region, ...]
    patches: tuple[Patch, ...]


def look(pixels: Pixels, base: Base, recipe: Recipe, number: int, tools: Tools) -> Regions:
    """What pass `number` of the recipe, counted from 1, would do with a picture. Nothing is sampled.

    Raises DetectorError where its detector is missing, HostError where its checkpoint is.
    """
    settings: DetailSettings = recipe[Detail.name]
    one, size = settings.passes[number - 1], size_of(pixels)
    found = find_for(one, pixels, tools.find)
    where = where_of(one, number, settings.passes, pixels, base, tools.find)
    asked = _Asked(found, size, one, base, tools, where)
    choice = asked.choice(one)
    numbered = asked.findings(_by_name(one))
    rows = [_row(item, choice, asked) for item in numbered]
    kept = [item.detection for item in numbered]
    rows += [Region(item, None, False, False, _why_dropped(item, asked)) for item in found if item not in kept]
    return Regions(tuple(rows), choice.patches)


def only_pass(recipe: Recipe, number: int) -> Recipe:
    """The recipe with nothing but pass `number` of detail, counted from 1; the other passes keep their numbers."""
    for stage in STAGES:
        settings: Any = recipe[stage.name]
        recipe = recipe.changed(stage.name, replace(settings, enabled=stage.name == Detail.name))
    detail: DetailSettings = recipe[Detail.name]
    passes = tuple(replace(one, active=place == number) for place, one in enumerate(detail.passes, 1))
    return recipe.changed(Detail.name, replace(detail, passes=passes))


@dataclass(frozen=True, eq=False)
class _Asked:
    """What was found in a picture, and what the pass makes of it with other settings."""

    found: Sequence[Detection]
    size: Size
    one: DetailPass
    base: Base
    tools: Tools
    where: Where | None

    def findings(self, one: DetailPass) -> list[Finding]:
        return findings_of(self.found, self.size, one, self.base)

    def choice(self, one: DetailPass, everywhere: bool = False) -> Choice:
        return choose(self.found, self.size, one, self.base, self.tools, None if everywhere else self.where)


def _by_name(one: DetailPass) -> DetailPass:
    """The pass with what its Only and Exclude say of labels, and nothing of numbers."""
    return replace(one, only=_names(one.only), exclude=_names(one.exclude))


def _names(text: str) -> str:
    return ", ".join(sorted(chosen(text).names))


def _row(item: Finding, choice: Choice, asked: _Asked) -> Region:
    number, one = item.number, asked.one
    own = next((finding for finding in choice.findings if finding.number == number), None)
    if own is None:
        excluded = chosen(one.exclude).numbered(number)
        return Region(item.detection, number + 1, False, False, "in Exclude" if excluded else "not in Only")
    redrawn = _has(choice, number)
    return Region(item.detection, number + 1, True, redrawn, "" if redrawn else _why_left(own, asked))


def _why_left(item: Finding, asked: _Asked) -> str:
    """Why a finding that is ticked is not redrawn all the same."""
    one = asked.one
    if item.skipped:
        return "skipped by the prompt"
    if one.denoising_strength <= 0:
        return "the pass's strength is 0"
    if one.merge == INVERTED:
        return "all but this is redrawn"
    if _has(asked.choice(replace(one, skip_large=False)), item.number):
        return "large enough already"
    if _has(asked.choice(one, everywhere=True), item.number):
        return "outside of where the pass may draw"
    return "its mask lies outside the picture"


def _has(choice: Choice, number: int) -> bool:
    return any(finding.number == number for finding in choice.redrawn)


def _why_dropped(item: Detection, asked: _Asked) -> str:
    """The filter without which it would stay."""
    named = _by_name(asked.one)
    for without, why in _FILTERS:
        if any(finding.detection == item for finding in asked.findings(without(named))):
            return why
    return "dropped by several filters"
