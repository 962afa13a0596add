"""Scripts: what an extension is, and the loading of script files."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import sys
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path

from modules import errors, extensions, paths_internal, script_callbacks
from modules.extensions import ScriptFile

AlwaysVisible = object()


class MaskBlendArgs:
    def __init__(self, current_latent, nmask, init_latent, mask, blended_latent, denoiser=None, sigma=None):
        self.current_latent, self.nmask, self.init_latent, self.mask = current_latent, nmask, init_latent, mask
        self.blended_latent, self.denoiser, self.sigma = blended_latent, denoiser, sigma
        self.is_final_blend = denoiser is None


class PostSampleArgs:
    def __init__(self, samples):
        self.samples = samples


class PostprocessImageArgs:
    def __init__(self, image):
        self.image = image


class PostProcessMaskOverlayArgs:
    def __init__(self, index, mask_for_overlay, overlay_image):
        self.index, self.mask_for_overlay, self.overlay_image = index, mask_for_overlay, overlay_image


class PostprocessBatchListArgs:
    def __init__(self, images):
        self.images = images


@dataclass
class OnComponent:
    component: object


class Script:
    name = section = filename = args_from = args_to = tabname = group = controls = api_info = None
    alwayson = is_txt2img = is_img2img = setup_for_ui_only = False
    create_group = True
    infotext_fields = paste_field_names = None
    on_before_component_elem_id = on_after_component_elem_id = None

    def title(self):
        raise NotImplementedError

    def ui(self, is_img2img):
        pass

    def show(self, is_img2img):
        return True

    def run(self, p, *args):
        pass

    def setup(self, p, *args):
        pass

    def before_process(self, p, *args):
        pass

    def process(self, p, *args):
        pass

    def before_process_batch(self, p, *args, **kwargs):
        pass

    def after_extra_networks_activate(self, p, *args, **kwargs):
        pass

    def process_batch(self, p, *args, **kwargs):
        pass

    def process_before_every_sampling(self, p, *args, **kwargs):
        pass

    def before_hr(self, p, *args):
        pass

    def on_mask_blend(self, p, mba, *args):
        pass

    def post_sample(self, p, ps, *args):
        pass

    def postprocess_batch(self, p, *args, **kwargs):
        pass

    def postprocess_batch_list(self, p, pp, *args, **kwargs):
        pass

    def postprocess_image(self, p, pp, *args):
        pass

    def postprocess_maskoverlay(self, p, ppmo, *args):
        pass

    def postprocess_image_after_composite(self, p, pp, *args):
        pass

    def postprocess(self, p, processed, *args):
        pass

    def before_component(self, component, **kwargs):
        pass

    def after_component(self, component, **kwargs):
        pass

    def on_before_component(self, callback, *, elem_id):
        self.on_before_component_elem_id = [*(self.on_before_component_elem_id or []), (elem_id, callback)]

    def on_after_component(self, callback, *, elem_id):
        self.on_after_component_elem_id = [*(self.on_after_component_elem_id or []), (elem_id, callback)]

    def describe(self):
        return ""

    def elem_id(self, item_id):
        """An id that differs between the tabs where the script is in both."""
        tab = f"{'img2img' if self.is_img2img else 'txt2img'}_" if self.show(True) == self.show(False) else ""
        title = re.sub(r"[^a-z_0-9]", "", re.sub(r"\s", "_", self.title().lower()))
        return f"script_{tab}{title}_{item_id}"


class ScriptBuiltinUI(Script):
    setup_for_ui_only = True

    def elem_id(self, item_id):
        tab = f"{'img2img' if self.is_img2img else 'txt2img'}_" if self.show(True) == self.show(False) else ""
        return f"{tab}{item_id}"

    def show(self, is_img2img):
        return AlwaysVisible


from modules.script_runner import ScriptRunner  # noqa: E402 (it needs the class above)

current_basedir = paths_internal.script_path
ScriptClassData = namedtuple("ScriptClassData", ["script_class", "path", "basedir", "module"])
scripts_data: list[ScriptClassData] = []
scripts_txt2img: ScriptRunner = None
scripts_img2img: ScriptRunner = None
scripts_current: ScriptRunner = None


def basedir():
    """The folder of the extension whose script is being loaded; of no use later."""
    return current_basedir


def list_scripts(scriptdirname, extension, *, include_extensions=True):
    found = []
    own = Path(paths_internal.script_path) / scriptdirname
    if own.is_dir():
        files = sorted(file for file in own.iterdir() if file.suffix == extension)
        found += [ScriptFile(paths_internal.script_path, file.name, str(file)) for file in files]
    if include_extensions:
        found += [file for item in extensions.active() for file in item.list_files(scriptdirname, extension)]
    return found


def load_module(path):
    """Run a script file by its path; it never enters sys.modules."""
    spec = importlib.util.spec_from_file_location(os.path.basename(path), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_scripts():
    global current_basedir, scripts_txt2img, scripts_img2img
    scripts_data.clear()
    script_callbacks.clear_callbacks()
    files = list_scripts("scripts", ".py") + list_scripts("modules/processing_scripts", ".py", include_extensions=False)
    before = sys.path
    for file in files:
        try:
            if file.basedir != paths_internal.script_path:
                sys.path = [file.basedir, *sys.path]
            current_basedir = file.basedir
            module = load_module(file.path)
            for item in vars(module).values():
                if inspect.isclass(item) and issubclass(item, Script):
                    scripts_data.append(ScriptClassData(item, file.path, file.basedir, module))
        except Exception:  # noqa: BLE001 (an extension's code)
            errors.report(f"Error loading script: {file.filename}", exc_info=True)
        finally:
            # Only while a script is imported can it import its own folder's packages.
            sys.path = before
            current_basedir = paths_internal.script_path
    scripts_txt2img, scripts_img2img = ScriptRunner(), ScriptRunner()


reload_scripts = load_scripts
