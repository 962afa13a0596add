"""The page."""

from __future__ import annotations

import gradio as gr

from modules import compat, infotext_utils, scripts, shared, ui_img2img, ui_settings, ui_txt2img
from modules.ui_common import create_output_panel, plaintext_to_html

__all__ = ["create_output_panel", "create_ui", "plaintext_to_html"]


_LEFT_OUT = (("Extras", "extras"), ("PNG Info", "pnginfo"), ("Checkpoint Merger", "modelmerger"), ("Train", "train"))


def create_ui():
    from modules import page

    page.serve_scripts()
    infotext_utils.reset()
    ui_settings.register_settings()
    scripts.scripts_current = scripts.scripts_txt2img
    scripts.scripts_txt2img.initialize_scripts(is_img2img=False)
    txt2img = ui_txt2img.create()
    scripts.scripts_current = scripts.scripts_img2img
    scripts.scripts_img2img.initialize_scripts(is_img2img=True)
    img2img = ui_img2img.create()
    scripts.scripts_current = None
    with gr.Blocks(analytics_enabled=False) as settings:
        reload = ui_settings.create_ui()
    from modules import script_callbacks

    tabs = [(txt2img, "txt2img", "txt2img"), (img2img, "img2img", "img2img")]
    tabs += [_empty(*told) for told in _LEFT_OUT]
    tabs += script_callbacks.ui_tabs_callback()
    tabs += [(settings, "Settings", "settings"), _empty("Extensions", "extensions")]
    shared.tab_names = [label for _, label, _ in tabs]
    with gr.Blocks(title="Stable Diffusion", analytics_enabled=False) as demo:
        with gr.Row(elem_id="quicksettings"):
            checkpoint = _checkpoint_dropdown()
        with gr.Tabs(elem_id="tabs"):
            for interface, label, ident in tabs:
                with gr.TabItem(label, id=ident, elem_id=f"tab_{ident}"):
                    interface.render()
        gr.HTML("<p>Stand-in web UI on Finisher's embedded engine.</p>", elem_id="footer")
        checkpoint.change(fn=_choose_checkpoint, inputs=[checkpoint], outputs=[checkpoint])
        infotext_utils.connect_paste_params_buttons()
        compat.event(reload.click)(fn=_reload, js="restart_reload", inputs=[], outputs=[])
    return demo


def _empty(label, ident):
    with gr.Blocks(analytics_enabled=False) as interface:
        gr.HTML("<p>The stand-in has nothing here.</p>")
    return interface, label, ident


def _checkpoint_dropdown():
    from modules import sd_models

    return gr.Dropdown(
        label="Stable Diffusion checkpoint", choices=sd_models.checkpoint_tiles(),
        value=shared.opts.sd_model_checkpoint, elem_id="setting_sd_model_checkpoint",
    )  # fmt: skip


def _choose_checkpoint(title):
    shared.opts.set("sd_model_checkpoint", title)
    shared.opts.save(shared.config_filename)
    return gr.update(value=shared.opts.sd_model_checkpoint)


def _reload():
    shared.state.request_restart()


def setup_ui_api(app):
    app.add_api_route("/internal/ping", lambda: {}, methods=["GET"])
