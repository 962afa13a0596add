"""The order of the stages: the only place where it is said."""

from __future__ import annotations

from lib_finisher.stages.detail import Detail
from lib_finisher.stages.extend import Extend
from lib_finisher.stages.grade import Grade
from lib_finisher.stages.refine import Refine
from lib_finisher.stages.repair import Repair
from lib_finisher.stages.stage import Stage
from lib_finisher.stages.texture import Texture
from lib_finisher.stages.upscale import Upscale

STAGES: tuple[Stage, ...] = (Refine(), Extend(), Repair(), Detail(), Upscale(), Texture(), Grade())
"""Stages are skipped freely and never reordered. Grade is last and grain is its last step: nothing runs after it."""

NAMES: tuple[str, ...] = tuple(stage.name for stage in STAGES)
