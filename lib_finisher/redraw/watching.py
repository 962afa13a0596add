"""Who looks on while patches are redrawn: progress, the stop button, and where finished patches are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lib_finisher.imaging.arrays import Pixels


class Watcher(Protocol):
    """What the act tells of its progress, and where it learns that it is to stop."""

    def check(self) -> None:
        """Raises Interrupted or Skipped when the user said so."""

    def begin(self, labels: Sequence[str]) -> None:
        """These patches are sampled next."""

    def advance(self, megapixel_steps: float) -> None:
        """That much more has been sampled."""


class PatchMemory(Protocol):
    """Where finished patches of an unfinished picture are kept, so that a later run takes them up."""

    def recall(self, key: str) -> Pixels | None:
        """The finished patch of that key, or None."""

    def keep(self, key: str, pixels: Pixels) -> None:
        """Store a finished patch."""


class BatchProgress:
    """Turns the engine's steps into progress, and asks after each whether to go on; keeps expanded prompts."""

    def __init__(self, watcher: Watcher, megapixels: float) -> None:
        self._watcher = watcher
        self._megapixels = megapixels
        self.prompts: dict[int, str] = {}

    def expanded(self, number: int, prompt: str, negative_prompt: str) -> None:
        """What the prompt of the crop of that number has become."""
        self.prompts[number] = f"{prompt} | negative: {negative_prompt}" if negative_prompt else prompt

    def step(self, number: int, total: int) -> None:
        """One more step of the batch is done. Raises what the watcher's `check` does."""
        self._watcher.advance(self._megapixels)
        self._watcher.check()
