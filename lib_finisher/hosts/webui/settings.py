"""Finisher's section in the host's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modules import script_callbacks, shared

from lib_finisher.detect.listing import trusted_hashes

_SECTION = ("finisher", "Finisher")
_TRUST = (
    "of detectors' .pt files, with commas between: such a file may run any program code on this machine when it is "
    "loaded, as if you had started it; without this, only files that hold nothing but a model are loaded"
)
_SCRIPTS = "dynamic_prompting, dynamic_thresholding, lora_block_weight, negpip, wildcards, wildcard_recursive"


@dataclass(frozen=True)
class Preferences:
    """What the user chose there.

    `scripts` are file names without ending; `folder` is empty for beside the result; `trusted_models` are sha256 of
    detectors' files that may run code of their own when they are loaded.
    """

    show_base: bool = True
    save_base: bool = False
    save_stages: bool = False
    save_masks: bool = False
    save_deep: bool = False
    folder: str = ""
    scripts: tuple[str, ...] = ()
    trusted_models: frozenset[str] = frozenset()


def register() -> None:
    """Add the section; called whenever the host loads its scripts."""
    script_callbacks.on_ui_settings(_add)


def read() -> Preferences:
    """The present choice; an option that was never registered has its default."""
    names = str(_value("finisher_scripts", _SCRIPTS)).split(",")
    return Preferences(
        show_base=bool(_value("finisher_show_base", True)),
        save_base=bool(_value("finisher_save_base", False)),
        save_stages=bool(_value("finisher_save_stages", False)),
        save_masks=bool(_value("finisher_save_masks", False)),
        save_deep=bool(_value("finisher_save_deep", False)),
        folder=str(_value("finisher_folder", "")).strip(),
        scripts=tuple(name.strip().lower() for name in names if name.strip()),
        trusted_models=trusted_hashes(str(_value("finisher_trusted_models", "")))[0],
    )


def _add() -> None:
    for key, default, label, info, more in (
        ("finisher_show_base", True, "Show the untouched base behind the finished pictures",
         "in the gallery of the page; it is not saved by that, and programs get no more pictures", {}),
        ("finisher_save_base", False, "Save the base picture beside the finished one", "", {}),
        ("finisher_save_stages", False, "Save the picture after every stage", "", {}),
        ("finisher_save_masks", False, "Save mask previews",
         "the picture before detail or repair, with what is redrawn marked in red", {}),
        ("finisher_save_deep", False, "Also save the finished picture as a 16-bit PNG",
         "with all the shades that the grade made; for editing it further", {}),
        ("finisher_folder", "", "Folder for these pictures",
         "empty: beside the finished picture", {"restrict_api": True}),
        ("finisher_scripts", _SCRIPTS, "Scripts that stay active inside Finisher's own generations",
         "file names without .py, separated by commas; everything else is left out there", {}),
        ("finisher_trusted_models", "", "Trusted model files (sha256)", _TRUST, {"restrict_api": True}),
    ):  # fmt: skip
        option: Any = shared.OptionInfo(default, label, section=_SECTION, **more)
        shared.opts.add_option(key, option.info(info) if info else option)


def _value(key: str, default: Any) -> Any:
    return getattr(shared.opts, key) if key in shared.opts.data_labels else default
