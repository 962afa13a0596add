"""The seed and its variation, as an always-on script of the host's own."""

import gradio as gr
from modules import scripts
from modules.infotext_utils import PasteField
from modules.ui_components import ToolButton


class ScriptSeed(scripts.ScriptBuiltinUI):
    section = "seed"
    create_group = False

    def __init__(self):
        self.seed = None

    def title(self):
        return "Seed"

    def ui(self, is_img2img):
        with gr.Row(elem_id=self.elem_id("seed_row")):
            self.seed = gr.Number(label="Seed", value=-1, elem_id=self.elem_id("seed"), precision=0)
            chance = ToolButton("🎲", elem_id=self.elem_id("random_seed"))
            more = gr.Checkbox(label="Extra", elem_id=self.elem_id("subseed_show"), value=False)
        with gr.Group(visible=False, elem_id=self.elem_id("seed_extras")) as extras:
            other = gr.Number(label="Variation seed", value=-1, elem_id=self.elem_id("subseed"), precision=0)
            strength = gr.Slider(
                label="Variation strength", value=0.0, minimum=0, maximum=1, step=0.01,
                elem_id=self.elem_id("subseed_strength"),
            )  # fmt: skip
            width, height = (
                gr.Slider(minimum=0, maximum=2048, step=8, label=f"Resize seed from {side}", value=0, elem_id=elem_id)
                for side, elem_id in (
                    ("width", self.elem_id("seed_resize_from_w")),
                    ("height", self.elem_id("seed_resize_from_h")),
                )
            )
        chance.click(fn=lambda: -1, inputs=[], outputs=[self.seed])
        more.change(lambda shown: gr.update(visible=shown), inputs=[more], outputs=[extras])
        self.infotext_fields = [
            PasteField(self.seed, "Seed", api="seed"),
            PasteField(more, lambda told: "Variation seed" in told or "Seed resize from-1" in told),
            PasteField(other, "Variation seed", api="subseed"),
            PasteField(strength, "Variation seed strength", api="subseed_strength"),
            PasteField(width, "Seed resize from-1", api="seed_resize_from_h"),
            PasteField(height, "Seed resize from-2", api="seed_resize_from_w"),
        ]
        return self.seed, more, other, strength, width, height

    def setup(self, p, seed, more, other, strength, width, height):
        p.seed = seed
        if more and strength > 0:
            p.subseed, p.subseed_strength = other, strength
        if more and width > 0 and height > 0:
            p.seed_resize_from_w, p.seed_resize_from_h = width, height
