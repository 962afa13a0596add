"""The img2img tab."""

from __future__ import annotations

import gradio as gr

import modules.img2img
from modules import compat, infotext_utils, progress, scripts, shared
from modules.call_queue import wrap_gradio_gpu_call
from modules.ui_common import Toprow, create_output_panel
from modules.ui_components import ToolButton
from modules.ui_txt2img import _styles, batch_sliders, override_settings_dropdown, size_sliders, slider

_CATEGORIES = (
    "image", "inpaint", "sampler", "accordions", "checkboxes", "dimensions", "cfg", "denoising", "seed", "batch",
    "override_settings", "scripts",
)  # fmt: skip
_LATENT = "Just resize (latent upscale)"
_INFO = ["Prompt", "Negative prompt", "Seed", "CFG scale", "Sampler", "Steps", "Model hash"]


def _picture(elem_id, label, mode="RGBA", **told):
    return gr.Image(
        label=label, elem_id=elem_id, show_label=False, interactive=True, type="pil", image_mode=mode,
        **compat.upload(**told),
    )  # fmt: skip


def create():
    runner = scripts.scripts_img2img
    with gr.Blocks(analytics_enabled=False) as interface:
        toprow = Toprow("img2img")
        task = gr.Textbox(visible=False)
        with gr.Tabs(elem_id="img2img_extra_tabs"), gr.TabItem("Generation", id="img2img_generation"), gr.Row():
            with gr.Column(elem_id="img2img_settings"):
                runner.prepare_ui()
                for category in _CATEGORIES:
                    if category == "image":
                        given = _images()
                        resize_mode = gr.Radio(
                            label="Resize mode", elem_id="resize_mode", type="index", value="Just resize",
                            choices=["Just resize", "Crop and resize", "Resize and fill", _LATENT],
                        )  # fmt: skip
                    elif category == "inpaint":
                        inpaint = _inpaint()
                    elif category == "dimensions":
                        sizes = _sizes()
                        batch_count, batch_size = batch_sliders("img2img")
                    elif category == "denoising":
                        strength = slider("img2img", "denoising_strength", "Denoising strength", 0.75, 0.0, 1.0, 0.01)
                    elif category == "cfg":
                        with gr.Row():
                            cfg_scale = slider("img2img", "cfg_scale", "CFG Scale", 7.0, 1.0, 30.0, 0.5)
                            image_cfg_scale = gr.Slider(
                                minimum=0, maximum=3.0, step=0.05, label="Image CFG Scale", value=1.5, visible=False,
                                elem_id="img2img_image_cfg_scale",
                            )  # fmt: skip
                    elif category == "accordions":
                        with gr.Row(elem_id="img2img_accordions", elem_classes=["accordions"]):
                            runner.setup_ui_for_section(category)
                    elif category == "override_settings":
                        with gr.Row(elem_id="img2img_override_settings_row"):
                            override = override_settings_dropdown("img2img")
                    elif category == "scripts":
                        with gr.Group(elem_id="img2img_script_container"):
                            custom = runner.setup_ui()
                    if category != "accordions":
                        runner.setup_ui_for_section(category)
            panel = create_output_panel("img2img", shared.opts.outdir_img2img_samples, toprow)
        _show_inpaint_controls(given["tabs"], inpaint)
        outputs = [panel.gallery, panel.generation_info, panel.infotext, panel.html_log]
        mode = gr.Number(value=0, visible=False, precision=0)
        told = {
            "fn": wrap_gradio_gpu_call(modules.img2img.img2img, extra_outputs=[None, "", ""]),
            "js": "submit_img2img",
            "inputs": [
                task, mode, toprow.prompt, toprow.negative_prompt, toprow.styles, *given["pictures"],
                inpaint["mask_blur"], inpaint["mask_alpha"], inpaint["fill"], batch_count, batch_size, cfg_scale,
                image_cfg_scale, strength, sizes["tab"], sizes["height"], sizes["width"], sizes["scale"], resize_mode,
                inpaint["area"], inpaint["padding"], inpaint["invert"], *given["folders"], override, *given["batch"],
                *custom,
            ],
            "outputs": outputs,
            "show_progress": False,
        }  # fmt: skip
        compat.event(toprow.prompt.submit)(**told)
        compat.event(toprow.submit.click)(**told)
        compat.event(toprow.restore_progress_button.click)(
            fn=progress.restore_progress, js="restoreProgressImg2img", inputs=[task], outputs=outputs
        )
        # Without names for the API: a request by infotext sets only what scripts have named.
        fields = [
            (toprow.prompt, "Prompt"),
            (toprow.negative_prompt, "Negative prompt"),
            (cfg_scale, "CFG scale"),
            (image_cfg_scale, "Image CFG scale"),
            (sizes["width"], "Size-1"),
            (sizes["height"], "Size-2"),
            (batch_size, "Batch size"),
            (toprow.styles, _styles),
            (strength, "Denoising strength"),
            (inpaint["mask_blur"], "Mask blur"),
            (inpaint["invert"], "Mask mode"),
            (inpaint["fill"], "Masked content"),
            (inpaint["area"], "Inpaint area"),
            (inpaint["padding"], "Masked area padding"),
            *runner.infotext_fields,
        ]
        infotext_utils.add_paste_fields("img2img", given["pictures"][0], fields, override)
        infotext_utils.add_paste_fields("inpaint", given["pictures"][2], fields, override)
        infotext_utils.register_paste_params_button(
            infotext_utils.ParamBinding(toprow.paste, "img2img", source_text_component=toprow.prompt)
        )
    return interface


def _images():
    """The pictures in the order of the tabs, and what belongs to the batch tab."""
    with gr.Tabs(elem_id="mode_img2img"):
        with gr.TabItem("img2img", id="img2img", elem_id="img2img_img2img_tab") as first:
            init = _picture("img2img_image", "Image for img2img")
        with gr.TabItem("Sketch", id="img2img_sketch", elem_id="img2img_img2img_sketch_tab") as second:
            sketch = _picture("img2img_sketch", "Image for img2img", "RGB")
        with gr.TabItem("Inpaint", id="inpaint", elem_id="img2img_inpaint_tab") as third:
            drawn = _picture(
                "img2maskimg", "Image for inpainting with mask", **({} if compat.MODERN else {"tool": "sketch"})
            )
        with gr.TabItem("Inpaint sketch", id="inpaint_sketch", elem_id="img2img_inpaint_sketch_tab") as fourth:
            colour = _picture("inpaint_sketch", "Color sketch inpainting", "RGB")
            colour_before = gr.Textbox(visible=False)
        with gr.TabItem("Inpaint upload", id="inpaint_upload", elem_id="img2img_inpaint_upload_tab") as fifth:
            base = _picture("img_inpaint_base", "Image for img2img", "RGB")
            mask = _picture("img_inpaint_mask", "Mask")
        with gr.TabItem("Batch", id="batch", elem_id="img2img_batch_tab") as sixth:
            with gr.Tabs(elem_id="img2img_batch_source"):
                source = gr.Textbox(visible=False, value="upload")
                with gr.TabItem("Upload", id="batch_upload", elem_id="img2img_batch_upload_tab") as by_upload:
                    upload = gr.File(
                        label="Files", file_count="multiple", interactive=True, elem_id="img2img_batch_upload"
                    )  # fmt: skip
                with gr.TabItem(
                    "From directory", id="batch_from_dir", elem_id="img2img_batch_from_dir_tab"
                ) as by_folder:
                    folders = [
                        gr.Textbox(label=label, elem_id=f"img2img_batch_{name}_dir")
                        for label, name in (
                            ("Input directory", "input"), ("Output directory", "output"),
                            ("Inpaint batch mask directory", "inpaint_mask"),
                        )
                    ]  # fmt: skip
            by_upload.select(fn=lambda: "upload", inputs=[], outputs=[source])
            by_folder.select(fn=lambda: "from dir", inputs=[], outputs=[source])
            with gr.Accordion("PNG info", open=False):
                use_info = gr.Checkbox(label="Append png info to prompts", elem_id="img2img_batch_use_png_info")
                info_dir = gr.Textbox(label="PNG info directory", elem_id="img2img_batch_png_info_dir")
                info = gr.CheckboxGroup(
                    _INFO, label="Parameters to take from png info"
                )  # fmt: skip
    return {
        "tabs": [first, second, third, fourth, fifth, sixth],
        "pictures": [init, sketch, drawn, colour, colour_before, base, mask],
        "folders": folders,
        "batch": [use_info, info, info_dir, source, upload],
    }


def _inpaint():
    with gr.Group(elem_id="inpaint_controls", visible=False) as group:
        found = {
            "mask_blur": slider("img2img", "mask_blur", "Mask blur", 4, 0, 64, 1),
            "mask_alpha": gr.Slider(label="Mask transparency", visible=False, elem_id="img2img_mask_alpha"),
            "invert": _choice("Mask mode", ["Inpaint masked", "Inpaint not masked"], 0, "mask_mode"),
            "fill": _choice(
                "Masked content", ["fill", "original", "latent noise", "latent nothing"], 1, "inpainting_fill"
            ),
            "area": _choice("Inpaint area", ["Whole picture", "Only masked"], 0, "inpaint_full_res"),
            "padding": slider("img2img", "inpaint_full_res_padding", "Only masked padding, pixels", 32, 0, 256, 4),
        }
    return {**found, "group": group}


def _choice(label, choices, chosen, name):
    return gr.Radio(label=label, choices=choices, value=choices[chosen], type="index", elem_id=f"img2img_{name}")


def _show_inpaint_controls(tabs, inpaint):
    for number, tab in enumerate(tabs):
        tab.select(
            fn=lambda number=number: (gr.update(visible=number in (2, 3, 4)), gr.update(visible=number == 3)),
            inputs=[], outputs=[inpaint["group"], inpaint["mask_alpha"]],
        )  # fmt: skip


def _sizes():
    tab = gr.Number(value=0, visible=False, precision=0)
    with gr.Tabs(elem_id="img2img_tabs_resize"):
        with gr.TabItem("Resize to", id="to", elem_id="img2img_tab_resize_to") as to:
            width, height = size_sliders("img2img")
            ToolButton("⇅", elem_id="img2img_res_switch_btn")
        with gr.TabItem("Resize by", id="by", elem_id="img2img_tab_resize_by") as by:
            scale = slider("img2img", "scale", "Scale", 1.0, 0.05, 4.0, 0.05)
    to.select(fn=lambda: 0, inputs=[], outputs=[tab])
    by.select(fn=lambda: 1, inputs=[], outputs=[tab])
    return {"tab": tab, "width": width, "height": height, "scale": scale}
