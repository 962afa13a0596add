"""What was learned of this machine's speed."""

from __future__ import annotations

import functools
from pathlib import Path

from modules import paths_internal

from lib_finisher.hosts.port import Host
from lib_finisher.plan.plan import Plan
from lib_finisher.plan.rates import Rates


@functools.cache
def rates() -> Rates:
    """Kept beside the host's other data."""
    return Rates(Path(paths_internal.data_path) / "finisher" / "rates.json")


def seconds(host: Host, plan: Plan) -> float | None:
    """How long the sampling of a plan is expected to take, None where nothing is known yet."""
    return rates().seconds(host, "", plan.total.megapixel_steps, plan.total.models)
