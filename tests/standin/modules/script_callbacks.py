"""Callbacks of extensions, by category. One that fails is told in the log and the others are called."""

from __future__ import annotations

import dataclasses
import inspect
import os

from modules import errors, extensions


class ImageSaveParams:
    def __init__(self, image, p, filename, pnginfo):
        self.image, self.p, self.filename, self.pnginfo = image, p, filename, pnginfo


class ExtraNoiseParams:
    def __init__(self, noise, x, xi):
        self.noise, self.x, self.xi = noise, x, xi


class CFGDenoiserParams:
    def __init__(
        self, x, image_cond, sigma, sampling_step, total_sampling_steps, text_cond, text_uncond, denoiser=None
    ):  # fmt: skip
        self.x, self.image_cond, self.sigma = x, image_cond, sigma
        self.sampling_step, self.total_sampling_steps = sampling_step, total_sampling_steps
        self.text_cond, self.text_uncond, self.denoiser = text_cond, text_uncond, denoiser


class CFGDenoisedParams:
    def __init__(self, x, sampling_step, total_sampling_steps, inner_model):
        self.x, self.inner_model = x, inner_model
        self.sampling_step, self.total_sampling_steps = sampling_step, total_sampling_steps


class AfterCFGCallbackParams:
    def __init__(self, x, sampling_step, total_sampling_steps):
        self.x, self.sampling_step, self.total_sampling_steps = x, sampling_step, total_sampling_steps


class ImageGridLoopParams:
    def __init__(self, imgs, cols, rows):
        self.imgs, self.cols, self.rows = imgs, cols, rows


@dataclasses.dataclass
class BeforeTokenCounterParams:
    prompt: str
    steps: int
    styles: list
    is_positive: bool = True


@dataclasses.dataclass
class ScriptCallback:
    script: str
    callback: object
    name: str = "unnamed"


CATEGORIES = (
    "app_started", "on_reload", "model_loaded", "ui_tabs", "ui_train_tabs", "ui_settings", "before_image_saved",
    "image_saved", "extra_noise", "cfg_denoiser", "cfg_denoised", "cfg_after_cfg", "before_component",
    "after_component", "image_grid", "infotext_pasted", "script_unloaded", "before_ui", "list_optimizers",
    "list_unets", "before_token_counter",
)  # fmt: skip
callback_map: dict[str, list[ScriptCallback]] = {f"callbacks_{name}": [] for name in CATEGORIES}


def add_callback(callbacks, fun, *, name=None, category="unknown", filename=None):
    if filename is None:
        filename = next((frame.filename for frame in inspect.stack() if frame.filename != __file__), "unknown file")
    extension = extensions.find_extension(filename)
    home = extension.canonical_name if extension else "base"
    full = "/".join(part for part in (home, os.path.basename(filename), category, name) if part)
    taken = {item.name for item in callbacks}
    number, unique = 0, full
    while unique in taken:
        number += 1
        unique = f"{full}-{number}"
    callbacks.append(ScriptCallback(filename, fun, unique))


def sort_callbacks(category, unordered_callbacks, *, enable_user_sort=True):
    return list(unordered_callbacks)


def ordered_callbacks(category, unordered_callbacks=None, *, enable_user_sort=True):
    return list(callback_map[f"callbacks_{category}"] if unordered_callbacks is None else unordered_callbacks)


def enumerate_callbacks():
    return [(name[len("callbacks_") :], found) for name, found in callback_map.items()]


def clear_callbacks():
    for found in callback_map.values():
        found.clear()


def remove_current_script_callbacks():
    filename = next((frame.filename for frame in inspect.stack() if frame.filename != __file__), "unknown file")
    for found in callback_map.values():
        found[:] = [item for item in found if item.script != filename]


def remove_callbacks_for_function(callback_func):
    for found in callback_map.values():
        found[:] = [item for item in found if item.callback != callback_func]


def _call(category, *arguments, **told):
    results = []
    for item in ordered_callbacks(category):
        try:
            results.append(item.callback(*arguments, **told))
        except Exception:  # noqa: BLE001 (an extension's code)
            errors.report(f"Error executing callback {category} for {item.script}", exc_info=True)
    return results


def app_started_callback(demo, app):
    _call("app_started", demo, app)


def app_reload_callback():
    _call("on_reload")


def model_loaded_callback(sd_model):
    _call("model_loaded", sd_model)


def ui_tabs_callback():
    return [tab for tabs in _call("ui_tabs") for tab in tabs or []]


def ui_settings_callback():
    _call("ui_settings")


def before_image_saved_callback(params):
    _call("before_image_saved", params)


def image_saved_callback(params):
    _call("image_saved", params)


def extra_noise_callback(params):
    _call("extra_noise", params)


def cfg_denoiser_callback(params):
    _call("cfg_denoiser", params)


def cfg_denoised_callback(params):
    _call("cfg_denoised", params)


def cfg_after_cfg_callback(params):
    _call("cfg_after_cfg", params)


def before_component_callback(component, **kwargs):
    _call("before_component", component, **kwargs)


def after_component_callback(component, **kwargs):
    _call("after_component", component, **kwargs)


def image_grid_callback(params):
    _call("image_grid", params)


def infotext_pasted_callback(infotext, params):
    _call("infotext_pasted", infotext, params)


def script_unloaded_callback():
    for item in reversed(callback_map["callbacks_script_unloaded"]):
        try:
            item.callback()
        except Exception:  # noqa: BLE001 (an extension's code)
            errors.report(f"Error executing callback script_unloaded for {item.script}", exc_info=True)


def before_ui_callback():
    for item in reversed(callback_map["callbacks_before_ui"]):
        try:
            item.callback()
        except Exception:  # noqa: BLE001 (an extension's code)
            errors.report(f"Error executing callback before_ui for {item.script}", exc_info=True)


def _registrar(category):
    def register(callback, *, name=None):
        add_callback(callback_map[f"callbacks_{category}"], callback, name=name, category=category)

    register.__name__ = f"on_{category}"
    return register


on_app_started = _registrar("app_started")
on_before_reload = _registrar("on_reload")
on_model_loaded = _registrar("model_loaded")
on_ui_tabs = _registrar("ui_tabs")
on_ui_train_tabs = _registrar("ui_train_tabs")
on_ui_settings = _registrar("ui_settings")
on_before_image_saved = _registrar("before_image_saved")
on_image_saved = _registrar("image_saved")
on_extra_noise = _registrar("extra_noise")
on_cfg_denoiser = _registrar("cfg_denoiser")
on_cfg_denoised = _registrar("cfg_denoised")
on_cfg_after_cfg = _registrar("cfg_after_cfg")
on_before_component = _registrar("before_component")
on_after_component = _registrar("after_component")
on_image_grid = _registrar("image_grid")
on_infotext_pasted = _registrar("infotext_pasted")
on_script_unloaded = _registrar("script_unloaded")
on_before_ui = _registrar("before_ui")
on_list_optimizers = _registrar("list_optimizers")
on_list_unets = _registrar("list_unets")
on_before_token_counter = _registrar("before_token_counter")
