"""What a picture says of its making, whatever program has written it, in the words of the web UIs' infotext.

The layouts are those that the programs' pictures have: SwarmUI ("sui_image_params"), Fooocus, NovelAI ("Comment"),
InvokeAI ("invokeai_metadata", "sd-metadata"), ComfyUI (the graph "prompt") and Draw Things (JSON in XMP).
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lib_finisher.imaging.exif import Exif
from lib_finisher.imaging.side_data import NO_SIDE_DATA, SideData
from lib_finisher.infotext.comfyui import read_graph
from lib_finisher.infotext.layout import read_layout
from lib_finisher.json_text import JsonError, parse_json

# The names that programs have for what an infotext tells; the first that is there counts.
_NAMES = {
    "Prompt": ("prompt", "positive_prompt", "c", "Prompt"),
    "Negative prompt": ("negative_prompt", "negativeprompt", "uc", "Negative Prompt"),
    "Steps": ("steps", "Steps"),
    "CFG scale": ("cfg_scale", "cfgscale", "guidance_scale", "scale", "cfg", "Guidance Scale"),
    "Seed": ("seed", "Seed"),
    "Sampler": ("sampler", "sampler_name", "Sampler"),
    "Schedule type": ("scheduler", "schedule", "noise_schedule", "Scheduler"),
    "Model": ("model", "base_model", "Base Model"),
}
_COMFY_TAGS = (0x010F, 0x0110, 0x010E)
_XMP_COMMENT = "<exif:UserComment"
_MOST_XMP = 1 << 20


@dataclass(frozen=True)
class Generation:
    """The prompts and `pairs` ("Steps", "Sampler", "Seed", ...) of a picture; `program` is whose layout it was."""

    program: str
    prompt: str = ""
    negative_prompt: str = ""
    pairs: Mapping[str, str] = field(default_factory=dict)

    @property
    def parsed(self) -> dict[str, str]:
        """As the web UIs' parser gives an infotext."""
        return {**self.pairs, "Prompt": self.prompt, "Negative prompt": self.negative_prompt}


def read_generation(infotext: str, side: SideData = NO_SIDE_DATA) -> Generation | None:
    """What is told of a picture's making, or None where nothing is."""
    data = _object(infotext)
    if data is not None:
        return _of_parameters(data)
    if infotext.strip():
        layout = read_layout(infotext)
        prompt, negative = layout.prompts
        return Generation("A1111", prompt, negative, layout.pairs)
    for keyword, program in (("Comment", "NovelAI"), ("invokeai_metadata", "InvokeAI"), ("sd-metadata", "InvokeAI")):
        found = _object(side.text(keyword))
        if found is not None:
            inner = found.get("image")
            told = _named(inner if isinstance(inner, Mapping) else found, program)
            if told is not None:
                return told
    return _of_graph(side) or _of_draw_things(side)


def _of_parameters(data: Mapping[str, Any]) -> Generation | None:
    for key, program in (("sui_image_params", "SwarmUI"), ("", "Fooocus")):
        inner = data.get(key) if key else data
        if isinstance(inner, Mapping):
            told = _named(inner, program)
            if told is not None:
                return told
    return _graph(data)


def _named(data: Mapping[str, Any], program: str) -> Generation | None:
    """By the names that programs have for the same; None where there is neither a prompt nor a seed."""
    told: dict[str, str] = {}
    for key, names in _NAMES.items():
        value = next((data[name] for name in names if data.get(name) not in (None, "")), None)
        text = _text(value)
        if text:
            told[key] = text
    if not told.keys() & {"Prompt", "Seed"}:
        return None
    return Generation(program, told.pop("Prompt", ""), told.pop("Negative prompt", ""), told)


def _text(value: Any) -> str:
    """A value as text; of a list of weighted prompts, as old InvokeAI has it, their texts."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list):
        texts = [_text(item.get("prompt") if isinstance(item, Mapping) else item) for item in value]
        return ", ".join(text for text in texts if text)
    return ""


def _of_graph(side: SideData) -> Generation | None:
    """ComfyUI's graph: a text of a PNG, or in WebP and JPEG a tag that begins with its name."""
    told = _object(side.text("prompt"))
    exif = Exif(side.exif)
    for tag in _COMFY_TAGS:
        if told is None:
            name, _, text = exif.text(tag).partition(":")
            told = _object(text) if name.lower() == "prompt" else None
    return _graph(told)


def _graph(data: Mapping[str, Any] | None) -> Generation | None:
    told = None if data is None else read_graph(data)
    if told is None:
        return None
    return Generation("ComfyUI", told.pop("Prompt", ""), told.pop("Negative prompt", ""), told)


def _of_draw_things(side: SideData) -> Generation | None:
    packet = side.xmp[:_MOST_XMP].decode("utf-8", "replace")
    at = packet.find(_XMP_COMMENT)
    if at < 0:
        return None
    start, end = packet.find("{", at), packet.find("</exif:UserComment>", at)
    if not 0 <= start < end:
        return None
    text = re.sub(r"<[^<>]{0,200}>", "", packet[start:end]).strip()
    data = _object(html.unescape(text))
    return None if data is None else _named(data, "Draw Things")


def _object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        data = parse_json(text)
    except JsonError:
        return None
    return data if isinstance(data, dict) else None
