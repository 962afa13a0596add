"""Components of the page that extensions use."""

from __future__ import annotations

import functools

import gradio as gr

from modules import compat


class ToolButton(gr.Button):
    """A button as small as its symbol."""

    if compat.MODERN:

        @functools.wraps(gr.Button.__init__)
        def __init__(self, value="", **kwargs):
            super().__init__(value=value, **_as_tool(kwargs))

    else:

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **_as_tool(kwargs))

    def get_block_name(self):
        return "button"


def _as_tool(told):
    return {**told, "elem_classes": ["tool", *told.get("elem_classes", [])]}


class _Folding(gr.Checkbox):
    """A hidden checkbox, and an accordion that follows it and is followed by it."""

    number = 0

    @compat.signature_of(gr.Checkbox.__init__)
    def __init__(self, value=None, setup=False, **kwargs):
        if not setup or gr.context.Context.block is None:
            # gradio 4 makes another one of the class, outside of any page, when the server sets its value.
            super().__init__(value, **kwargs)
            return
        self.accordion_id = kwargs.pop("elem_id", None)
        if self.accordion_id is None:
            self.accordion_id = f"input-accordion-{_Folding.number}"
            _Folding.number += 1
        super().__init__(value, **{**kwargs, "elem_id": f"{self.accordion_id}-checkbox", "visible": False})
        script = f'(checked) => inputAccordionChecked("{self.accordion_id}", checked)'
        compat.event(self.change)(fn=None, js=script, inputs=[self])
        self.accordion = gr.Accordion(
            kwargs.get("label", "Accordion"), open=value, elem_id=self.accordion_id, elem_classes=["input-accordion"]
        )

    def extra(self):
        return gr.Column(elem_id=f"{self.accordion_id}-extra", elem_classes=["input-accordion-extra"], min_width=0)

    def __enter__(self):
        self.accordion.__enter__()
        return self

    def __exit__(self, *told):
        self.accordion.__exit__(*told)

    def get_block_name(self):
        return "checkbox"


if compat.MODERN:

    def InputAccordion(value=None, **kwargs):  # noqa: N802 (on gradio 4 the hosts have a function of this name)
        return _Folding(value, setup=True, **kwargs)

else:

    class InputAccordion(_Folding):
        """On gradio 3 the hosts have a class."""

        def __init__(self, value, **kwargs):
            super().__init__(value, setup=True, **kwargs)


FormRow, FormGroup, FormColumn, FormHTML = gr.Row, gr.Group, gr.Column, gr.HTML
