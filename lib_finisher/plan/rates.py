"""How fast this machine samples and enlarges, learned from what has run; so that a plan can tell seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from lib_finisher.checked_json import kept_in, write_checked
from lib_finisher.events import ModelRun
from lib_finisher.hosts.port import Host
from lib_finisher.redraw.patch import Cost
from lib_finisher.whole_files import sweep

logger = logging.getLogger(__name__)

# How much the latest run counts beside all before it.
_LATEST = 0.3
# A run that sampled less tells more of its start than of its speed.
_LEAST_SECONDS = 0.2


class Rates:
    """What is done a second, kept in a small JSON file, or in memory without one: megapixel-steps by engine and
    checkpoint, megapixels by engine and upscaler model.

    A file that cannot be read or written only costs the knowledge. Several threads may ask.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: dict[str, float] | None = None
        self._lock = threading.Lock()

    def record(self, host: Host, checkpoint: str, cost: Cost) -> None:
        """Take over what a run took."""
        if cost.seconds < _LEAST_SECONDS or cost.megapixel_steps <= 0:
            return
        self._learn(_key(host, checkpoint), cost.megapixel_steps / cost.seconds)

    def record_model(self, host: Host, run: ModelRun) -> None:
        """Take over what an upscaler model took."""
        if run.seconds >= _LEAST_SECONDS and run.megapixels > 0:
            self._learn(_model_key(host, run.name), run.megapixels / run.seconds)

    def _learn(self, key: str, rate: float) -> None:
        with self._lock:
            known = self._read()
            before = known.get(key, rate)
            known[key] = round(float(before + _LATEST * (rate - before)), 6)
            if self._file is not None:
                try:
                    self._file.parent.mkdir(parents=True, exist_ok=True)
                    write_checked(self._file, known)
                except OSError as error:
                    logger.debug("What was learned of the speed cannot be kept: %s", error)

    def seconds(
        self, host: Host, checkpoint: str, megapixel_steps: float, models: Sequence[tuple[str, float]] = ()
    ) -> float | None:
        """How long so many megapixel-steps, and so many megapixels through upscaler models, are expected to take, in
        seconds; None where nothing is known yet of the sampling."""
        with self._lock:
            rate = self._read().get(_key(host, checkpoint))
        if not rate:
            return None
        return (megapixel_steps + sum(part * self.weight(host, checkpoint, name) for name, part in models)) / rate

    def weight(self, host: Host, checkpoint: str, name: str) -> float:
        """How many megapixel-steps take as long as the upscaler model of that name takes for a megapixel."""
        with self._lock:
            known = self._read()
            rate, model_rate = known.get(_key(host, checkpoint)), known.get(_model_key(host, name))
        return rate / model_rate if rate and model_rate else host.capabilities.upscaler_weight

    def _read(self) -> dict[str, float]:
        if self._known is None:
            if self._file is not None:
                sweep(self._file.parent)
            data = kept_in(self._file) if self._file is not None else {}
            self._known = {key: float(value) for key, value in data.items() if isinstance(value, float) and value > 0}
        return self._known


def _model_key(host: Host, name: str) -> str:
    return f"{host.capabilities.engine} / upscaler {name}"


def _key(host: Host, checkpoint: str) -> str:
    return f"{host.capabilities.engine} / {host.model(checkpoint).name}"
