"""What this host has for the controls that name something of it, for the page, the presets and the routes alike."""

from __future__ import annotations

from collections.abc import Container

from modules import sd_models

from lib_finisher.api import requests
from lib_finisher.assets import LUT, REFERENCE, AssetError
from lib_finisher.hosts.webui import assets, models, probe
from lib_finisher.hosts.webui.detectors import Choosable, detectors
from lib_finisher.stages.detail_targets import suggested
from lib_finisher.ui.table import Offer


class _File:
    """What a control that names a file may be: its name, whatever its case, with or without the ending."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __contains__(self, value: object) -> bool:
        try:
            return bool(assets.assets().find(self._kind, str(value)))
        except AssetError:
            return False


def for_the_page() -> Offer:
    """What the page offers: the choices, what this host cannot do, and what goes with each detector."""
    targets = {item.name: suggested(item.target) for item in detectors().listed() if item.present}
    by_detector = {name: values for name, values in targets.items() if values}
    return Offer(choices(), probe.missing_controls(), {"detector": by_detector})


def offer() -> requests.Offer:
    """What the routes and the regions panel accept: the choices, and the further names these go by."""
    return requests.Offer(choices(), also())


def choices() -> dict[str, list[str]]:
    """What there is, by the control's name."""
    return {**models.choices(detectors().names()), **assets.choices()}


def also() -> dict[str, Container[str]]:
    """Further names that what there is goes by, by the control's name."""
    aliases = sd_models.checkpoint_aliases
    files = {"lut": _File(LUT), "match_reference": _File(REFERENCE)}
    return {"checkpoint": aliases, "refiner_checkpoint": aliases, "detector": Choosable(), **files}
