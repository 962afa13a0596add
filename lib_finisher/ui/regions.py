"""How the page's script asks the server: its questions travel through hidden parts of the accordion.

So they need no API of the host, and whoever may use the page may ask. The script's side is javascript/finisher_page.js.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio

_HIDDEN = ["finisher-hidden"]
# What saves, deletes or fetches.
_CHANGING = ("save", "detectors", "presets")


@dataclass(frozen=True)
class Service:
    """Who answers; a page without one of them does not show what it is for. Requests and answers are JSON texts.

    `table` tells the table of controls and what the host offers for them. `look` answers at once. `draw` waits for its
    turn on the host; it is given the name of its task first, and answers with a remark of the host besides.
    `save` saves a picture. `stop` is given the name of a task that is to end. `detectors` lists the detectors, and
    fetches the one that is named first. `plan` tells what finishing would cost. `presets` shows, saves and shares
    presets (see `api.presets`). `refused` is asked first where something may change: it is given the request's text and
    the web framework's own request, None where that is unknown, and answers "" where it may go on.
    """

    table: Callable[[str], str]
    look: Callable[[str], str] | None = None
    draw: Callable[[str, str], tuple[str, str]] | None = None
    save: Callable[[str], str] | None = None
    stop: Callable[[str], None] | None = None
    detectors: Callable[[str], str] | None = None
    plan: Callable[[str], str] | None = None
    presets: Callable[[str], str] | None = None
    refused: Callable[[str, Any], str] | None = None


def build(tab: str, service: Service) -> None:
    """The hidden parts of one tab ("txt2img" or "img2img"), inside the accordion that is being built."""
    for name, act in (
        ("table", service.table), ("look", service.look), ("save", service.save), ("detectors", service.detectors),
        ("plan", service.plan), ("presets", service.presets),
    ):  # fmt: skip
        if act is None:
            continue
        asked, answer = _text(tab, f"{name}_asked"), _text(tab, f"{name}_answer")
        direct: dict[str, Any] = {}
        if service.refused is not None and name in _CHANGING:
            act = _unless_refused(act, service.refused)
            # Gradio 3's queue asks in its own name, and takes anybody's word for what the browser said.
            direct = {"queue": False} if _is_old() else {}
        press = _button(tab, name).click(fn=act, inputs=[asked], outputs=[answer], **direct, **_taking(tab, name))
        press.then(fn=None, inputs=[answer], outputs=None, **_answering(tab, name))
    if service.draw is None or service.stop is None:
        return
    task, asked, answer = (_text(tab, f"draw_{part}") for part in ("task", "asked", "answer"))
    remark = gradio.HTML("", elem_id=f"finisher_{tab}_draw_remark", elem_classes=_HIDDEN)
    press = _button(tab, "draw").click(
        fn=service.draw, inputs=[task, asked], outputs=[answer, remark], **_quiet(), **_taking(tab, "draw")
    )
    press.then(fn=None, inputs=[answer, remark], outputs=None, **_answering(tab, "draw"))
    # Not in the queue, so that it is heard while something runs.
    _button(tab, "stop").click(fn=service.stop, inputs=[task], outputs=None, queue=False, **_taking(tab, "stop"))


def javascript(script: str) -> dict[str, str]:
    """The keyword that gives an event its script: another one in gradio 3 and 4."""
    return {"_js" if _is_old() else "js": script}


def _unless_refused(act: Callable[[str], str], refused: Callable[[str, Any], str]) -> Callable[..., str]:
    # Gradio hands over the request by the type.
    def asked(text: str, request: gradio.Request) -> str:
        return refused(text, request.request) or act(text)

    return asked


def _text(tab: str, name: str) -> Any:
    made = gradio.Textbox("", label=f"Finisher {name}", elem_id=f"finisher_{tab}_{name}", elem_classes=_HIDDEN, lines=1)
    # The hosts keep the defaults of what is on their pages in a file; this has none.
    made.do_not_save_to_config = True
    return made


def _button(tab: str, name: str) -> Any:
    made = gradio.Button(f"Finisher {name}", elem_id=f"finisher_{tab}_{name}", elem_classes=_HIDDEN)
    made.do_not_save_to_config = True
    return made


def _taking(tab: str, name: str) -> dict[str, str]:
    """Before the server is asked the page's script hands over its request."""
    return javascript(f'() => window.finisher.regions.take("{tab}", "{name}")')


def _answering(tab: str, name: str) -> dict[str, str]:
    return javascript(f'(text, remark) => {{ window.finisher.regions.answered("{tab}", "{name}", text, remark); }}')


def _quiet() -> dict[str, Any]:
    """No spinner of gradio's over parts that nobody sees."""
    return {"show_progress": False if _is_old() else "hidden"}


def _is_old() -> bool:
    return int(gradio.__version__.split(".", maxsplit=1)[0]) < 4
