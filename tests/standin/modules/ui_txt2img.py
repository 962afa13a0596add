"""The txt2img tab."""

from __future__ import annotations

import gradio as gr

import modules.txt2img
from modules import compat, infotext_utils, progress, scripts, sd_models, sd_samplers, shared
from modules.call_queue import wrap_gradio_gpu_call
from modules.infotext_utils import PasteField
from modules.sd_schedulers import schedulers
from modules.ui_common import Toprow, create_output_panel
from modules.ui_components import InputAccordion, ToolButton

_CATEGORIES = (
    "sampler", "accordions", "checkboxes", "dimensions", "cfg", "seed", "batch", "override_settings", "scripts"
)  # fmt: skip


def slider(tab, name, label, value, minimum, maximum, step):
    return gr.Slider(
        minimum=minimum, maximum=maximum, step=step, label=label, value=value, elem_id=f"{tab}_{name}"
    )  # fmt: skip


def override_settings_dropdown(tab):
    return gr.Dropdown(
        [], label="Override settings", visible=False, elem_id=f"{tab}_override_settings", multiselect=True, value=[]
    )


def size_sliders(tab):
    return slider(tab, "width", "Width", 512, 64, 2048, 8), slider(tab, "height", "Height", 512, 64, 2048, 8)


def batch_sliders(tab):
    with gr.Row(elem_id=f"{tab}_column_batch"):
        return (
            slider(tab, "batch_count", "Batch count", 1, 1, 100, 1),
            slider(tab, "batch_size", "Batch size", 1, 1, 8, 1),
        )


def create():
    runner = scripts.scripts_txt2img
    with gr.Blocks(analytics_enabled=False) as interface:
        toprow = Toprow("txt2img")
        task = gr.Textbox(visible=False)
        with gr.Tabs(elem_id="txt2img_extra_tabs"), gr.TabItem("Generation", id="txt2img_generation"), gr.Row():
            with gr.Column(elem_id="txt2img_settings"):
                runner.prepare_ui()
                for category in _CATEGORIES:
                    if category == "dimensions":
                        with gr.Row(), gr.Column(elem_id="txt2img_column_size", scale=4):
                            width, height = size_sliders("txt2img")
                        ToolButton("⇅", elem_id="txt2img_res_switch_btn")
                        batch_count, batch_size = batch_sliders("txt2img")
                    elif category == "cfg":
                        with gr.Row():
                            cfg_scale = slider("txt2img", "cfg_scale", "CFG Scale", 7.0, 1.0, 30.0, 0.5)
                    elif category == "accordions":
                        with gr.Row(elem_id="txt2img_accordions", elem_classes=["accordions"]):
                            hires = _hires()
                            runner.setup_ui_for_section(category)
                    elif category == "override_settings":
                        with gr.Row(elem_id="txt2img_override_settings_row"):
                            override = override_settings_dropdown("txt2img")
                    elif category == "scripts":
                        with gr.Group(elem_id="txt2img_script_container"):
                            custom = runner.setup_ui()
                    if category != "accordions":
                        runner.setup_ui_for_section(category)
            panel = create_output_panel("txt2img", shared.opts.outdir_txt2img_samples, toprow)
        outputs = [panel.gallery, panel.generation_info, panel.infotext, panel.html_log]
        inputs = [
            task, toprow.prompt, toprow.negative_prompt, toprow.styles, batch_count, batch_size, cfg_scale, height,
            width, *hires, override, *custom,
        ]  # fmt: skip
        told = {
            "fn": wrap_gradio_gpu_call(modules.txt2img.txt2img, extra_outputs=[None, "", ""]),
            "js": "submit",
            "inputs": inputs,
            "outputs": outputs,
            "show_progress": False,
        }
        compat.event(toprow.prompt.submit)(**told)
        compat.event(toprow.submit.click)(**told)
        number = gr.Number(value=0, visible=False, precision=0)
        compat.event(panel.button_upscale.click)(
            fn=wrap_gradio_gpu_call(modules.txt2img.txt2img_upscale, extra_outputs=[None, "", ""]),
            js="submit_txt2img_upscale", inputs=[task, panel.gallery, number, panel.generation_info, *inputs[1:]],
            outputs=outputs, show_progress=False,
        )  # fmt: skip
        compat.event(toprow.restore_progress_button.click)(
            fn=progress.restore_progress, js="restoreProgressTxt2img", inputs=[task], outputs=outputs
        )
        enable_hr, strength, scale, upscaler, steps, resize_x, resize_y, *others = hires
        checkpoint, sampler, scheduler, prompt, against = others
        fields = [
            PasteField(toprow.prompt, "Prompt", api="prompt"),
            PasteField(toprow.negative_prompt, "Negative prompt", api="negative_prompt"),
            PasteField(cfg_scale, "CFG scale", api="cfg_scale"),
            PasteField(width, "Size-1", api="width"),
            PasteField(height, "Size-2", api="height"),
            PasteField(batch_size, "Batch size", api="batch_size"),
            PasteField(toprow.styles, _styles, api="styles"),
            PasteField(strength, "Denoising strength", api="denoising_strength"),
            PasteField(enable_hr, _was_hires, api="enable_hr"),
            PasteField(scale, "Hires upscale", api="hr_scale"),
            PasteField(upscaler, "Hires upscaler", api="hr_upscaler"),
            PasteField(steps, "Hires steps", api="hr_second_pass_steps"),
            PasteField(resize_x, "Hires resize-1", api="hr_resize_x"),
            PasteField(resize_y, "Hires resize-2", api="hr_resize_y"),
            PasteField(checkpoint, "Hires checkpoint", api="hr_checkpoint_name"),
            PasteField(sampler, sd_samplers.get_hr_sampler_from_infotext, api="hr_sampler_name"),
            PasteField(scheduler, sd_samplers.get_hr_scheduler_from_infotext, api="hr_scheduler"),
            PasteField(prompt, "Hires prompt", api="hr_prompt"),
            PasteField(against, "Hires negative prompt", api="hr_negative_prompt"),
            *runner.infotext_fields,
        ]
        infotext_utils.add_paste_fields("txt2img", None, fields, override)
        infotext_utils.register_paste_params_button(
            infotext_utils.ParamBinding(toprow.paste, "txt2img", source_text_component=toprow.prompt)
        )
    return interface


def _styles(told):
    return told["Styles array"] if isinstance(told.get("Styles array"), list) else gr.update()


def _was_hires(told):
    return "Denoising strength" in told and any(
        name in told for name in ("Hires upscale", "Hires upscaler", "Hires resize-1")
    )


def _hires():
    modes = [*shared.latent_upscale_modes, *(item.name for item in shared.sd_upscalers)]
    with InputAccordion(False, label="Hires. fix", elem_id="txt2img_hr") as enable_hr:
        upscaler = gr.Dropdown(
            label="Upscaler", elem_id="txt2img_hr_upscaler", choices=modes, value=shared.latent_upscale_default_mode
        )
        steps = slider("txt2img", "hires_steps", "Hires steps", 0, 0, 150, 1)
        strength = slider("txt2img", "denoising_strength", "Denoising strength", 0.7, 0.0, 1.0, 0.01)
        scale = slider("txt2img", "hr_scale", "Upscale by", 2.0, 1.0, 4.0, 0.05)
        resize_x = slider("txt2img", "hr_resize_x", "Resize width to", 0, 0, 2048, 8)
        resize_y = slider("txt2img", "hr_resize_y", "Resize height to", 0, 0, 2048, 8)
        others = [
            gr.Dropdown(label=label, elem_id=elem_id, choices=[same, *names], value=same)
            for label, elem_id, same, names in (
                ("Checkpoint", "hr_checkpoint", "Use same checkpoint", sd_models.checkpoint_tiles(use_short=True)),
                ("Hires sampling method", "hr_sampler", "Use same sampler", sd_samplers.visible_sampler_names()),
                ("Hires schedule type", "hr_scheduler", "Use same scheduler", [item.label for item in schedulers]),
            )
        ]
        others += [
            gr.Textbox("", label=label, elem_id=elem_id, lines=3)
            for label, elem_id in (("Hires prompt", "hires_prompt"), ("Hires negative prompt", "hires_neg_prompt"))
        ]
    return enable_hr, strength, scale, upscaler, steps, resize_x, resize_y, *others
