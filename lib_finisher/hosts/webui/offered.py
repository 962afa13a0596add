"""What this host has for the controls that name something of it, for the page, the presets and the routes alike."""

from __future__ import annotations

from collections.abc import Container

from modules import sd_models

from lib_finisher.assets import LUT, REFERENCE, AssetError
from lib_finisher.hosts.webui import assets, models
from lib_finisher.hosts.webui.detectors import Choosable, detectors


class _File:
    """What a control that names a file may be: its name, whatever its case, with or without the ending."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __contains__(self, value: object) -> bool:
        try:
            return bool(assets.assets().find(self._kind, str(value)))
        except AssetError:
            return False


def choices() -> dict[str, list[str]]:
    """What there is, by the control's name."""
    return {**models.choices(detectors().names()), **assets.choices()}


def also() -> dict[str, Container[str]]:
    """Further names that what there is goes by, by the control's name."""
    aliases = sd_models.checkpoint_aliases
    files = {"lut": _File(LUT), "match_reference": _File(REFERENCE)}
    return {"checkpoint": aliases, "refiner_checkpoint": aliases, "detector": Choosable(), **files}
