"""The quick choices: presets for the common wishes, which say of every stage whether it is on."""

from __future__ import annotations

from typing import Any

from lib_finisher.presets.preset import Fragment, Preset
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.upscale_settings import MODEL_ONLY


def _quick(name: str, about: str, *on: str, **more: dict[str, Any]) -> Preset:
    """A preset with these stages on and the others off; `more` are further settings, by the section."""
    recipe: Fragment = {stage: {"enabled": stage in on, **more.get(stage, {})} for stage in NAMES}
    outside = {section: controls for section, controls in more.items() if section not in recipe}
    return Preset(name=name, about=about, author="Finisher", recipe={**outside, **recipe})


QUICK: tuple[Preset, ...] = (
    _quick("Faces", "Faces are found and redrawn at full resolution; the picture keeps its size.", "detail"),
    _quick(
        "Faces + 2×", "Faces are redrawn, then the picture becomes twice as large on each side.", "detail", "upscale",
        upscale={"passes": [{"factor": 2.0}]},
    ),
    _quick(
        "Everything", "The whole chain: redrawn once, faces, twice the size, texture, colours and grain.",
        "refine", "detail", "upscale", "texture", "grade",
    ),
    _quick(
        "Finish a photograph", "A real photograph: nothing in it is redrawn; it is enlarged, then texture and grade.",
        "upscale", "texture", "grade",
        base={"finish_only": True}, upscale={"passes": [{"method": MODEL_ONLY}]},
        texture={"strength": 0.3}, grade={"grain": 0.05},
    ),
    _quick("Only upscale", "The picture becomes twice as large on each side, and nothing else is done.", "upscale"),
)  # fmt: skip
"""In the order in which the page shows them."""
