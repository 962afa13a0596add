"""What a picture's infotext says of its making, read with the host's own parser."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from modules import images, shared
from modules.infotext_utils import parse_generation_parameters

from lib_finisher.hosts.webui import probe
from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData
from lib_finisher.infotext.generation import Generation, read_generation
from lib_finisher.infotext.layout import FEWEST_PAIRS
from lib_finisher.infotext.seeds import read_seed
from lib_finisher.infotext.writing import base_fields, infotext_line
from lib_finisher.stages.diffusion import PROMPT

logger = logging.getLogger(__name__)

_LONGEST_VALUE, _MOST_PAIRS = 300, 100


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
    """What a picture says of its making: fields of `Base`, styles, and what was not taken as it stands."""

    fields: dict[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def told_by(infotext: str, side: SideData = NO_SIDE_DATA) -> OwnBase:
    """What an infotext, or else the `side` data of other programs, says; "" and nothing make an empty one.

    The host's parser takes styles that it knows out of the prompts.
    """
    generation = read_generation(infotext, side)
    if generation is None:
        return OwnBase()
    parsed: dict[str, Any] = dict(generation.parsed)
    try:
        parsed = {**parse_generation_parameters(_short(generation)), **generation.pairs}
    # Whatever a foreign program wrote there must not keep the picture from being finished.
    except Exception:
        logger.warning("The host cannot read the infotext of a picture.", exc_info=True)
    _, note = read_seed(parsed["Seed"]) if "Seed" in parsed else (None, "")
    return OwnBase(
        base_fields(parsed, probe.samplers(), probe.schedulers()),
        tuple(parsed.get("Styles array") or ()),
        (note,) if note else (),
    )


def _short(generation: Generation) -> str:
    """The prompts and such pairs as concern the base: the host's expression takes very long over long lines."""
    lines = [generation.prompt]
    if generation.negative_prompt:
        lines.append(f"Negative prompt: {generation.negative_prompt}")
    pairs = [(key, value) for key, value in generation.pairs.items() if len(value) <= _LONGEST_VALUE][:_MOST_PAIRS]
    return "\n".join([*lines, infotext_line(pairs)] if len(pairs) >= FEWEST_PAIRS else lines)


def style_texts(styles: list[str]) -> dict[str, str]:
    """What the styles make of a prompt, as fields of `Base`."""
    if not styles:
        return {}
    return {
        "style": shared.prompt_styles.apply_styles_to_prompt(PROMPT, styles),
        "negative_style": shared.prompt_styles.apply_negative_styles_to_prompt(PROMPT, styles),
    }
