"""Writes down what a web UI does with its scripts. Nothing happens unless the script's argument asks for it.

The argument is JSON text or an object:

    record   true: note every hook and callback of this generation
    flag     {"name": "interrupt" | "skip" | "stop_generating", "at": n, "nested": bool}: press that at the n-th call of
             the denoiser, counted outside of nested calls or inside
    nest     true: nest one img2img of three crops in `postprocess_image_after_composite`; {"sampler": …, "steps": …}
             says how
    extra    entries for `p.extra_generation_params`, put in at `process`

The notes are fetched, and so forgotten, at GET /finisher-recorder/take. Only what the host offers to scripts is used.
Script files are not in `sys.modules`, so there are no dataclasses here.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import gradio as gr
from modules import script_callbacks, scripts, shared
from modules.processing import StableDiffusionProcessingImg2Img, process_images

TITLE = "Finisher recorder"


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


P_NAMES = words("""width height batch_size n_iter iteration batch_index steps cfg_scale sampler_name scheduler
    denoising_strength seed subseed subseed_strength prompt negative_prompt styles all_prompts all_negative_prompts
    all_seeds all_subseeds prompts negative_prompts seeds subseeds extra_generation_params override_settings
    enable_hr hr_scale hr_upscaler hr_upscale_to_x hr_upscale_to_y hr_second_pass_steps is_hr_pass init_images
    resize_mode image_mask mask_for_overlay mask_blur inpaint_full_res inpaint_full_res_padding inpainting_fill
    overlay_images paste_to color_corrections init_latent mask nmask image_conditioning
    is_using_inpainting_conditioning initial_noise_multiplier restore_faces tiling do_not_save_samples
    do_not_save_grid rng sampler script_args comments disable_extra_networks is_api""")
STATE_NAMES = words("""job job_no job_count sampling_step sampling_steps interrupted skipped stopping_generation
    textinfo""")
PROCESSED_NAMES = words("""images index_of_first_image all_prompts all_seeds width height steps comments""")
# They come at every step, so only what changed since the last one is noted.
REPEATED = ("on_cfg_denoiser", "on_cfg_after_cfg", "on_mask_blend", "nested:callback_state")
KEYS_ONLY = {"extra_generation_params", "override_settings", "pnginfo", "comments"}
LENGTH_ONLY = {"script_args"}
GONE = "<gone>"
CROPS = ((0, 0), (64, 0), (0, 64))
CROP = 64

HOOKS = words("""setup before_process process before_process_init_images before_process_batch
    after_extra_networks_activate process_batch process_before_every_sampling process_before_every_step before_hr
    on_mask_blend post_sample postprocess_batch postprocess_batch_list postprocess_image postprocess_maskoverlay
    postprocess_image_after_composite postprocess""")
CALLBACKS = words("""app_started before_reload model_loaded ui_tabs ui_settings before_image_saved image_saved
    extra_noise cfg_denoiser cfg_denoised cfg_after_cfg before_component after_component image_grid infotext_pasted
    script_unloaded before_ui before_token_counter""")
NOTED_CALLBACKS = words("""before_image_saved image_saved extra_noise cfg_denoiser cfg_after_cfg image_grid""")

CALLED = {
    "processing": """process_images create_infotext program_version Processed
        StableDiffusionProcessing.init StableDiffusionProcessing.sample StableDiffusionProcessing.close
        StableDiffusionProcessing.comment StableDiffusionProcessing.get_token_merging_ratio
        StableDiffusionProcessing.inpainting_image_conditioning StableDiffusionProcessing.setup_prompts
        StableDiffusionProcessing.txt2img_image_conditioning StableDiffusionProcessing.img2img_image_conditioning
        StableDiffusionProcessingTxt2Img.init StableDiffusionProcessingTxt2Img.sample
        StableDiffusionProcessingImg2Img.init StableDiffusionProcessingImg2Img.sample
        StableDiffusionProcessingImg2Img.get_token_merging_ratio DecodedSamples fix_seed""",
    "scripts": """Script.title Script.show Script.ui Script.run Script.elem_id ScriptRunner ScriptRunner.run
        ScriptRunner.initialize_scripts ScriptRunner.setup_ui ScriptRunner.setup_scrips PostprocessImageArgs
        PostProcessMaskOverlayArgs PostprocessBatchListArgs PostSampleArgs MaskBlendArgs basedir"""
    + "".join(f" Script.{name} ScriptRunner.{name}" for name in HOOKS),
    "script_callbacks": """remove_callbacks_for_function remove_current_script_callbacks CFGDenoiserParams
        CFGDenoisedParams AfterCFGCallbackParams ImageSaveParams ImageGridLoopParams"""
    + "".join(f" on_{name}" for name in CALLBACKS),
    "sd_models": """select_checkpoint reload_model_weights apply_token_merging get_closet_checkpoint_match list_models
        checkpoint_tiles CheckpointInfo""",
    "sd_samplers": "find_sampler_config create_sampler",
    "sd_samplers_common": """setup_img2img_steps Sampler.create_noise_sampler Sampler.callback_state Sampler.initialize
        Sampler.launch_sampling SamplerData""",
    "sd_samplers_kdiffusion": "KDiffusionSampler.sample KDiffusionSampler.sample_img2img",
    "sd_samplers_timesteps": "CompVisSampler.sample CompVisSampler.sample_img2img",
    "sd_vae": "reload_vae_weights",
    "devices": "torch_gc",
    "images": "resize_image save_image flatten image_grid read_info_from_image",
    "infotext_utils": """parse_generation_parameters PasteField ParamBinding create_override_settings_dict
        get_override_settings register_paste_params_button quote unquote""",
    "upscaler": "Upscaler.do_upscale Upscaler.upscale UpscalerData",
    "call_queue": "wrap_gradio_gpu_call wrap_gradio_call wrap_queued_call",
    "ui_components": "InputAccordion ToolButton",
    "options": "OptionInfo Options.set Options.get_default",
    "shared_state": "State.begin State.end State.nextjob State.skip State.interrupt State.stop_generating",
    "rng": "ImageRNG ImageRNG.next",
    "api.api": "Api Api.add_api_route Api.auth",
    "img2img": "process_batch img2img",
    "txt2img": "txt2img",
}
LOOKED_AT = {
    "shared": """opts opts.data opts.data_labels state cmd_opts cmd_opts.api_auth sd_model sd_upscalers demo
        cmd_opts.ckpt_dir""",
    "sd_models": "checkpoint_aliases checkpoints_list",
    "sd_vae": "vae_dict",
    "sd_samplers": "samplers samplers_for_img2img all_samplers",
    "sd_samplers_timesteps": "samplers_data_timesteps",
    "sd_schedulers": "schedulers",
    "paths_internal": "data_path",
    "paths": "models_path",
    "devices": "device dtype",
    "call_queue": "queue_lock",
    "scripts": "AlwaysVisible scripts_txt2img scripts_img2img",
    "processing": """StableDiffusionProcessing.cached_c StableDiffusionProcessing.cached_uc
        DecodedSamples.already_decoded StableDiffusionProcessing.sd_model""",
    "infotext_utils": "paste_fields",
}
OPTIONS = words("""CLIP_stop_at_last_layers sd_vae sd_vae_encode_method sd_vae_decode_method eta_ancestral eta_ddim
    img2img_fix_steps img2img_extra_noise token_merging_ratio token_merging_ratio_img2img emphasis s_noise s_churn
    s_min_uncond skip_early_cond forge_additional_modules multiple_tqdm save_init_img sd_model_checkpoint
    return_mask_composite save_mask_composite return_mask save_mask overlay_inpaint img2img_color_correction
    interrupt_after_current initial_noise_multiplier inpainting_mask_weight samples_save samples_format
    samples_filename_pattern save_to_dirs save_images_replace_action grid_save return_grid grid_only_if_multiple
    enable_pnginfo add_model_hash_to_info add_model_name_to_info add_version_to_infotext infotext_skip_pasting
    img2img_batch_show_results_limit img2img_batch_use_original_name live_previews_enable upscaler_for_img2img
    face_restoration tiling randn_source eta_noise_seed_delta""")


class Now:
    """What is being recorded."""

    events: list[dict[str, Any]] = []  # noqa: RUF012 (one recorder a process)
    before: dict[str, dict[str, Any]] = {}  # noqa: RUF012
    asked: dict[str, Any] = {}  # noqa: RUF012
    p: Any = None
    active = False
    nested = False
    calls = 0
    # Of the nested call.
    asked_denoiser = 0
    drawn = 0
    trees = 0


# Values as JSON


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON, without what differs from machine to machine."""
    if value is None or isinstance(value, (bool, str)):
        return value
    kind = type(value)
    home = kind.__module__.partition(".")[0]
    if home == "torch" and hasattr(value, "shape"):
        return {"tensor": list(value.shape), "dtype": str(value.dtype).rpartition(".")[2]}
    if hasattr(value, "dtype") and not getattr(value, "shape", ()):
        value = value.item()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if hasattr(value, "dtype"):
        return {"array": list(value.shape), "dtype": str(value.dtype)}
    if home == "PIL" and hasattr(value, "mode"):
        return {"image": list(value.size), "mode": value.mode}
    if depth > 4:
        return f"<{kind.__name__}>"
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, type):
        return f"<class {value.__name__}>"
    if inspect.isroutine(value):
        return "<function>"
    return f"<{kind.__name__}>"


def attributes(thing: Any, names: Any) -> dict[str, Any]:
    """Those of the named attributes that a thing has, as JSON."""
    found = {}
    for name in names:
        if not hasattr(thing, name):
            continue
        value = getattr(thing, name)
        if name in KEYS_ONLY and isinstance(value, dict):
            value = list(value)
        elif name in LENGTH_ONLY and isinstance(value, (list, tuple)):
            value = f"<{type(value).__name__}>"
        elif name == "filename":
            value = f"*{Path(str(value)).suffix}"
        found[name] = plain(value)
    return found


def described(value: Any) -> Any:
    """What a hook was given: the host's small argument objects are opened, others are as in `plain`."""
    if type(value).__name__ == "Processed":
        return {"Processed": {**attributes(value, PROCESSED_NAMES), "infotexts": len(value.infotexts)}}
    kind = type(value)
    if kind.__module__.startswith("modules.") and kind.__name__.endswith(("Args", "Params")):
        return {kind.__name__: attributes(value, vars(value))}
    return plain(value)


# Notes


def asked_for(args: Any) -> dict[str, Any]:
    """What the script's argument asks for, {} for nothing."""
    value = args[0] if args else None
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except ValueError:
            return {}
    return value if isinstance(value, dict) and value.get("record") else {}


def changed(kind: str, after: dict[str, Any]) -> dict[str, Any]:
    """What is new about a snapshot since the last one of its kind."""
    before = Now.before.get(kind, {})
    Now.before[kind] = after
    new = {name: value for name, value in after.items() if name not in before or before[name] != value}
    return {**new, **{name: GONE for name in before if name not in after}}


def note(hook: str, args: dict[str, Any] | None = None, inner: Any = None) -> None:
    """One more event of the run that is recorded."""
    event: dict[str, Any] = {"hook": hook}
    told = {name: described(value) for name, value in (args or {}).items()}
    if hook in REPEATED:
        told = changed(hook, next(iter(next(iter(told.values())).values())))
    snapshots = {"p": Now.p, "inner": inner, "state": shared.state}
    for kind, thing in snapshots.items():
        if thing is None:
            continue
        after = attributes(thing, STATE_NAMES if kind == "state" else P_NAMES)
        if kind != "state":
            after = {"class": type(thing).__name__, **after}
        told_of = changed(kind, after)
        if told_of:
            event[kind] = told_of
    Now.events.append({"hook": hook, "args": told, **event} if told else event)


def hook(name: str, p: Any, args: Any, told: dict[str, Any]) -> dict[str, Any]:
    """A hook was called: note it, if the argument asks. Returns what is asked for."""
    asked = asked_for(args)
    if not asked:
        return {}
    if Now.p is not p:
        Now.p, Now.before = p, {}
    if name == "before_process":
        Now.calls, Now.nested = 0, False
    Now.active, Now.asked = True, asked
    note(name, told)
    return asked


def callback(name: str) -> Any:
    """A callback of the host for script_callbacks."""

    def called(params: Any) -> None:
        if not Now.active:
            return
        note(f"on_{name}", {"params": params})
        if name == "cfg_denoiser":
            Now.asked_denoiser += Now.nested
            press()

    return called


def press() -> None:
    """Set the flag that is asked for, at its call of the denoiser."""
    flag = Now.asked.get("flag")
    if flag and bool(flag.get("nested")) == Now.nested:
        Now.calls += 1
        if Now.calls == flag["at"]:
            getattr(shared.state, flag["name"])()


# A nested call


class Rng:
    """The host's source of noise, counted."""

    def __init__(self, own: Any) -> None:
        self.own = own

    def next(self) -> Any:
        """The host's next noise."""
        Now.drawn += 1
        return self.own.next()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


class Nested(StableDiffusionProcessingImg2Img):
    """The host's img2img, watched."""

    def init(self, *args: Any, **kwargs: Any) -> None:
        """The host's, and then a note."""
        super().init(*args, **kwargs)
        note("nested:init", {"positional": list(args), "named": sorted(kwargs)}, self)

    def sample(self, *args: Any, **kwargs: Any) -> Any:
        """The host's, with its steps and its noise noted."""
        note("nested:sample", {"positional": list(args), "named": kwargs}, self)
        self.rng = Rng(self.rng)
        host_callback = self.sampler.callback_state

        def callback_state(told: Any) -> Any:
            note("nested:callback_state", {"told": {"told": told}})
            return host_callback(told)

        host_noise_sampler = self.sampler.create_noise_sampler

        def create_noise_sampler(*given: Any, **also: Any) -> Any:
            Now.trees += 1
            return host_noise_sampler(*given, **also)

        self.sampler.callback_state = callback_state
        self.sampler.create_noise_sampler = create_noise_sampler
        return super().sample(*args, **kwargs)


def nest(p: Any, image: Any, asked: Any) -> None:
    """One nested img2img over crops of a picture, as Finisher does it."""
    asked = asked if isinstance(asked, dict) else {}
    crops = [image.convert("RGB").crop((x, y, x + CROP, y + CROP)) for x, y in CROPS]
    count = len(crops)
    wanted = {
        "init_images": crops,
        "prompt": [f"crop {number}" for number in range(count)],
        "negative_prompt": ["blue"] * count,
        "seed": [20 + number for number in range(count)],
        "subseed": [20 + number for number in range(count)],
        "subseed_strength": 0,
        "styles": [],
        "sampler_name": asked.get("sampler", p.sampler_name),
        "scheduler": "Automatic" if "sampler" in asked else getattr(p, "scheduler", None),
        "distilled_cfg_scale": getattr(p, "distilled_cfg_scale", None),
        "steps": asked.get("steps", 4),
        "cfg_scale": 5.0,
        "denoising_strength": 0.5,
        "width": CROP,
        "height": CROP,
        "batch_size": count,
        "n_iter": 1,
        "resize_mode": 0,
        "restore_faces": False,
        "tiling": p.tiling,
        "do_not_save_samples": True,
        "do_not_save_grid": True,
        "override_settings": {"save_init_img": False},
    }
    known = {item.name for item in dataclasses.fields(Nested) if item.init}
    inner = Nested(**{key: value for key, value in wanted.items() if key in known})
    inner.color_corrections = []
    inner.cached_c, inner.cached_uc = [None, None], [None, None]
    inner.scripts = scripts.ScriptRunner()
    inner.script_args = []
    Now.nested, Now.asked_denoiser, Now.drawn, Now.trees = True, 0, 0, 0
    note("nested:begin", inner=inner)
    try:
        processed = process_images(inner)
        counted = {"denoiser_calls": Now.asked_denoiser, "noises": Now.drawn, "noise_samplers": Now.trees}
        note("nested:end", {"processed": processed, **counted}, inner)
    except Exception as error:
        note("nested:end", {"error": type(error).__name__}, inner)
        raise
    finally:
        Now.nested = False
        inner.close()
    note("nested:closed", inner=inner)


# The script


class RecorderScript(scripts.Script):
    """Notes every hook that its host calls."""

    def title(self):
        """The name by which API clients ask for it."""
        return TITLE

    def show(self, is_img2img):
        """Always there, in both tabs."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        """One box for the argument."""
        tab = "img2img" if is_img2img else "txt2img"
        box = gr.Textbox(value="", label=TITLE, elem_id=f"finisher_recorder_{tab}")
        self.infotext_fields = [(box, TITLE)]
        self.paste_field_names = [TITLE]
        return [box]

    def setup(self, p, *args, **kwargs):
        """Noted."""
        hook("setup", p, args, kwargs)

    def before_process(self, p, *args, **kwargs):
        """Noted."""
        hook("before_process", p, args, kwargs)

    def process(self, p, *args, **kwargs):
        """Noted; entries for the infotext are put in."""
        asked = hook("process", p, args, kwargs)
        for key, value in asked.get("extra", {}).items():
            p.extra_generation_params[key] = value
        if asked.get("extra"):
            p.extra_generation_params["Recorder callable"] = lambda index, **told: f"picture {index}"

    def before_process_init_images(self, p, pp, *args, **kwargs):
        """Noted."""
        hook("before_process_init_images", p, args, {"pp": pp, **kwargs})

    def before_process_batch(self, p, *args, **kwargs):
        """Noted."""
        hook("before_process_batch", p, args, kwargs)

    def after_extra_networks_activate(self, p, *args, **kwargs):
        """Noted."""
        hook("after_extra_networks_activate", p, args, kwargs)

    def process_batch(self, p, *args, **kwargs):
        """Noted."""
        hook("process_batch", p, args, kwargs)

    def process_before_every_sampling(self, p, *args, **kwargs):
        """Noted."""
        hook("process_before_every_sampling", p, args, kwargs)

    def process_before_every_step(self, p, *args, **kwargs):
        """Noted."""
        hook("process_before_every_step", p, args, kwargs)

    def before_hr(self, p, *args, **kwargs):
        """Noted."""
        hook("before_hr", p, args, kwargs)

    def on_mask_blend(self, p, mba, *args, **kwargs):
        """Noted."""
        hook("on_mask_blend", p, args, {"mba": mba, **kwargs})

    def post_sample(self, p, ps, *args, **kwargs):
        """Noted."""
        hook("post_sample", p, args, {"ps": ps, **kwargs})

    def postprocess_batch(self, p, *args, **kwargs):
        """Noted."""
        hook("postprocess_batch", p, args, kwargs)

    def postprocess_batch_list(self, p, pp, *args, **kwargs):
        """Noted."""
        hook("postprocess_batch_list", p, args, {"pp": pp, **kwargs})

    def postprocess_image(self, p, pp, *args, **kwargs):
        """Noted."""
        hook("postprocess_image", p, args, {"pp": pp, **kwargs})

    def postprocess_maskoverlay(self, p, ppmo, *args, **kwargs):
        """Noted."""
        hook("postprocess_maskoverlay", p, args, {"ppmo": ppmo, **kwargs})

    def postprocess_image_after_composite(self, p, pp, *args, **kwargs):
        """Noted; the nested call is made."""
        asked = hook("postprocess_image_after_composite", p, args, {"pp": pp, **kwargs})
        if asked.get("extra"):
            p.extra_generation_params["Recorder late"] = "added in the last hook of the picture"
        if asked.get("nest"):
            nest(p, pp.image, asked["nest"])

    def postprocess(self, p, processed, *args, **kwargs):
        """Noted; the recording ends."""
        asked = hook("postprocess", p, args, {"processed": processed, **kwargs})
        if asked.get("extra"):
            p.extra_generation_params["Recorder too late"] = "added after everything"
        Now.active = False


# Facts that need no generation


def find(module: str, name: str) -> Any:
    """`modules.<module>.<name>`, or LookupError."""
    try:
        found: Any = importlib.import_module(f"modules.{module}")
        for part in name.split("."):
            found = inspect.getattr_static(found, part) if inspect.isclass(found) else getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise LookupError(name) from error
    return found


def signature(module: str, name: str) -> str | None:
    """The names of a function's arguments."""
    try:
        found = find(module, name)
        parameters = list(inspect.signature(getattr(found, "__func__", found)).parameters.values())
    except (LookupError, TypeError, ValueError):
        return None
    names, starred = [], False
    for item in parameters:
        if item.name == "self":
            continue
        starred = starred or item.kind is item.VAR_POSITIONAL
        if item.kind is item.KEYWORD_ONLY and not starred:
            names.append("*")
            starred = True
        mark = {item.VAR_POSITIONAL: "*", item.VAR_KEYWORD: "**"}.get(item.kind, "")
        names.append(f"{mark}{item.name}{'' if item.default is item.empty else '='}")
    return f"({', '.join(names)})"


def kind_of(module: str, name: str) -> str | None:
    """The type of something that is not called."""
    try:
        return type(find(module, name)).__name__
    except LookupError:
        return None


def fields_of(name: str) -> dict[str, Any]:
    """The fields of a processing class and their defaults."""
    found: dict[str, Any] = {"init": {}, "rest": {}}
    for item in dataclasses.fields(find("processing", name)):
        default = item.default
        if default is dataclasses.MISSING:
            default = "<factory>" if item.default_factory is not dataclasses.MISSING else "<required>"
        found["init" if item.init else "rest"][item.name] = plain(default)
    return found


def members_of(things: Any) -> list[str]:
    """The public attributes of the first of some things."""
    first = next(iter(things.values() if isinstance(things, dict) else things), None)
    names = [] if first is None else dir(first)
    return sorted(name for name in names if not name.startswith("_") and not inspect.isroutine(getattr(first, name)))


def default_of(key: str) -> Any:
    """The default of a setting."""
    label = shared.opts.data_labels.get(key)
    return "<missing>" if label is None else plain(label.default)


def members() -> dict[str, list[str]]:
    """The public attributes of the host's objects that Finisher looks into."""
    things = {
        "checkpoint": ("sd_models", "checkpoints_list"),
        "upscaler": ("shared", "sd_upscalers"),
        "sampler": ("sd_samplers", "samplers_for_img2img"),
        "scheduler": ("sd_schedulers", "schedulers"),
    }
    found = {"state": members_of([shared.state]), "script runner": members_of([scripts.ScriptRunner()])}
    for kind, place in things.items():
        try:
            found[kind] = members_of(find(*place))
        except LookupError:
            found[kind] = []
    return found


def names() -> dict[str, list[str]]:
    """What the host calls its samplers and its schedules."""
    found = {}
    for kind, module, name in (
        ("samplers", "sd_samplers", "samplers_for_img2img"),
        ("schedulers", "sd_schedulers", "schedulers"),
    ):
        try:
            found[kind] = [getattr(item, "label", None) or item.name for item in find(module, name)]
        except LookupError:
            found[kind] = []
    return found


def host() -> dict[str, str]:
    """Which host this is."""
    forge = importlib.util.find_spec("modules_forge") is not None
    told = {"name": "forge" if forge else "a1111", "revision": "", "version": ""}
    try:
        launch_utils = importlib.import_module("modules.launch_utils")
        told["revision"] = str(launch_utils.commit_hash())[:7]
        told["version"] = str(find("processing", "program_version")())
    except (ImportError, AttributeError, LookupError):
        pass
    return {**told, "gradio": gr.__version__, "python": ".".join(str(part) for part in sys.version_info[:2])}


def facts(app: Any = None) -> dict[str, Any]:
    """Everything about a host that can be told without generating."""
    classes = [f"StableDiffusionProcessing{kind}" for kind in ("", "Txt2Img", "Img2Img")]
    routes = sorted(
        f"{method} {route.path}"
        for route in getattr(app, "routes", [])
        if getattr(route, "path", "").startswith("/sdapi/v1/")
        for method in getattr(route, "methods", ()) or ()
    )
    return {
        "host": host(),
        "signatures": {
            f"{module}.{name}": signature(module, name) for module in CALLED for name in CALLED[module].split()
        },
        "attributes": {
            f"{module}.{name}": kind_of(module, name) for module in LOOKED_AT for name in LOOKED_AT[module].split()
        },
        "members": members(),
        "names": names(),
        "dataclass_fields": {name: fields_of(name) for name in classes},
        "options": {key: default_of(key) for key in OPTIONS},
        "routes": routes,
    }


def parse(text: str) -> dict[str, Any]:
    """What the host reads out of an infotext."""
    return plain(find("infotext_utils", "parse_generation_parameters")(text))


def take() -> dict[str, Any]:
    """The notes since the last time, and forget them."""
    found, Now.events = Now.events, []
    Now.p, Now.active, Now.before, Now.asked = None, False, {}, {}
    return {"events": found}


def peek() -> dict[str, Any]:
    """How often each hook was noted."""
    count: dict[str, int] = {}
    for event in list(Now.events):
        count[event["hook"]] = count.get(event["hook"], 0) + 1
    return count


def add_routes(demo: Any, app: Any) -> None:
    """The recorder's own routes."""

    def parse_all(texts: dict[str, str]) -> dict[str, Any]:
        return {name: parse(text) for name, text in texts.items()}

    def tell_facts() -> dict[str, Any]:
        return facts(app)

    for method, name, route in (
        ("GET", "facts", tell_facts),
        ("GET", "take", take),
        ("GET", "peek", peek),
        ("POST", "parse", parse_all),
    ):
        app.add_api_route(f"/finisher-recorder/{name}", route, methods=[method], response_model=None)


script_callbacks.on_app_started(add_routes)
for _name in NOTED_CALLBACKS:
    getattr(script_callbacks, f"on_{_name}")(callback(_name))
