"""Serves Finisher's accordion alone, on whichever gradio runs this file: `python page_app.py PORT [FOLDER]`.

A page of its own, not a web UI: it shows the unmodified accordion, scripts and style, echoes what a generation would be
given, and lets a test set the recipe from the server as pasted infotext does. With a folder it has presets, which lie
there, and two checkpoints to choose from; without one the server tells the table of controls only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gradio

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lib_finisher.api.preset_context import PresetContext, resolved_for  # noqa: E402
from lib_finisher.api.presets import answer  # noqa: E402
from lib_finisher.api.problems import RequestError  # noqa: E402
from lib_finisher.controls import SettingsError  # noqa: E402
from lib_finisher.presets.errors import PresetError  # noqa: E402
from lib_finisher.presets.library import Library  # noqa: E402
from lib_finisher.presets.matching import Checkpoint  # noqa: E402
from lib_finisher.recipe import write_recipe  # noqa: E402
from lib_finisher.ui.accordion import build  # noqa: E402
from lib_finisher.ui.regions import Service  # noqa: E402
from lib_finisher.ui.table import Offer, page_table  # noqa: E402

DETECTORS = ["face_yunet", "hands", "eyes"]
CHOICES = {"sampler": ["Euler", "Euler a"], "detector": DETECTORS, "upscaler": ["auto", "Lanczos"]}
CHECKPOINTS = {
    item.name: item
    for item in (
        Checkpoint("juggernaut.safetensors", "a" * 64, "a" * 10, "sdxl", ("pony",), "told by the test"),
        Checkpoint("flow.safetensors", "", "", "flux", (), "told by the test"),
    )
}
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


class Presets:
    """Answers the page's questions about presets as a host does, from a real library."""

    def __init__(self, folder: Path) -> None:
        self.library = Library(folder)

    def around(self, checkpoint: str) -> PresetContext:
        return PresetContext(self.library, CHECKPOINTS[checkpoint], CHOICES)

    def answered(self, text: str) -> str:
        data = json.loads(text)
        try:
            told = answer(data, self.around(data["checkpoint"]))
        except RequestError as error:
            told = {"problems": [f"{item.field}: {item.text}" for item in error.problems]}
        except PresetError as error:
            told = {"problems": [str(error)]}
        return json.dumps({"id": data["id"], **told})

    def runs(self, text: str, checkpoint: str) -> str:
        """The whole recipe that a generation would run with, or why there is none."""
        try:
            return json.dumps(write_recipe(resolved_for(json.loads(text), self.around(checkpoint))[0].recipe))
        except SettingsError as error:
            return json.dumps({"problems": error.problems})


def table(text: str) -> str:
    offer = Offer(CHOICES, frozenset({"text_encoders"}), {"detector": SUGGESTED})
    return json.dumps({"id": json.loads(text)["id"], **page_table(offer)})


def script(names: list[str]) -> str:
    """What the page runs once: the extension's own scripts, and a host's `onUiLoaded` when all are there."""
    code = "\n".join((ROOT / "javascript" / name).read_text(encoding="utf-8") for name in names)
    start = "const ready = []; window.onUiLoaded = (run) => ready.push(run);"
    return f"() => {{ {start} (0, eval)({json.dumps(code)}); ready.forEach((run) => run()); }}"


def main() -> None:
    presets = Presets(Path(sys.argv[2])) if len(sys.argv) > 2 else None
    # In the order of their names, as hosts load them.
    parts = {"fields", "hold", "marks", "page", "rows", "values"}
    if presets is not None:
        parts |= {"exchange", "manage", "presets", "presets_acts", "quick"}
    names = ["finisher.js", *(f"finisher_{name}.js" for name in sorted(parts))]
    keyword = "_js" if gradio.__version__.startswith("3.") else "js"
    with gradio.Blocks(css=(ROOT / "style.css").read_text(encoding="utf-8")) as page:
        if presets is not None:
            names_of = list(CHECKPOINTS)
            chosen = gradio.Dropdown(
                names_of, value=names_of[0], label="Checkpoint", elem_id="setting_sd_model_checkpoint"
            )
        service = Service(table) if presets is None else Service(table, presets=presets.answered)
        enabled, recipe = build("txt2img", accordion, service)
        echo = gradio.Textbox(label="Given", elem_id="given")
        send = gradio.Button("Generate", elem_id="generate")
        paste = gradio.Button("Paste", elem_id="paste")
        send.click(lambda on, text: json.dumps([on, text]), [enabled, recipe], echo)
        if presets is not None:
            run = gradio.Button("Run", elem_id="run")
            run.click(presets.runs, [recipe, chosen], echo)
        paste.click(lambda: '{"grade": {"contrast": 0.55}, "refine": {"enabled": false}}', None, recipe)
        page.load(None, None, None, **{keyword: script(names)})
    page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), show_api=False, quiet=True)


if __name__ == "__main__":
    main()
