"""What a picture's infotext says of its making, read with the host's own parser."""

from __future__ import annotations

import logging
from typing import Any

from modules import images, shared
from modules.infotext_utils import parse_generation_parameters

from lib_finisher.hosts.webui import probe
from lib_finisher.infotext.writing import base_fields
from lib_finisher.stages.diffusion import PROMPT

logger = logging.getLogger(__name__)


def text_of(picture: Any) -> str:
    """The infotext in a picture, "" where there is none or the host cannot read what the file says beside it."""
    try:
        text, _ = images.read_info_from_image(picture)
    # The hosts expect an OSError alone: a damaged EXIF block is a struct.error, a comment may be an AttributeError.
    except Exception:
        logger.warning("What is written in a picture's file cannot be read; it is taken without.", exc_info=True)
        return ""
    return str(text) if text else ""


def told_by(infotext: str) -> tuple[dict[str, Any], list[str]]:
    """(fields of `Base`, styles). The host's parser takes styles that it knows out of the prompts."""
    if not infotext:
        return {}, []
    try:
        parsed = dict(parse_generation_parameters(infotext))
    # Whatever a foreign program wrote there must not keep the picture from being finished.
    except Exception:
        logger.warning("The infotext of a picture cannot be read.", exc_info=True)
        return {}, []
    return base_fields(parsed, probe.samplers(), probe.schedulers()), list(parsed.get("Styles array") or [])


def style_texts(styles: list[str]) -> dict[str, str]:
    """What the styles make of a prompt, as fields of `Base`."""
    if not styles:
        return {}
    return {
        "style": shared.prompt_styles.apply_styles_to_prompt(PROMPT, styles),
        "negative_style": shared.prompt_styles.apply_negative_styles_to_prompt(PROMPT, styles),
    }
