"""The preview of regions: what the page asks, read from JSON and checked, and what it is answered."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from lib_finisher.api.pictures import png
from lib_finisher.api.preset_context import OUTSIDE
from lib_finisher.api.problems import Problem, RequestError, shown, unknown_keys
from lib_finisher.api.requests import Limits, Offer, Reading, json_object, read_plan
from lib_finisher.finished import Finished
from lib_finisher.imaging.files import LoadedPicture
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.infotext.fields import RANDOM_SEED
from lib_finisher.infotext.writing import beside_json, finished_infotext, outcome_pairs, recipe_pairs
from lib_finisher.recipe import Recipe
from lib_finisher.redraw.patch import Patch
from lib_finisher.review.regions import Region, Regions
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.detail import Detail
from lib_finisher.stages.stage import Base
from lib_finisher.store.recent import Recent
from lib_finisher.store.results import digest

_KEYS = ("id", "key", "picture", "infotext", "recipe", "pass", "base", "typed", "styles")
_SECTIONS = (*OUTSIDE, BASE, Detail.name)
_NAMED = ("sampler", "scheduler")
_MASK_SIDE = 256
_RED = (255, 38, 26)
_MOST_OPAQUE = 140
_DATA_URL = "data:image/png;base64,"


class ForgottenError(LookupError):
    """The picture of that key is not kept any more; it has to be sent again."""


@dataclass(frozen=True, eq=False)
class RegionsRequest:
    """A picture, a recipe and the number of one of its detail passes, counted from 1.

    `key` stands for the picture in later requests. `fields` are those of `Base` that the page's tab shows, `styles` the
    styles chosen there; `typed` says that these go before what the picture's infotext says.
    """

    identity: str
    key: str
    picture: LoadedPicture
    recipe: Recipe
    recipe_data: Mapping[str, Any]
    number: int
    fields: Mapping[str, Any]
    styles: tuple[str, ...]
    typed: bool

    def base_of(self, own: Mapping[str, Any], fields: Mapping[str, Any], sampler: str, scheduler: str) -> Base:
        """What the picture was made with: `own` is what its infotext says, `fields` what the tab says.

        Where nobody names a seed it follows from the picture, so that a second look gives the same.
        """
        told = {key: value for key, value in fields.items() if (key, value) != ("seed", RANDOM_SEED)}
        merged = {**own, **told} if self.typed else {**told, **own}
        base = replace(Base(seed=int(self.key[:8], 16)), **merged)
        return replace(base, sampler=base.sampler or sampler, scheduler=base.scheduler or scheduler)


def identity_of(text: str) -> str:
    """The name that a request gives itself, "" where it cannot be read. The answer repeats it."""
    try:
        return str(json_object(text.encode()).get("id", ""))
    except RequestError:
        return ""


def read_regions(text: str, read_as: Reading, offer: Offer, limits: Limits, kept: Recent[str]) -> RegionsRequest:
    """A request to look at regions or to redraw them. The picture's text is kept for the requests that follow.

    Raises RequestError, and ForgottenError where only a key was sent and nothing is kept under it.
    """
    data = json_object(text.encode("utf-8", "surrogatepass"))
    problems = unknown_keys(data, _KEYS)
    number, styles = data.get("pass", 1), data.get("styles", [])
    if not isinstance(styles, list) or not all(isinstance(name, str) for name in styles):
        problems.append(Problem("styles", f"{shown(styles)} is not accepted; it must be a list of names."))
    if problems:
        raise RequestError(problems)
    picture, key = data.get("picture"), data.get("key", "")
    if picture:
        key = digest(str(picture))
    else:
        picture = kept.get(str(key))
        if key and picture is None:
            raise ForgottenError(f"The picture {shown(key)} is not kept any more; send it again.")
    fields = data.get("base", {})
    if isinstance(fields, Mapping):
        # A name that the page shows in another language is no reason to refuse.
        fields = {name: value for name, value in fields.items() if not _foreign(name, value, offer)}
    recipe = data.get("recipe", {})
    if isinstance(recipe, Mapping):
        # The other stages do not run, so nothing in them can be wrong here.
        recipe = {name: value for name, value in recipe.items() if name in _SECTIONS}
    plan = {"image": picture, "recipe": recipe, "base": fields}
    asked = read_plan(plan, read_as, offer, limits)
    most = len(asked.recipe[Detail.name].passes)
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
        raise RequestError([Problem("pass", f"{shown(number)} is not accepted; it must be from 1 to {most}.")])
    kept.put(key, str(picture), len(str(picture)))
    loaded = _with_infotext(asked.opened()[0][0], data.get("infotext"))
    return RegionsRequest(
        str(data.get("id", "")), key, loaded, asked.recipe, asked.recipe_data, number, asked.base, tuple(styles),
        bool(data.get("typed", False)),
    )  # fmt: skip


def regions_json(asked: RegionsRequest, seen: Regions) -> dict[str, Any]:
    """The regions as rows, boxes as left, top, right, bottom in pixels, and the masks as pictures for the page."""
    return {
        "id": asked.identity,
        "key": asked.key,
        "pass": asked.number,
        "size": _pair(size_of(asked.picture.pixels)),
        "rows": [_row(item) for item in seen.rows],
        "masks": [_mask(patch, seen.rows) for patch in seen.patches],
        "notes": list(asked.picture.notes),
    }


def redrawn_json(
    asked: RegionsRequest, seen: Regions, done: Finished, base: Base, recipe: Recipe, family: str
) -> dict[str, Any]:
    """As `regions_json`, with the picture redrawn, what became of it and what it took."""
    report = next(item for item in done.reports if item.stage == Detail.name)
    refused = [f"{report.stage}: {text}" for text in report.refusals]
    told = {**recipe_pairs(recipe, family), **outcome_pairs(done, refused)}
    infotext = finished_infotext(asked.picture.infotext, base, size_of(asked.picture.pixels), told)
    beside = beside_json(asked.picture.infotext, told)
    return {
        **regions_json(asked, seen),
        "image": _DATA_URL + png(done.pixels, infotext, done.alpha, asked.picture.side, beside),
        "told": report.reason,
        "error": done.error,
        "refused": [_refusal(item, report.refusals) for item in seen.rows],
        "sampled": report.cost.patches,
        "seconds": round(report.seconds, 2),
    }


def problems_json(identity: str, problems: Sequence[str]) -> dict[str, Any]:
    """Why a request has no other answer."""
    return {"id": identity, "problems": list(problems)}


def as_text(answer: Mapping[str, Any]) -> str:
    """An answer as it travels."""
    return json.dumps(answer, ensure_ascii=False)


def forgotten_json(identity: str) -> dict[str, Any]:
    """The picture is to be sent again."""
    return {"id": identity, "forgotten": True}


def _foreign(name: str, value: Any, offer: Offer) -> bool:
    return name in _NAMED and (not isinstance(value, str) or bool(offer.problem(name, value)))


def _with_infotext(picture: LoadedPicture, told: Any) -> LoadedPicture:
    """The picture with its own infotext, or with what the page shows as its infotext where it carries none."""
    return picture if picture.infotext or not isinstance(told, str) else replace(picture, infotext=told.strip())


def _row(item: Region) -> dict[str, Any]:
    box = item.detection.box
    return {
        "number": item.number,
        "label": item.detection.label,
        "confidence": round(item.detection.confidence, 4),
        "box": [box.left, box.top, box.right, box.bottom],
        "size": _pair(box.size),
        "ticked": item.ticked,
        "redrawn": item.redrawn,
        "why": item.why,
    }


def _mask(patch: Patch, rows: Sequence[Region]) -> dict[str, Any]:
    """Where a patch changes the picture, red, as transparent as it changes little, reduced to what the page needs."""
    weight = np.asarray(patch.weight() if patch.mask is None else np.minimum(patch.weight(), patch.mask))
    size = patch.box.size
    small = size.scaled(min(1.0, _MASK_SIDE / max(size.width, size.height)))
    opacity = np.clip(resize(weight, small, "bilinear"), 0.0, 1.0) * _MOST_OPAQUE
    layer = np.empty((small.height, small.width, 4), dtype=np.uint8)
    layer[..., :3], layer[..., 3] = _RED, np.rint(opacity)
    buffer = io.BytesIO()
    Image.fromarray(layer, "RGBA").save(buffer, "PNG")
    box = patch.box
    return {
        "box": [box.left, box.top, box.right, box.bottom],
        "image": _DATA_URL + base64.b64encode(buffer.getvalue()).decode("ascii"),
        "numbers": [item.number for item in rows if item.detection.box == patch.about],
    }


def _refusal(item: Region, refusals: Sequence[str]) -> str:
    """Why the redraw of a region was not used, "" where it was."""
    begin = f"{item.detection.label} {item.number}: "
    return next((text.removeprefix(begin) for text in refusals if text.startswith(begin)), "")


def _pair(size: Size) -> list[int]:
    return [size.width, size.height]
