"""The command "plan": what a run would do and cost, without running it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from lib_finisher.batch.inputs import inputs_of
from lib_finisher.cli.console import tell, warn
from lib_finisher.cli.run import composed
from lib_finisher.cli.status import FINISHED, NOT_USABLE, SOME_FAILED
from lib_finisher.cli.tables import plan_table
from lib_finisher.events import Control, Meter
from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.files import PictureError, load_mask, load_picture
from lib_finisher.plan.plan import Plan, make_plan
from lib_finisher.stages.stage import Base, Tools, Work


def show_plan(options: argparse.Namespace) -> int:
    """The command "plan"; the exit status."""
    run = composed(options)
    tools = Tools(run.host, run.detectors.detect, Meter(Control()), run.assets)
    told: list[dict[str, Any]] = []
    failed = False
    inputs = inputs_of(options.inputs, options.recursive)
    for folder, why in inputs.unreadable:
        failed = True
        warn(f"finisher: {folder}: the folder cannot be read ({why}).")
    for file in (source.path for source in inputs.sources):
        try:
            picture = load_picture(file)
            height, width = picture.pixels.shape[:2]
            mask = None if options.mask is None else load_mask(options.mask, (width, height))
            work = Work(picture.pixels, Base(seed=options.seed or 0), mask, alpha=picture.alpha)
            plan = make_plan(work, run.recipe, tools)
        except (PictureError, HostError, MemoryError) as error:
            why = str(error) or "there is not enough memory for the picture"
            why = why if isinstance(error, PictureError) else f"{file}: {why}"
            failed = True
            told.append({"input": str(file), "error": why})
            warn(f"finisher: {why}")
            continue
        seconds = run.rates.seconds(run.host, "", plan.total.megapixel_steps, plan.total.models)
        told.append({"input": str(file), **_plan_json(plan), "seconds": seconds and round(seconds, 1)})
        if not options.json:
            tell(f"{file}\n{plan_table(plan, seconds)}")
    if options.json:
        tell(json.dumps({"engine": run.host.capabilities.engine, "pictures": told}, indent=2, ensure_ascii=False))
    if not told:
        warn("finisher: there is no picture in what was given")
        return NOT_USABLE
    return SOME_FAILED if failed else FINISHED


def _plan_json(plan: Plan) -> dict[str, Any]:
    steps = [
        {
            "stage": step.stage,
            "runs": step.runs,
            "reason": step.reason,
            "size": [step.estimate.size.width, step.estimate.size.height],
            "patches": step.estimate.patches,
            "host_calls": step.estimate.host_calls,
            "megapixel_steps": round(step.estimate.megapixel_steps, 4),
        }
        for step in plan.steps
    ]
    total = plan.total
    return {
        "size": [plan.size.width, plan.size.height],
        "patches": total.patches,
        "host_calls": total.host_calls,
        "megapixel_steps": round(total.megapixel_steps, 4),
        "stages": steps,
    }
