"""What may stand for an upscaler beside the names of models."""

from __future__ import annotations

AUTO_UPSCALER, LANCZOS = "auto", "Lanczos"
