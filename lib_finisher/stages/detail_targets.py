"""What a pass is set to when a detector of a certain target is chosen for it: the page shows it, nothing is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUGGESTED: Mapping[str, Mapping[str, Any]] = {
    # A hand is drawn wrong where the model does not see the arm, and redrawn worse at high strength: much context,
    # little strength, and a gate that lets nothing through that the detector likes less.
    "hand": {"denoising_strength": 0.3, "padding": 1.0, "dilation": 0.2, "gate": 0.05, "likeness": 0.3},
    # Eyes fill a canvas at once, and their size is a fraction of a face's.
    "eyes": {"denoising_strength": 0.25, "padding": 1.5, "dilation": 0.3, "smallest": 6},
    # A body has its context within it; its outline wants a narrow edge.
    "person": {"denoising_strength": 0.3, "padding": 0.15, "mask_blur": 0.1, "dilation": 0.05},
    "clothes": {"denoising_strength": 0.3, "padding": 0.15, "mask_blur": 0.1, "dilation": 0.05},
}
"""Settings of a `DetailPass` by what its detector looks for; what is not here keeps the defaults."""


def suggested(target: str) -> dict[str, Any]:
    """What a pass for that target starts from, beside the defaults."""
    return dict(SUGGESTED.get(target, {}))
