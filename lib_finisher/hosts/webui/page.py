"""The accordion in the txt2img and img2img tabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from lib_finisher.hosts.webui.hooks import KEY

LABEL = "Finisher"


def build(elem_id: Callable[[str], str]) -> tuple[list[Any], list[Any]]:
    """(the script's components, its paste fields). Called several times by the host: no side effects."""
    try:
        from modules.ui_components import InputAccordion
    except ImportError:
        with gr.Accordion(LABEL, open=False, elem_id=elem_id("accordion")):
            enabled = gr.Checkbox(False, label="Enable Finisher", elem_id=elem_id("enabled"))
            recipe = _recipe(elem_id)
    else:
        with InputAccordion(False, label=LABEL, elem_id=elem_id("enabled")) as enabled:
            recipe = _recipe(elem_id)
    # Without a name for the API: A1111 would look for a request field of that name, and answer 500 to an infotext.
    # Script arguments are found by their components.
    return [enabled, recipe], [(enabled, _was_on), (recipe, KEY)]


def _recipe(elem_id: Callable[[str], str]) -> Any:
    return gr.Textbox(
        "{}", label="Recipe (JSON)", lines=4, placeholder='{"upscale": {"enabled": false}}', elem_id=elem_id("recipe")
    )


def _was_on(parameters: dict[str, Any]) -> bool:
    return KEY in parameters
