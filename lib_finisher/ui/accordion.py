"""The gradio side of the page: an accordion with its switch, and one hidden text that holds the recipe.

Works with gradio 3.41 and 4.40: the controls themselves are drawn by javascript/finisher.js, so that the page stays
light and one editor serves every stage and pass. Their table is asked for once, whatever the number of accordions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio

from lib_finisher.recipe import SCHEMA, VERSION
from lib_finisher.ui import regions

EMPTY_RECIPE = json.dumps({VERSION: SCHEMA})

Accordion = Callable[..., Any]
"""Makes the host's InputAccordion: called with (value, label=..., elem_id=...)."""


def build(tab: str, accordion: Accordion, service: regions.Service) -> tuple[Any, Any]:
    """The accordion of one tab ("txt2img" or "img2img"): (its switch, the text that holds the recipe as JSON)."""
    with accordion(False, label="Finisher", elem_id=f"finisher_{tab}") as enabled:
        mount = f'class="finisher-editor" data-finisher-tab="{tab}" data-finisher-version="{SCHEMA}"'
        gradio.HTML(f"<div {mount}></div>")
        recipe = gradio.Textbox(
            EMPTY_RECIPE,
            label="Finisher recipe",
            elem_id=f"finisher_{tab}_recipe",
            elem_classes=["finisher-recipe"],
            lines=1,
        )
        regions.build(tab, service)
    # A value that arrives from the server (pasted infotext, a preset) has to reach the drawn controls.
    script = f"() => {{ window.finisher && window.finisher.refresh({json.dumps(tab)}); }}"
    recipe.change(fn=None, inputs=None, outputs=None, **regions.javascript(script))
    return enabled, recipe
