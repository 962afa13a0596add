"""What a picture's infotext says of its making, with what the host's own parser knows of styles."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modules import images, shared
from modules.infotext_utils import parse_generation_parameters

from lib_finisher.hosts.webui import probe
from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData
from lib_finisher.infotext.fields import told_fields
from lib_finisher.infotext.for_hosts import for_the_host
from lib_finisher.infotext.generation import read_generation
from lib_finisher.stages.diffusion_settings import PROMPT

logger = logging.getLogger(__name__)

_FROM_THE_HOST = ("Prompt", "Negative prompt", "Styles array")


def text_of(picture: Any) -> str:
    """The infotext in a picture, "" where there is none or the host cannot read what the file says beside it."""
    try:
        text, _ = images.read_info_from_image(picture)
    # The hosts expect an OSError alone: a damaged EXIF block is a struct.error, a comment may be an AttributeError.
    except Exception:
        logger.warning("What is written in a picture's file cannot be read; it is taken without.", exc_info=True)
        return ""
    return str(text) if text else ""


@dataclass(frozen=True)
class OwnBase:
    """What a picture says of its making: fields of `Base`, styles, and by field what was not taken as it stands."""

    fields: dict[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


def told_by(infotext: str, side: SideData = NO_SIDE_DATA) -> OwnBase:
    """What an infotext, or else the `side` data of other programs, says; "" and nothing make an empty one.

    The pairs are read by our own reader. The host's parser is asked for what it alone knows, the styles that stand in
    the prompts, and only of prompts that are short enough for it.
    """
    generation = read_generation(infotext, side)
    if generation is None:
        return OwnBase()
    parsed: dict[str, Any] = dict(generation.parsed)
    text = for_the_host(generation)
    if text:
        try:
            found = parse_generation_parameters(text)
            parsed |= {key: found[key] for key in _FROM_THE_HOST if key in found}
        # Whatever a foreign program wrote there must not keep the picture from being finished.
        except Exception:
            logger.warning("The host cannot read the infotext of a picture.", exc_info=True)
    told = told_fields(parsed, probe.samplers(), probe.schedulers())
    return OwnBase(dict(told.fields), tuple(parsed.get("Styles array") or ()), told.notes)


def style_texts(styles: list[str]) -> dict[str, str]:
    """What the styles make of a prompt, as fields of `Base`."""
    if not styles:
        return {}
    return {
        "style": shared.prompt_styles.apply_styles_to_prompt(PROMPT, styles),
        "negative_style": shared.prompt_styles.apply_negative_styles_to_prompt(PROMPT, styles),
    }
