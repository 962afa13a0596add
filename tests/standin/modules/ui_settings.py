"""The settings tab: one component for each registered option."""

from __future__ import annotations

import gradio as gr

from modules import script_callbacks, shared
from modules.shared import opts


def register_settings():
    script_callbacks.ui_settings_callback()


def create_setting_component(key):
    info = opts.data_labels[key]
    told = (info.component_args() if callable(info.component_args) else info.component_args) or {}
    kinds = {str: gr.Textbox, int: gr.Number, float: gr.Number, bool: gr.Checkbox}
    kind = info.component or kinds.get(type(info.default))
    if kind is None:
        return None
    return kind(label=info.label or key, value=getattr(opts, key), elem_id=f"setting_{key}", **told)


def create_ui():
    keys, components = [], []
    with gr.Row():
        submit = gr.Button("Apply settings", variant="primary", elem_id="settings_submit")
        reload = gr.Button("Reload UI", variant="primary", elem_id="settings_restart_gradio")
    result = gr.HTML(elem_id="settings_result")
    with gr.Tabs(elem_id="settings"):
        sections = dict.fromkeys(item.section for item in opts.data_labels.values() if item.section)
        for section in sections:
            with gr.TabItem(section[1], id=section[0], elem_id=f"settings_{section[0]}"):
                for key, info in opts.data_labels.items():
                    if info.section != section or key == "sd_model_checkpoint":
                        continue
                    component = create_setting_component(key)
                    if component is not None:
                        keys.append(key)
                        components.append(component)

    def apply(*values):
        changed = [key for key, value in zip(keys, values) if opts.set(key, value)]
        opts.save(shared.config_filename)
        return f"{len(changed)} settings changed{': ' if changed else ''}{', '.join(changed)}."

    submit.click(fn=apply, inputs=components, outputs=[result])
    gr.Textbox(value=opts.dumpjson(), visible=False, elem_id="settings_json")
    return reload
