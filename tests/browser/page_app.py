"""Serves Finisher's accordion alone, on whichever gradio runs this file: `python page_app.py PORT`.

A page of its own, not a web UI: it shows the unmodified accordion, script and style, echoes what a generation would be
given, and lets a test set the recipe from the server as pasted infotext does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gradio

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lib_finisher.ui.accordion import build  # noqa: E402
from lib_finisher.ui.table import Offer  # noqa: E402

DETECTORS = ["face_yunet", "hands", "eyes"]
CHOICES = {"sampler": ["Euler", "Euler a"], "detector": DETECTORS, "upscaler": ["auto", "Lanczos"]}
SUGGESTED = {"hands": {"padding": 1.0, "gate": 0.05, "dilation": 0.2}, "eyes": {"padding": 1.5, "dilation": 0.3}}


def accordion(value: bool, label: str, elem_id: str) -> object:
    """Like the hosts' InputAccordion: a checkbox and an accordion of one name."""

    class Both:
        def __init__(self) -> None:
            self.box = gradio.Checkbox(value, label=f"Enable {label}", elem_id=f"{elem_id}-checkbox")
            self.folder = gradio.Accordion(label=label, elem_id=elem_id, open=True)

        def __enter__(self) -> object:
            self.folder.__enter__()
            return self.box

        def __exit__(self, *details: object) -> None:
            self.folder.__exit__(*details)

    return Both()


def main() -> None:
    script = (ROOT / "javascript" / "finisher.js").read_text(encoding="utf-8")
    start = f"() => {{ window.onUiLoaded = (run) => run(); const code = {json.dumps(script)}; (0, eval)(code); }}"
    keyword = "_js" if gradio.__version__.startswith("3.") else "js"
    with gradio.Blocks(css=(ROOT / "style.css").read_text(encoding="utf-8")) as page:
        enabled, recipe = build(
            "txt2img", accordion, Offer(CHOICES, frozenset({"text_encoders"}), {"detector": SUGGESTED})
        )
        echo = gradio.Textbox(label="Given", elem_id="given")
        send = gradio.Button("Generate", elem_id="generate")
        paste = gradio.Button("Paste", elem_id="paste")
        send.click(lambda on, text: json.dumps([on, text]), [enabled, recipe], echo)
        paste.click(lambda: '{"grade": {"contrast": 0.55}, "refine": {"enabled": false}}', None, recipe)
        page.load(None, None, None, **{keyword: start})
    page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), show_api=False, quiet=True)


if __name__ == "__main__":
    main()
