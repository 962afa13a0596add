"""Parts of the page that both tabs have: prompts and buttons above, the gallery beside."""

from __future__ import annotations

import dataclasses
import html
import json

import gradio as gr

from modules import compat, infotext_utils, scripts, shared
from modules.ui_components import ToolButton


def plaintext_to_html(text, classname=None):
    content = "<br>\n".join(html.escape(line) for line in text.split("\n"))
    return f"<p class='{classname}'>{content}</p>" if classname else f"<p>{content}</p>"


def update_generation_info(generation_info, html_info, img_index):
    try:
        return plaintext_to_html(json.loads(generation_info)["infotexts"][max(0, int(img_index))]), gr.update()
    except (ValueError, KeyError, IndexError, TypeError):
        return html_info, gr.update()


def interrupt_pressed():
    state = shared.state
    if not state.stopping_generation and state.job_count > 1 and shared.opts.interrupt_after_current:
        state.stop_generating()
        gr.Info("Generation will stop after finishing this image, click again to stop immediately.")
    else:
        state.interrupt()


class Toprow:
    """Prompts, and the buttons beside them."""

    def __init__(self, tab):
        with gr.Row(elem_id=f"{tab}_toprow"):
            with gr.Column(elem_id=f"{tab}_prompt_container", scale=6):
                self.prompt, self.negative_prompt = (
                    gr.Textbox("", label=label, elem_id=f"{tab}_{name}", show_label=False, lines=3, placeholder=label)
                    for label, name in (("Prompt", "prompt"), ("Negative prompt", "neg_prompt"))
                )
            with gr.Column(scale=1, elem_id=f"{tab}_actions_column"):
                with gr.Row(elem_id=f"{tab}_generate_box", elem_classes=["generate-box"]):
                    self.interrupt = gr.Button(
                        "Interrupt", elem_id=f"{tab}_interrupt", elem_classes=["generate-box-interrupt"]
                    )
                    self.skip = gr.Button("Skip", elem_id=f"{tab}_skip", elem_classes=["generate-box-skip"])
                    self.interrupting = gr.Button(
                        "Interrupting...", elem_id=f"{tab}_interrupting", elem_classes=["generate-box-interrupting"]
                    )
                    self.submit = gr.Button("Generate", elem_id=f"{tab}_generate", variant="primary")
                with gr.Row(elem_id=f"{tab}_tools"):
                    self.paste = ToolButton("↙️", elem_id="paste")
                    self.clear_prompt_button = ToolButton("🗑️", elem_id=f"{tab}_clear_prompt")
                    self.restore_progress_button = ToolButton("🌀", elem_id=f"{tab}_restore_progress", visible=False)
                names = list(shared.prompt_styles.styles)
                self.styles = gr.Dropdown(
                    label="Styles", choices=names, value=[], multiselect=True, elem_id=f"{tab}_styles"
                )
        # Not in the queue, so that they are heard while a generation runs.
        self.skip.click(fn=shared.state.skip, queue=False)
        script = f'() => showSubmitInterruptingPlaceholder("{tab}")'
        compat.event(self.interrupt.click)(fn=interrupt_pressed, js=script, queue=False)
        self.interrupting.click(fn=interrupt_pressed, queue=False)
        self.clear_prompt_button.click(fn=lambda: ("", ""), outputs=[self.prompt, self.negative_prompt])


@dataclasses.dataclass
class OutputPanel:
    gallery: object = None
    generation_info: object = None
    infotext: object = None
    html_log: object = None
    button_upscale: object = None


def create_output_panel(tabname, outdir, toprow=None):
    panel = OutputPanel()
    with gr.Column(elem_id=f"{tabname}_results"), gr.Column(variant="panel", elem_id=f"{tabname}_results_panel"):
        with gr.Group(elem_id=f"{tabname}_gallery_container"):
            panel.gallery = gr.Gallery(
                label="Output", show_label=False, elem_id=f"{tabname}_gallery", columns=4, preview=True
            )
        with gr.Row(elem_id=f"image_buttons_{tabname}", elem_classes=["image-buttons"]):
            ToolButton("📂", elem_id=f"{tabname}_open_folder")
            ToolButton("💾", elem_id=f"save_{tabname}")
            ToolButton("🗃️", elem_id=f"save_zip_{tabname}")
            buttons = {
                name: ToolButton(sign, elem_id=f"{tabname}_send_to_{name}")
                for name, sign in (("img2img", "🖼️"), ("inpaint", "🎨️"), ("extras", "📐"))
            }
            if tabname == "txt2img":
                panel.button_upscale = ToolButton("✨", elem_id=f"{tabname}_upscale")
        with gr.Group():
            panel.infotext = gr.HTML(elem_id=f"html_info_{tabname}", elem_classes=["infotext"])
            panel.html_log = gr.HTML(elem_id=f"html_log_{tabname}", elem_classes=["html-log"])
            panel.generation_info = gr.Textbox(visible=False, elem_id=f"generation_info_{tabname}")
            button = gr.Button(visible=False, elem_id=f"{tabname}_generation_info_button")
            number = gr.Number(value=0, visible=False)
            compat.event(button.click)(
                fn=update_generation_info, js="(x, y, z) => [x, y, selected_gallery_index()]",
                inputs=[panel.generation_info, panel.infotext, number], outputs=[panel.infotext, panel.infotext],
                show_progress=False,
            )  # fmt: skip
    runner = scripts.scripts_txt2img if tabname == "txt2img" else scripts.scripts_img2img
    for target, button in buttons.items():
        infotext_utils.register_paste_params_button(infotext_utils.ParamBinding(
            paste_button=button, tabname=target, source_tabname="txt2img" if tabname == "txt2img" else None,
            source_image_component=panel.gallery, paste_field_names=runner.paste_field_names,
        ))  # fmt: skip
    return panel
