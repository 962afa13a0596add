"""Infotexts: reading them, and pasting them into the page."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from pathlib import Path

import gradio as gr
from PIL import Image

from modules import compat, errors, images, paths_internal, prompt_parser, script_callbacks, shared

sys.modules["modules.generation_parameters_copypaste"] = sys.modules[__name__]

_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"^(\d+)x(\d+)$")
_FEWEST = 3
# What an infotext means by saying nothing of it.
_UNSAID = {
    "Clip skip": "1", "Hires resize-1": 0, "Hires resize-2": 0, "Hires sampler": "Use same sampler",
    "Hires schedule type": "Use same scheduler", "Hires checkpoint": "Use same checkpoint", "Hires prompt": "",
    "Hires negative prompt": "", "Mask mode": "Inpaint masked", "Masked content": "original",
    "Inpaint area": "Whole picture", "Masked area padding": 32, "RNG": "GPU", "Schedule type": "Automatic",
    "Schedule max sigma": 0, "Schedule min sigma": 0, "Schedule rho": 0, "VAE Encoder": "Full",
    "VAE Decoder": "Full", "FP8 weight": "Disable", "Refiner switch by sampling steps": False,
}  # fmt: skip

infotext_to_setting_name_mapping: list = []
type_of_gr_update = type(gr.update())


class ParamBinding:
    def __init__(
        self, paste_button, tabname, source_text_component=None, source_image_component=None, source_tabname=None,
        override_settings_component=None, paste_field_names=None,
    ):  # fmt: skip
        self.paste_button, self.tabname = paste_button, tabname
        self.source_text_component, self.source_image_component = source_text_component, source_image_component
        self.source_tabname, self.override_settings_component = source_tabname, override_settings_component
        self.paste_field_names = paste_field_names or []


class PasteField(tuple):
    def __new__(cls, component, target, *, api=None):
        return super().__new__(cls, (component, target))

    def __init__(self, component, target, *, api=None):
        super().__init__()
        self.api, self.component = api, component
        self.label = target if isinstance(target, str) else None
        self.function = target if callable(target) else None


paste_fields: dict[str, dict] = {}
registered_param_bindings: list[ParamBinding] = []


def reset():
    paste_fields.clear()
    registered_param_bindings.clear()


def quote(text):
    if not any(mark in str(text) for mark in ",\n:"):
        return text
    return json.dumps(text, ensure_ascii=False)


def unquote(text):
    if len(text) == 0 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def parse_generation_parameters(x, skip_fields=None):
    *lines, last = x.strip().split("\n")
    if len(_PAIR.findall(last)) < _FEWEST:
        lines, last = [*lines, last], ""
    texts: dict[bool, list[str]] = {False: [], True: []}
    negative = False
    for line in (line.strip() for line in lines):
        if line.startswith("Negative prompt:"):
            negative, line = True, line[len("Negative prompt:") :].strip()
        texts[negative].append(line)
    found = {}
    for key, value in _PAIR.findall(last):
        text = unquote(value) if value[:1] == value[-1:] == '"' else value
        if not value:
            # The host fails on an empty value and goes on without it.
            errors.logger.info('Error parsing "%s: %s"', key, value)
        elif size := _SIZE.match(text) if isinstance(text, str) else None:
            found[f"{key}-1"], found[f"{key}-2"] = size.groups()
        else:
            found[key] = text
    prompt, against = ("\n".join(texts[kind]) for kind in (False, True))
    if shared.opts.infotext_styles != "Ignore":
        styles, prompt, against = shared.prompt_styles.extract_styles_from_prompt(prompt, against)
        if shared.opts.infotext_styles == "Apply" or (shared.opts.infotext_styles == "Apply if any" and styles):
            found["Styles array"] = styles
    found["Prompt"], found["Negative prompt"] = prompt, against
    for key, value in _UNSAID.items():
        found.setdefault(key, value)
    weighed = [*prompt_parser.parse_prompt_attention(prompt), *prompt_parser.parse_prompt_attention(against)]
    if "Emphasis" not in found and any(weight != 1.0 for _, weight in weighed):
        found["Emphasis"] = "Original"
    for key in shared.opts.infotext_skip_pasting if skip_fields is None else skip_fields:
        found.pop(key, None)
    return found


def _mapping():
    own = [(info.infotext, key) for key, info in shared.opts.data_labels.items() if info.infotext]
    return own + infotext_to_setting_name_mapping


def create_override_settings_dict(text_pairs):
    told = dict(pair.split(":", maxsplit=1) for pair in text_pairs or [])
    return {
        setting: shared.opts.cast_value(setting, told[name].strip()) for name, setting in _mapping() if name in told
    }


def get_override_settings(params, *, skip_fields=None):
    found = []
    for name, setting in _mapping():
        if name in (skip_fields or {}) or params.get(name) is None:
            continue
        if setting == "sd_model_checkpoint" and shared.opts.disable_weights_auto_swap:
            continue
        value = shared.opts.cast_value(setting, params[name])
        if value != getattr(shared.opts, setting, None):
            found.append((name, setting, value))
    return found


def add_paste_fields(tabname, init_img, fields, override_settings_component=None):
    for number, item in enumerate(fields or []):
        if not isinstance(item, PasteField):
            fields[number] = PasteField(*item)
    paste_fields[tabname] = {
        "init_img": init_img, "fields": fields, "override_settings_component": override_settings_component
    }  # fmt: skip


def register_paste_params_button(binding):
    registered_param_bindings.append(binding)


def image_from_url_text(filedata):
    """A picture from what the page gives of a gallery: a file's record, a list of them, or data."""
    if isinstance(filedata, (list, tuple)):
        filedata = filedata[0] if filedata else None
        return image_from_url_text(filedata)
    if filedata is None or isinstance(filedata, Image.Image):
        return filedata
    if isinstance(filedata, dict):
        inner = filedata.get("image") or filedata
        return images.read((inner.get("path") or inner["name"]).rsplit("?", 1)[0])
    if Path(filedata).is_file():
        return images.read(filedata)
    return images.read(io.BytesIO(base64.b64decode(filedata.rpartition(",")[2])))


def send_image_and_dimensions(x):
    picture = image_from_url_text(x)
    if picture is None or not shared.opts.send_size:
        return picture, gr.update(), gr.update()
    return picture, picture.width, picture.height


def connect_paste_params_buttons():
    for binding in registered_param_bindings:
        target = paste_fields.get(binding.tabname)
        if target is None:
            continue
        fields = target["fields"] or []
        by_name = {name: field for field, name in fields if isinstance(name, str)}
        press = compat.event(binding.paste_button.click)
        if binding.source_image_component and target["init_img"]:
            sizes = [by_name[name] for name in ("Size-1", "Size-2") if name in by_name]
            press(
                fn=send_image_and_dimensions if sizes else image_from_url_text, js="extract_image_from_gallery",
                inputs=[binding.source_image_component], outputs=[target["init_img"], *sizes], show_progress=False,
            )  # fmt: skip
        override = binding.override_settings_component or target["override_settings_component"]
        if binding.source_text_component is not None and fields:
            connect_paste(binding.paste_button, fields, binding.source_text_component, override, binding.tabname)
        if binding.source_tabname is not None and fields:
            wanted = ["Prompt", "Negative prompt", "Steps", "Face restoration", *binding.paste_field_names]
            wanted += ["Seed"] if shared.opts.send_seed else []
            source = [field for field, name in paste_fields[binding.source_tabname]["fields"] if name in wanted]
            press(
                fn=lambda *values: values if len(values) > 1 else values[0], inputs=source,
                outputs=[field for field, name in fields if name in wanted], show_progress=False,
            )  # fmt: skip
        press(fn=None, js=f"switch_to_{binding.tabname}", inputs=None, outputs=None)


def connect_paste(button, paste_fields, input_comp, override_settings_component, tabname):
    def paste(prompt):
        file = Path(paths_internal.data_path) / "params.txt"
        if not prompt and file.is_file():
            prompt = file.read_text(encoding="utf-8")
        params = parse_generation_parameters(prompt)
        script_callbacks.infotext_pasted_callback(prompt, params)
        return [_pasted(output, key, params) for output, key in fields]

    fields = list(paste_fields)
    if override_settings_component is not None:
        handled = {key: 1 for _, key in paste_fields if isinstance(key, str)}

        def overridden(params):
            pairs = [f"{name}: {value}" for name, _, value in get_override_settings(params, skip_fields=handled)]
            return gr.update(value=pairs, choices=pairs, visible=bool(pairs))

        fields.append((override_settings_component, overridden))
    button.click(fn=paste, inputs=[input_comp], outputs=[output for output, _ in fields], show_progress=False)
    compat.event(button.click)(fn=None, js=f"recalculate_prompts_{tabname}", inputs=[], outputs=[])


def _pasted(output, key, params):
    try:
        value = key(params) if callable(key) else params.get(key)
    except Exception:  # noqa: BLE001 (an extension's code)
        errors.report(f"Error executing {key}", exc_info=True)
        return gr.update()
    if value is None:
        return gr.update()
    if isinstance(value, type_of_gr_update):
        return value
    kind = type(output.value)
    try:
        if kind is bool and value == "False":
            return gr.update(value=False)
        return gr.update(value=float(value) if kind is int else kind(value))
    except (TypeError, ValueError):
        return gr.update()
