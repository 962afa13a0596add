"""How much one fuzzed input may cost, counted and not timed, and how many inputs are tried.

FINISHER_FUZZ_EXAMPLES sets how many inputs each test tries; without it they are as many as fit into a minute together.
"""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, settings

_WANTED = int(os.environ.get("FINISHER_FUZZ_EXAMPLES", "0"))


class OverBudget(BaseException):
    """More calls or more memory than any input of that size may take; nothing under test takes it for its own."""


def tried(usual: int) -> Callable[[Any], Any]:
    """Settings of a test that usually tries so many inputs."""
    return settings(
        max_examples=_WANTED or usual,
        deadline=None,
        database=None,
        # Shrinking needs what the budget below counts, too; explaining would need the tracer.
        phases=(Phase.explicit, Phase.generate, Phase.target, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def within(calls: int, mib: float = 0.0) -> Iterator[None]:
    """No more calls than that, Python's and C's; with `mib`, no more memory at once. Raises OverBudget."""
    made = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal made
        if event in ("call", "c_call"):
            made += 1
            if made > calls:
                sys.setprofile(None)
                raise OverBudget(f"more than {calls} calls")

    if mib:
        tracemalloc.start()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
        peak = tracemalloc.get_traced_memory()[1] if mib else 0
        if mib:
            tracemalloc.stop()
    if peak > mib * 2**20:
        raise OverBudget(f"{peak / 2**20:.1f} MiB at once")
