"""The stages themselves, in the order that `sections` says."""

from __future__ import annotations

from lib_finisher.stages.detail import Detail
from lib_finisher.stages.extend import Extend
from lib_finisher.stages.grade import Grade
from lib_finisher.stages.refine import Refine
from lib_finisher.stages.repair import Repair
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Stage
from lib_finisher.stages.texture import Texture
from lib_finisher.stages.upscale import Upscale

_ALL: tuple[Stage, ...] = (Refine(), Extend(), Repair(), Detail(), Upscale(), Texture(), Grade())

STAGES: tuple[Stage, ...] = tuple(sorted(_ALL, key=lambda stage: NAMES.index(stage.name)))
"""See `sections.STAGE_SETTINGS`."""
