"""Settings: their table, and the values that a configuration file names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from modules import errors


class OptionInfo:
    def __init__(
        self, default=None, label="", component=None, component_args=None, onchange=None, section=None, refresh=None,
        comment_before="", comment_after="", infotext=None, restrict_api=False, category_id=None,
    ):  # fmt: skip
        self.default, self.label = default, label
        self.component, self.component_args = component, component_args
        self.onchange, self.refresh = onchange, refresh
        self.section, self.category_id = section, category_id
        self.comment_before, self.comment_after = comment_before, comment_after
        self.infotext, self.restrict_api = infotext, restrict_api
        self.do_not_save = False

    def html(self, html):
        self.comment_after += html
        return self

    def info(self, info):
        return self.html(f"<span class='info'>({info})</span>")

    def link(self, label, url):
        self.comment_before += f"[<a href='{url}' target='_blank'>{label}</a>]"
        return self

    def js(self, label, js_func):
        self.comment_before += f"[<a onclick='{js_func}(); return false'>{label}</a>]"
        return self

    def needs_restart(self):
        return self.html(" <span class='info'>(requires restart)</span>")

    def needs_reload_ui(self):
        return self.html(" <span class='info'>(requires Reload UI)</span>")


class OptionHTML(OptionInfo):
    def __init__(self, text):
        super().__init__(str(text).strip(), component=lambda **told: gr.HTML(**told))
        self.do_not_save = True


def options_section(section_identifier, options_dict):
    for option in options_dict.values():
        option.section = section_identifier[:2]
        if len(section_identifier) > 2:
            option.category_id = section_identifier[2]
    return options_dict


_OWN = ("data", "data_labels", "restricted_opts", "typemap")


class Options:
    typemap = {int: float}  # noqa: RUF012 (the host's own attribute)

    def __init__(self, data_labels: dict[str, OptionInfo], restricted_opts):
        self.data_labels = data_labels
        self.data = {key: item.default for key, item in data_labels.items() if not item.do_not_save}
        self.restricted_opts = restricted_opts

    def __setattr__(self, key, value):
        if key in _OWN or (key not in self.data and key not in self.data_labels):
            super().__setattr__(key, value)
            return
        option = self.data_labels.get(key)
        if option is not None and option.do_not_save:
            return
        arguments = option.component_args if option else None
        if isinstance(arguments, dict) and arguments.get("visible", True) is False:
            raise RuntimeError(f"not possible to set '{key}' because it is restricted")
        self.data[key] = value

    def __getattr__(self, item):
        if item in _OWN:
            raise AttributeError(item)
        if item in self.data:
            return self.data[item]
        if item in self.data_labels:
            return self.data_labels[item].default
        raise AttributeError(item)

    def set(self, key, value, is_api=False, run_callbacks=True):
        before = self.data.get(key)
        if before == value:
            return False
        # A key that nobody registered is a KeyError, which ends the generation that overrides it.
        option = self.data_labels[key]
        if option.do_not_save or (is_api and option.restrict_api):
            return False
        try:
            setattr(self, key, value)
        except RuntimeError:
            return False
        if run_callbacks and option.onchange is not None:
            try:
                option.onchange()
            except Exception as error:  # noqa: BLE001 (an extension's code)
                errors.display(error, f"changing setting {key} to {value}")
                setattr(self, key, before)
                return False
        return True

    def get_default(self, key):
        option = self.data_labels.get(key)
        return None if option is None else option.default

    def save(self, filename):
        Path(filename).write_text(json.dumps(self.data, indent=4, ensure_ascii=False), encoding="utf-8")

    def load(self, filename):
        # Without a file nothing at all is named: defaults then come from the table and are not in `data`.
        try:
            self.data = json.loads(Path(filename).read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.data = {}

    def same_type(self, x, y):
        if x is None or y is None:
            return True
        return self.typemap.get(type(x), type(x)) == self.typemap.get(type(y), type(y))

    def onchange(self, key, func, call=True):
        self.data_labels[key].onchange = func
        if call:
            func()

    def add_option(self, key, info):
        self.data_labels[key] = info
        if key not in self.data and not info.do_not_save:
            self.data[key] = info.default

    def dumpjson(self):
        return json.dumps({key: self.data.get(key, item.default) for key, item in self.data_labels.items()})

    def cast_value(self, key, value: Any):
        """The text of an infotext as a value of this setting's kind."""
        if value is None:
            return None
        default = self.data_labels[key].default
        if default is None:
            default = getattr(self, key, None)
        if default is None:
            return None
        kind = type(default)
        if kind is bool and value == "False":
            return False
        return kind(value)
