"""The accordion in the txt2img and img2img tabs, in the host's own kind of accordion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from lib_finisher.hosts.webui import regions
from lib_finisher.hosts.webui.presets import pasted
from lib_finisher.infotext.writing import KEY
from lib_finisher.ui import accordion


def build(is_img2img: bool) -> tuple[list[Any], list[Any]]:
    """(the script's components, its paste fields). Called several times by the host: no side effects."""
    tab = "img2img" if is_img2img else "txt2img"
    enabled, recipe = accordion.build(tab, _host_accordion(), regions.service(tab))
    # Without a name for the API: A1111 would look for a request field of that name, and answer 500 to an infotext.
    # Script arguments are found by their components.
    return [enabled, recipe], [(enabled, _was_on), (recipe, pasted)]


def _host_accordion() -> accordion.Accordion:
    """The accordion with a switch that newer hosts have, or a plain one with a checkbox."""
    try:
        from modules.ui_components import InputAccordion
    except ImportError:
        return _plain_accordion
    return InputAccordion


@contextmanager
def _plain_accordion(value: bool, label: str, elem_id: str) -> Iterator[Any]:
    with gr.Accordion(label, open=False, elem_id=elem_id):
        yield gr.Checkbox(value, label=f"Enable {label}", elem_id=f"{elem_id}-checkbox")


def _was_on(parameters: dict[str, Any]) -> bool:
    return KEY in parameters
