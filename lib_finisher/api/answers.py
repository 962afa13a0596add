"""What the routes answer, as JSON data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lib_finisher import __version__
from lib_finisher.api.pictures import png
from lib_finisher.api.problems import Problem, RequestError, shown
from lib_finisher.api.requests import Detecting, Limits, Offer
from lib_finisher.batch.report import stage_json
from lib_finisher.controls import Control, controls_of, defaults, differences
from lib_finisher.detect.detection import Detection
from lib_finisher.events import Progress
from lib_finisher.family import Family
from lib_finisher.finished import Finished
from lib_finisher.imaging.files import LoadedPicture
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.infotext.fields import BaseFields
from lib_finisher.infotext.writing import beside_json, finished_infotext, notes_of, outcome_pairs, recipe_pairs
from lib_finisher.plan.plan import Plan
from lib_finisher.recipe import FAMILY, SCHEMA, SECTIONS, VERSION, Recipe
from lib_finisher.stages.base import LABEL, NAME
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import Base, Estimate

_LABELS = {NAME: LABEL, **{stage.name: stage.label for stage in STAGES}}
_DIFFUSING = {stage.name for stage in STAGES if stage.reads(defaults(stage.settings)).samples}


def schema_json(offer: Offer, limits: Limits, family: str = "") -> dict[str, Any]:
    """The table of controls with a family's defaults, and what this host offers. Raises RequestError."""
    families = [item.value for item in Family]
    if family and family not in families:
        text = f"{shown(family)} is not accepted; it must be one of {', '.join(families)}."
        raise RequestError([Problem("family", text)])
    return {
        "version": __version__,
        "schema": SCHEMA,
        # With it the defaults below mean what they say, also on another model.
        "recipe": {VERSION: SCHEMA, **({FAMILY: family} if family else {})},
        "family": family,
        "families": families,
        "stages": [_section(name, settings, family) for name, settings in SECTIONS.items()],
        "request": {
            "base": [_control(row, family) for row in controls_of(BaseFields)],
            "detect": [_control(row, family) for row in controls_of(Detecting)],
        },
        "choices": {name: list(values) for name, values in offer.choices.items()},
        "limits": {
            "pictures": limits.pictures,
            "megapixels": limits.megapixels,
            "finished_megapixels": limits.finished_megapixels,
        },
    }


def plan_json(plan: Plan, before: Size, seconds: float | None = None) -> dict[str, Any]:
    """A plan: the finished size, every stage with its reason and cost, and the totals.

    `seconds` is how long the sampling is expected to take, None where this machine has not sampled yet.
    """
    steps = [
        {
            "stage": step.stage,
            "label": step.label,
            "runs": step.runs,
            "reason": step.reason,
            "size": _pair(step.estimate.size),
            **_cost(step.estimate),
        }
        for step in plan.steps
    ]
    return {
        "before": _pair(before),
        "size": _pair(plan.size),
        "steps": steps,
        "total": {**_cost(plan.total), "seconds": None if seconds is None else round(seconds, 1)},
    }


def detections_json(found: Sequence[Detection], size: Size) -> dict[str, Any]:
    """What a detector found, boxes as left, top, right, bottom in pixels of the upright picture."""
    return {
        "size": _pair(size),
        "detections": [
            {
                "label": item.label,
                "confidence": round(item.confidence, 4),
                "box": [item.box.left, item.box.top, item.box.right, item.box.bottom],
            }
            for item in found
        ],
    }


def finished_json(
    done: Sequence[Finished],
    pictures: Sequence[LoadedPicture],
    bases: Sequence[Base],
    recipe: Recipe,
    family: str,
    report: bool,
    by_hand: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Finished pictures, one entry each in every list, in the order of the request.

    `by_hand` is the recipe's data as it came, and `notes` say what of it was done otherwise, for every picture.
    """
    images, infotexts, of_pictures = [], [], []
    for one, picture, base in zip(done, pictures, bases):
        of_picture = [*notes, *picture.notes, *notes_of(one)]
        of_pictures.append(of_picture)
        told = {**recipe_pairs(recipe, family, by_hand), **outcome_pairs(one, of_picture)}
        infotexts.append(finished_infotext(picture.infotext, base, size_of(picture.pixels), told))
        beside = beside_json(picture.infotext, told)
        images.append(png(one.in_8_bits(), infotexts[-1], one.alpha, picture.side, beside))
    return {
        "images": images,
        "infotexts": infotexts,
        "without": [None if one.without is None else _without(one) for one in done],
        "errors": [one.error or None for one in done],
        "notes": of_pictures,
        "reports": [[stage_json(item) for item in one.reports] for one in done] if report else [],
    }


def _without(one: Finished) -> dict[str, Any]:
    """The picture that was finished without the compared stage."""
    assert one.without is not None
    return {"stage": one.compared, "image": png(one.without.in_8_bits(), "", one.without.alpha)}


def share(job_no: int, job_count: int, step: int, steps: int) -> float:
    """How much of a job of the host is done, 0 to 1, as its own progress bar counts."""
    if job_count <= 0:
        return 0.0
    within = step / steps if steps > 0 else 0.0
    return min(1.0, max(0.0, (job_no + min(1.0, within)) / job_count))


def progress_json(active: bool, job: str, text: str, part: float, ours: Progress | None) -> dict[str, Any]:
    """What the host does now; `part` is how far it thinks to be, `ours` how far a finishing is, which knows better."""
    steps = None if ours is None else {"done": round(ours.done, 4), "total": round(ours.total, 4)}
    if ours is not None and ours.total > 0:
        part = ours.done / ours.total
    return {"active": active, "job": job, "text": text, "progress": round(part, 4), "megapixel_steps": steps}


def _section(name: str, settings: type, family: str) -> dict[str, Any]:
    rows = controls_of(settings)
    enabled = next((row for row in rows if row.name == "enabled"), None)
    return {
        "name": name,
        "label": _LABELS[name],
        "help": enabled.help if enabled is not None else (settings.__doc__ or "").strip(),
        "diffuses": name in _DIFFUSING,
        "controls": [_control(row, family) for row in rows],
    }


def _control(row: Control, family: str) -> dict[str, Any]:
    told: dict[str, Any] = {"name": row.name, "kind": row.kind, "label": row.label, "help": row.help}
    if row.kind == "passes" and row.item is not None:
        told["default"] = [differences(one) for one in row.default]
        told["maximum"] = int(row.maximum or 1)
        told["item"] = [_control(inner, family) for inner in controls_of(row.item)]
        return told
    told["default"] = row.default_for(family)
    if row.kind in ("integer", "number"):
        told |= {"minimum": row.minimum, "maximum": row.maximum, "step": row.step}
    if row.group:
        told["group"] = row.group
    if row.bands:
        told["bands"] = [list(band) for band in row.bands]
    if row.choices:
        told["choices"] = list(row.choices)
    if row.families:
        told["families"] = dict(row.families)
    return told


def _cost(estimate: Estimate) -> dict[str, Any]:
    return {
        "patches": estimate.patches,
        "host_calls": estimate.host_calls,
        "megapixel_steps": round(estimate.megapixel_steps, 4),
    }


def _pair(size: Size) -> list[int]:
    return [size.width, size.height]
