"""What became of picture files, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib_finisher.finished import StageReport
from lib_finisher.imaging.geometry import Size


@dataclass(frozen=True)
class FileReport:
    """What became of one input file. `error` is empty when it was finished.

    `without` is the file of the same picture finished without the stage `compared`, where there is one. `skipped` says
    why nothing was done, where nothing had to be; `output` is then the result of before. `left_out` names what was
    asked for and could not be had.
    """

    source: Path
    output: Path | None
    error: str
    size: Size | None = None
    stages: tuple[StageReport, ...] = ()
    notes: tuple[str, ...] = ()
    compared: str = ""
    without: Path | None = None
    skipped: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """ "finished", "skipped" or "failed"."""
        return "failed" if self.error else "skipped" if self.skipped else "finished"

    def as_json(self) -> dict[str, Any]:
        """The report as the command line prints it with `--json`."""
        return {
            "input": str(self.source),
            "output": str(self.output) if self.output is not None else None,
            "status": self.status,
            "error": self.error or None,
            "skipped": self.skipped or None,
            "size": [self.size.width, self.size.height] if self.size is not None else None,
            "notes": list(self.notes),
            "left_out": list(self.left_out),
            "compared": None if self.without is None else {"without": self.compared, "output": str(self.without)},
            "stages": [stage_json(item) for item in self.stages],
        }


def stage_json(item: StageReport) -> dict[str, Any]:
    """One stage's report as JSON data."""
    return {
        "stage": item.stage,
        "status": item.status,
        "reason": item.reason,
        "seconds": round(item.seconds, 3),
        "patches": item.cost.patches,
        "host_calls": item.cost.host_calls,
        "megapixel_steps": round(item.cost.megapixel_steps, 4),
        "size": [item.size.width, item.size.height],
        "notes": [*item.notes, *item.refusals],
        "prompts": dict(item.prompts),
        "quality": None if item.quality is None else item.quality.as_json(),
    }
