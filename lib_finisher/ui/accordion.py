"""The gradio side of the page: an accordion with its switch, one hidden text that holds the recipe, and its table.

Works with gradio 3.41 and 4.40: the controls themselves are drawn by javascript/finisher.js, so that the page stays
light and one editor serves every stage and pass.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

import gradio

from lib_finisher.recipe import SCHEMA, VERSION
from lib_finisher.ui import regions
from lib_finisher.ui.table import Offer, page_table

EMPTY_RECIPE = json.dumps({VERSION: SCHEMA})

Accordion = Callable[..., Any]
"""Makes the host's InputAccordion: called with (value, label=..., elem_id=...)."""


def build(
    tab: str, accordion: Accordion, offer: Offer | Callable[[], Offer], service: regions.Service | None = None
) -> tuple[Any, Any]:
    """The accordion of one tab ("txt2img" or "img2img"): (its switch, the text that holds the recipe as JSON).

    What gives an offer is asked again whenever the page is loaded. Without a service there is no preview of regions.
    """
    with accordion(False, label="Finisher", elem_id=f"finisher_{tab}") as enabled:
        gradio.HTML((lambda: _editor(tab, offer())) if callable(offer) else _editor(tab, offer))
        recipe = gradio.Textbox(
            EMPTY_RECIPE,
            label="Finisher recipe",
            elem_id=f"finisher_{tab}_recipe",
            elem_classes=["finisher-recipe"],
            lines=1,
        )
        if service is not None:
            regions.build(tab, service)
    # A value that arrives from the server (pasted infotext, a preset) has to reach the drawn controls.
    script = f"() => {{ window.finisher && window.finisher.refresh({json.dumps(tab)}); }}"
    recipe.change(fn=None, inputs=None, outputs=None, **regions.javascript(script))
    return enabled, recipe


def _editor(tab: str, offer: Offer) -> str:
    table = html.escape(json.dumps(page_table(offer, tab=tab), ensure_ascii=False), quote=True)
    return f'<div class="finisher-editor" data-finisher-tab="{tab}" data-finisher-table="{table}"></div>'
