"""What upscaler models have made, kept in the store: no later run pays for the same again, whatever became of the stage
that asked for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lib_finisher.hosts.port import UpscalerFacts
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Size
from lib_finisher.store.results import ResultStore, digest


@dataclass(frozen=True, eq=False)
class ModelOutputs:
    """Those of one engine, in `store`. `code` changes with the code that they are made by."""

    store: ResultStore
    engine: str
    code: str

    def __call__(
        self, model: UpscalerFacts, given: Pixels, target: Size, make: Callable[[], npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """What `make` makes of `given` (height, width, 3) with the model for a picture of `target`, or has made before.

        Raises what `make` does; then nothing is kept.
        """
        depends_on = {"model": asdict(model), "target": [target.width, target.height], "engine": self.engine}
        key = digest({**depends_on, "code": self.code}, np.ascontiguousarray(given))
        found = self.store.get(key)
        if found is not None and found[0].shape == (target.height, target.width, 3):
            return found[0]
        made = make()
        self.store.put(key, made, {"upscaler": model.name})
        return made
