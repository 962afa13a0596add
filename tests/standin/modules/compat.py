"""What differs between gradio 3 and 4, and the callbacks at every component's making."""

from __future__ import annotations

import functools

import gradio as gr

if hasattr(gr, "component_meta"):
    # gradio 4 would write a .pyi file beside every module that derives from a component.
    gr.component_meta.create_or_modify_pyi = lambda *told: None
MODERN = int(gr.__version__.split(".", maxsplit=1)[0]) >= 4


def event(register):
    """An event whose script is given as `js` on both."""

    def call(*arguments, js=None, **told):
        if js is not None:
            told["js" if MODERN else "_js"] = js
        if told.get("show_progress") is False and MODERN:
            told["show_progress"] = "hidden"
        return register(*arguments, **told)

    return call


def signature_of(original):
    """gradio 4 tells the page only those properties that a component's own constructor names."""
    return functools.wraps(original) if MODERN else lambda function: function


def upload(**told):
    """What makes a picture box one for files."""
    return {"sources": ["upload"], **told} if MODERN else {"source": "upload", **told}


def _with_callbacks(original):
    @functools.wraps(original)
    def __init__(self, *arguments, **told):  # noqa: N807 (it takes the place of one)
        from modules import script_callbacks, scripts

        script_callbacks.before_component_callback(self, **told)
        if scripts.scripts_current is not None:
            scripts.scripts_current.before_component(self, **told)
        told.pop("tooltip", None)
        original(self, *arguments, **told)
        script_callbacks.after_component_callback(self, **told)
        if scripts.scripts_current is not None:
            scripts.scripts_current.after_component(self, **told)

    __init__.standin = True
    return __init__


def watch_components():
    """Call before_component and after_component for everything that is put on the page."""
    base = gr.components.Component if MODERN else gr.components.IOComponent
    for kind in (base, gr.blocks.BlockContext):
        if not getattr(kind.__init__, "standin", False):
            kind.__init__ = _with_callbacks(kind.__init__)
