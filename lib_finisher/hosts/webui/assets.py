"""The host's folders of LUTs and of reference pictures."""

from __future__ import annotations

from pathlib import Path

from modules import paths_internal

from lib_finisher.assets import LUT, REFERENCE, Assets


def assets() -> Assets:
    """What lies in models/finisher/luts and models/finisher/references."""
    own = Path(paths_internal.models_path) / "finisher"
    return Assets((own / "luts",), (own / "references",))


def choices() -> dict[str, list[str]]:
    """What the page offers for the controls that name one."""
    here = assets()
    return {"lut": here.names(LUT), "match_reference": here.names(REFERENCE)}
