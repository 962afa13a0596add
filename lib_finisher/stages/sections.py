"""The stages by name, in their order: the only place where it is said. `order` has the stages themselves."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lib_finisher.stages.detail_settings import DetailSettings
from lib_finisher.stages.extend_settings import ExtendSettings
from lib_finisher.stages.grade_settings import GradeSettings
from lib_finisher.stages.refine_settings import RefineSettings
from lib_finisher.stages.repair_settings import RepairSettings
from lib_finisher.stages.texture_settings import TextureSettings
from lib_finisher.stages.upscale_settings import UpscaleSettings

STAGE_SETTINGS: Mapping[str, type] = MappingProxyType(
    {
        "refine": RefineSettings,
        "extend": ExtendSettings,
        "repair": RepairSettings,
        "detail": DetailSettings,
        "upscale": UpscaleSettings,
        "texture": TextureSettings,
        "grade": GradeSettings,
    }
)
"""Stages are skipped freely and never reordered. Grade is last and grain is its last step: nothing runs after it."""

NAMES: tuple[str, ...] = tuple(STAGE_SETTINGS)
