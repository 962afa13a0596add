"""Steps, sampler and schedule, as an always-on script of the host's own."""

import gradio as gr
from modules import scripts, sd_samplers, sd_schedulers
from modules.infotext_utils import PasteField


class ScriptSampler(scripts.ScriptBuiltinUI):
    section = "sampler"

    def __init__(self):
        self.steps = self.sampler_name = self.scheduler = None

    def title(self):
        return "Sampler"

    def ui(self, is_img2img):
        names = sd_samplers.visible_sampler_names()
        labels = [item.label for item in sd_schedulers.schedulers]
        with gr.Row(elem_id=f"sampler_selection_{self.tabname}"):
            self.sampler_name = gr.Dropdown(
                label="Sampling method", elem_id=f"{self.tabname}_sampling", choices=names, value=names[0]
            )
            self.scheduler = gr.Dropdown(
                label="Schedule type", elem_id=f"{self.tabname}_scheduler", choices=labels, value=labels[0]
            )
            self.steps = gr.Slider(
                minimum=1, maximum=150, step=1, elem_id=f"{self.tabname}_steps", label="Sampling steps", value=20
            )
        self.infotext_fields = [
            PasteField(self.steps, "Steps", api="steps"),
            PasteField(self.sampler_name, sd_samplers.get_sampler_from_infotext, api="sampler_name"),
            PasteField(self.scheduler, sd_samplers.get_scheduler_from_infotext, api="scheduler"),
        ]
        return self.steps, self.sampler_name, self.scheduler

    def setup(self, p, steps, sampler_name, scheduler):
        p.steps, p.sampler_name, p.scheduler = steps, sampler_name, scheduler
