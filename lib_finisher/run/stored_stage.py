"""A stage's result in the store: its key, which holds all that it depends on, and what is kept beside the pixels."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from lib_finisher.controls import write
from lib_finisher.imaging.arrays import from_uint16, to_uint16
from lib_finisher.imaging.wrap import Wrap
from lib_finisher.notes import LeftOut, OfTheRun
from lib_finisher.quality.measured import Quality
from lib_finisher.redraw.patch import Refusal
from lib_finisher.run.context import RunContext
from lib_finisher.stages.base import NAME as BASE
from lib_finisher.stages.places import KeepDetail
from lib_finisher.stages.regions import region_from
from lib_finisher.stages.stage import Base, Stage, StageOutput, Work
from lib_finisher.stages.texture import NAME as TEXTURE
from lib_finisher.store.results import ResultStore, digest


def key_of(context: RunContext, stage: Stage, work: Work, restricted: bool) -> str:
    """The hash of all that the stage's result depends on."""
    settings = context.recipe[stage.name]
    reads = stage.reads(settings)
    keep = context.recipe[TEXTURE].kept if reads.keeps_detail else KeepDetail()
    depends_on = {
        "stage": stage.name,
        "code": context.code,
        "settings": write(settings),
        "engine": context.host.identity if reads.samples else "",
        "base": asdict(work.base if reads.samples else Base(seed=work.base.seed)),
        "upscalers": [asdict(facts) for facts in context.host.upscalers()] if reads.upscalers else [],
        "regions": [region.as_json() for region in work.regions] if reads.regions else [],
        "detectors": context.detectors(stage),
        "assets": [context.assets.identity(kind, name) for kind, name in reads.assets],
        "restricted": restricted,
        "wrap": asdict(work.wrap),
        "one hue": context.recipe[BASE].one_hue,
        "keep_detail": asdict(keep) if keep.strength > 0 else None,
    }
    mask = work.mask if reads.mask or restricted else None
    draft = to_uint16(work.draft) if reads.draft and work.draft is not None else None
    # Only what moves the picture reads its transparency, but that is seldom there.
    arrays = {"mask": mask, "draft": draft, "alpha": work.alpha}
    depends_on["arrays"] = [name for name, array in arrays.items() if array is not None]
    return digest(depends_on, to_uint16(work.pixels), *(array for array in arrays.values() if array is not None))


def read_output(store: ResultStore, key: str) -> tuple[StageOutput, Quality | None] | None:
    """What is stored under the key, with what was measured of it; None where it is not there as a whole."""
    stored = store.get(key)
    if stored is None:
        return None
    array, note = stored
    output = StageOutput(from_uint16(array), "reused", str(note.get("reason", "")))
    lacking = set(map(str, note.get("left_out", ())))
    output.notes = [LeftOut(text) if text in lacking else text for text in map(str, note.get("notes", ()))]
    output.refusals = [Refusal(**refusal) for refusal in note.get("refusals", ())]
    output.prompts = {str(label): str(text) for label, text in note.get("prompts", {}).items()}
    if "wrap" in note:
        output.wrap = Wrap(*note["wrap"])
    if "regions" in note:
        output.regions = tuple(region_from(region) for region in note["regions"])
    for name in ("mask", "alpha"):
        if note.get(name) is not None:
            beside = store.get(note[name])
            if beside is None:
                return None
            setattr(output, name, np.asarray(beside[0], dtype=np.float32))
    return output, Quality(**note["quality"]) if note.get("quality") else None


def store_output(store: ResultStore, key: str, stage: Stage, output: StageOutput, quality: Quality | None) -> None:
    """Keep a complete output, and what was measured of it, under the key."""
    note: dict[str, Any] = {
        "reason": output.reason,
        "stage": stage.name,
        "notes": [text for text in output.notes if not isinstance(text, OfTheRun)],
        "left_out": [text for text in output.notes if isinstance(text, LeftOut)],
        "prompts": output.prompts,
        "refusals": [asdict(refusal) for refusal in output.refusals],
        "quality": None if quality is None else asdict(quality),
    }
    if output.regions is not None:
        note["regions"] = [region.as_json() for region in output.regions]
    if output.wrap is not None:
        note["wrap"] = [output.wrap.across, output.wrap.down]
    for name in ("mask", "alpha"):
        array = getattr(output, name)
        if array is not None:
            note[name] = digest(key, name)
            store.put(note[name], array, {})
    store.put(key, to_uint16(output.pixels), note)
