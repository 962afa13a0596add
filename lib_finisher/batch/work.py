"""What a result is made by, as one digest: two runs that agree in it make the same of the same picture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib_finisher.batch.inputs import content_hash
from lib_finisher.batch.saving import Saving
from lib_finisher.hosts.port import Host
from lib_finisher.recipe import Recipe, write_recipe
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import Base, Stage
from lib_finisher.stages.texture import NAME as TEXTURE


class Work:
    """The part of it that all pictures of a run share.

    The settings of stages that are off do not count, but for the detail that the run keeps; nor does the version of
    Finisher: an update alone is no reason to do everything anew.
    """

    def __init__(
        self, recipe: Recipe, host: Host, saving: Saving, files: Sequence[Path],
        detectors: Callable[[Stage], Sequence[str]],
    ) -> None:  # fmt: skip
        """`files` are those that take part beside the pictures: mask, LUTs, reference pictures. `detectors` gives what
        changes when those of a stage do."""
        on = [stage for stage in STAGES if recipe[stage.name].enabled]
        reads = [stage.reads(recipe[stage.name]) for stage in on]
        uses_models = any(item.upscalers for item in reads)
        keep = recipe[TEXTURE].kept
        names = {stage.name for stage in on}
        written = write_recipe(recipe)
        self._saving = saving
        self._data: dict[str, Any] = {
            "engine": host.capabilities.engine,
            "checkpoint": host.model().name,
            "recipe": {key: value for key, value in written.items() if key in names or key not in _STAGE_NAMES},
            "upscalers": [asdict(item) for item in host.upscalers()] if uses_models else [],
            "keep_detail": asdict(keep) if keep.strength > 0 and any(item.keeps_detail for item in reads) else None,
            "detectors": [list(detectors(stage)) for stage in on],
            "files": [content_hash(file) for file in files if file.is_file()],
        }

    def digest(self, source: Path, base: Base) -> str:
        """For one picture with what its base was made with, in hexadecimal digits."""
        written = self._saving.format_for(source)
        output = [written.name, self._saving.quality or written.quality, self._saving.depth, self._saving.stages]
        text = json.dumps({**self._data, "base": asdict(base), "output": output}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


_STAGE_NAMES = frozenset(stage.name for stage in STAGES)
