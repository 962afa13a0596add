"""The scripts of one tab: their places among the arguments, and the calling of their hooks."""

from __future__ import annotations

import os

import gradio as gr

from modules import errors, script_callbacks, scripts, shared

_HOOKS = [
    "before_process", "process", "before_process_batch", "after_extra_networks_activate", "process_batch",
    "postprocess", "postprocess_batch", "postprocess_batch_list", "post_sample", "on_mask_blend", "postprocess_image",
    "postprocess_maskoverlay", "postprocess_image_after_composite", "before_component", "after_component",
]  # fmt: skip


class ScriptRunner:
    def __init__(self):
        self.scripts, self.selectable_scripts, self.alwayson_scripts = [], [], []
        self.titles, self.title_map = [], {}
        self.infotext_fields, self.paste_field_names = [], []
        self.inputs = [None]
        self.callback_map = {}
        self.callback_names = list(_HOOKS)
        self.on_before_component_elem_id, self.on_after_component_elem_id = {}, {}

    def initialize_scripts(self, is_img2img):
        for found in (self.scripts, self.selectable_scripts, self.alwayson_scripts):
            found.clear()
        for data in scripts.scripts_data:
            try:
                script = data.script_class()
            except Exception:  # noqa: BLE001 (an extension's code)
                errors.report(f"Error # failed to initialize Script {data.module}: ", exc_info=True)
                continue
            script.filename = data.path
            script.is_txt2img, script.is_img2img = not is_img2img, is_img2img
            script.tabname = "img2img" if is_img2img else "txt2img"
            visible = script.show(is_img2img)
            if visible:
                script.alwayson = visible == scripts.AlwaysVisible
                self.scripts.append(script)
                (self.alwayson_scripts if script.alwayson else self.selectable_scripts).append(script)
        self.callback_map.clear()
        self.apply_on_before_component_callbacks()

    def apply_on_before_component_callbacks(self):
        for script in self.scripts:
            for waiting, known in (
                (script.on_before_component_elem_id, self.on_before_component_elem_id),
                (script.on_after_component_elem_id, self.on_after_component_elem_id),
            ):
                for elem_id, callback in waiting or []:
                    known.setdefault(elem_id, []).append((callback, script))
                if waiting:
                    waiting.clear()

    # The page

    def prepare_ui(self):
        self.inputs = [None]

    def setup_ui(self):
        names = [script.title() for script in self.scripts]
        self.title_map = {name.lower(): script for name, script in zip(names, self.scripts)}
        self.titles = [script.title() for script in self.selectable_scripts]
        self.setup_ui_for_section(None)
        choices = ["None", *self.titles]
        dropdown = gr.Dropdown(label="Script", elem_id="script_list", choices=choices, value="None", type="index")
        self.inputs[0] = dropdown
        self.setup_ui_for_section(None, self.selectable_scripts)

        def select(number):
            chosen = self.selectable_scripts[number - 1] if number else None
            return [gr.update(visible=script is chosen) for script in self.selectable_scripts]

        if self.selectable_scripts:
            dropdown.change(fn=select, inputs=[dropdown], outputs=[script.group for script in self.selectable_scripts])
        self.infotext_fields.append((dropdown, lambda told: gr.update(value=told.get("Script", "None"))))
        self.apply_on_before_component_callbacks()
        return self.inputs

    def setup_ui_for_section(self, section, scriptlist=None):
        for script in self.alwayson_scripts if scriptlist is None else scriptlist:
            if script.alwayson and script.section != section:
                continue
            if not script.create_group:
                self.create_script_ui(script)
                continue
            with gr.Group(visible=script.alwayson) as group:
                self.create_script_ui(script)
            script.group = group

    def create_script_ui(self, script):
        script.args_from = script.args_to = len(self.inputs)
        try:
            self.create_script_ui_inner(script)
        except Exception:  # noqa: BLE001 (an extension's code)
            errors.report(f"Error creating UI for {script.filename}: ", exc_info=True)

    def create_script_ui_inner(self, script):
        from modules.api import models

        controls = script.controls = script.ui(script.is_img2img)
        if controls is None:
            return
        script.name = script.title().lower()
        told = []
        for control in controls:
            control.custom_script_source = os.path.basename(script.filename)
            facts = {name: getattr(control, name, None) for name in ("value", "minimum", "maximum", "step")}
            choices = getattr(control, "choices", None)
            if choices is not None:
                facts["choices"] = [item[0] if isinstance(item, tuple) else item for item in choices]
            told.append(models.ScriptArg(label=control.label or "", **facts))
        script.api_info = models.ScriptInfo(
            name=script.name, is_img2img=script.is_img2img, is_alwayson=script.alwayson, args=told
        )
        self.infotext_fields += script.infotext_fields or []
        self.paste_field_names += script.paste_field_names or []
        self.inputs += controls
        script.args_to = len(self.inputs)

    def script(self, title):
        return self.title_map.get(title.lower())

    def run(self, p, *args):
        """The script chosen in the dropdown, if there is one."""
        if not args[0]:
            return None
        script = self.selectable_scripts[args[0] - 1]
        done = script.run(p, *args[script.args_from : script.args_to])
        shared.total_tqdm.clear()
        return done

    # Hooks

    def list_scripts_for_method(self, method_name):
        return self.scripts if method_name in ("before_component", "after_component") else self.alwayson_scripts

    def create_ordered_callbacks_list(self, method_name, *, enable_user_sort=True):
        category = f"script_{method_name}"
        found = []
        for script in self.list_scripts_for_method(method_name):
            own = getattr(type(script), method_name, None)
            if own != getattr(scripts.Script, method_name, None):
                name = type(script).__name__
                script_callbacks.add_callback(found, script, category=category, name=name, filename=script.filename)
        return script_callbacks.sort_callbacks(category, found, enable_user_sort=enable_user_sort)

    def ordered_callbacks(self, method_name, *, enable_user_sort=True):
        category, count = f"script_{method_name}", len(self.list_scripts_for_method(method_name))
        # Kept until the number of scripts changes, as the host does: not when one is exchanged.
        if self.callback_map.get(category, (-1,))[0] != count:
            found = self.create_ordered_callbacks_list(method_name, enable_user_sort=enable_user_sort)
            self.callback_map[category] = count, found
        return self.callback_map[category][1]

    def ordered_scripts(self, method_name):
        return [item.callback for item in self.ordered_callbacks(method_name)]

    def _each(self, hook, p, *objects, **told):
        for script in self.ordered_scripts(hook):
            try:
                getattr(script, hook)(p, *objects, *p.script_args[script.args_from : script.args_to], **told)
            except Exception:  # noqa: BLE001 (an extension's code)
                errors.report(f"Error running {hook}: {script.filename}", exc_info=True)

    def setup_scrips(self, p, *, is_ui=True):
        for script in self.ordered_scripts("setup"):
            if script.setup_for_ui_only and not is_ui:
                continue
            try:
                script.setup(p, *p.script_args[script.args_from : script.args_to])
            except Exception:  # noqa: BLE001 (an extension's code)
                errors.report(f"Error running setup: {script.filename}", exc_info=True)

    def before_process(self, p):
        self._each("before_process", p)

    def process(self, p):
        self._each("process", p)

    def before_process_batch(self, p, **kwargs):
        self._each("before_process_batch", p, **kwargs)

    def after_extra_networks_activate(self, p, **kwargs):
        self._each("after_extra_networks_activate", p, **kwargs)

    def process_batch(self, p, **kwargs):
        self._each("process_batch", p, **kwargs)

    def process_before_every_sampling(self, p, **kwargs):
        self._each("process_before_every_sampling", p, **kwargs)

    def before_hr(self, p):
        self._each("before_hr", p)

    def on_mask_blend(self, p, mba):
        self._each("on_mask_blend", p, mba)

    def post_sample(self, p, ps):
        self._each("post_sample", p, ps)

    def postprocess_batch(self, p, images, **kwargs):
        self._each("postprocess_batch", p, images=images, **kwargs)

    def postprocess_batch_list(self, p, pp, **kwargs):
        self._each("postprocess_batch_list", p, pp, **kwargs)

    def postprocess_image(self, p, pp):
        self._each("postprocess_image", p, pp)

    def postprocess_maskoverlay(self, p, ppmo):
        self._each("postprocess_maskoverlay", p, ppmo)

    def postprocess_image_after_composite(self, p, pp):
        self._each("postprocess_image_after_composite", p, pp)

    def postprocess(self, p, processed):
        self._each("postprocess", p, processed)

    def before_component(self, component, **kwargs):
        self._at_component(
            "before_component", self.on_before_component_elem_id, kwargs.get("elem_id"), component, kwargs
        )

    def after_component(self, component, **kwargs):
        self._at_component("after_component", self.on_after_component_elem_id, component.elem_id, component, kwargs)

    def _at_component(self, hook, known, elem_id, component, told):
        calls = [(call, (scripts.OnComponent(component),), {}) for call, _ in known.get(elem_id, [])]
        calls += [(getattr(script, hook), (component,), told) for script in self.ordered_scripts(hook)]
        for call, arguments, named in calls:
            try:
                call(*arguments, **named)
            except Exception:  # noqa: BLE001 (an extension's code)
                errors.report(f"Error running {hook}", exc_info=True)
