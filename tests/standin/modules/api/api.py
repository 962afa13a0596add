"""The routes under /sdapi/v1/."""

import time
from contextlib import closing
from secrets import compare_digest
from typing import Any

import gradio as gr
from fastapi import Depends, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from modules import (
    errors,
    images,
    infotext_utils,
    progress,
    scripts,
    sd_models,
    sd_samplers,
    shared,
)
from modules.api import models
from modules.api.coding import decode_base64_to_image, encode_pil_to_base64
from modules.api.lists import Lists
from modules.processing import (
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
    process_images,
)
from modules.shared import opts

_NOT_FOR_P = (
    "script_name", "script_args", "alwayson_scripts", "infotext", "send_images", "save_images", "include_init_images"
)  # fmt: skip


def script_name_to_index(name, scripts):
    try:
        return [script.title().lower() for script in scripts].index(name.lower())
    except ValueError as error:
        raise HTTPException(status_code=422, detail=f"Script '{name}' not found") from error


def api_middleware(app):
    def told(request: Request, error: Exception):
        found = vars(error)
        if not isinstance(error, HTTPException):
            errors.report(f"API error: {request.method}: {request.url}", exc_info=True)
        answer = {
            "error": type(error).__name__, "detail": found.get("detail", ""), "body": found.get("body", ""),
            "errors": str(error),
        }  # fmt: skip
        return JSONResponse(status_code=found.get("status_code", 500), content=jsonable_encoder(answer))

    @app.middleware("http")
    async def exception_handling(request: Request, call_next):
        try:
            return await call_next(request)
        except Exception as error:  # noqa: BLE001 (whatever it is, the client is told)
            return told(request, error)

    @app.exception_handler(Exception)
    async def any_exception(request: Request, error: Exception):
        return told(request, error)

    @app.exception_handler(HTTPException)
    async def http_exception(request: Request, error: HTTPException):
        return told(request, error)


class Api(Lists):
    def __init__(self, app, queue_lock):
        given = shared.cmd_opts.api_auth
        self.credentials = dict(pair.split(":") for pair in given.split(",")) if given else {}
        self.app, self.queue_lock = app, queue_lock
        api_middleware(app)
        for method, path, endpoint in (
            ("POST", "txt2img", self.text2imgapi), ("POST", "img2img", self.img2imgapi),
            ("POST", "png-info", self.pnginfoapi), ("GET", "progress", self.progressapi),
            ("POST", "interrupt", self.interruptapi), ("POST", "skip", self.skip), ("GET", "options", self.get_config),
            ("POST", "options", self.set_config), ("GET", "cmd-flags", self.get_cmd_flags),
            ("GET", "samplers", self.get_samplers), ("GET", "schedulers", self.get_schedulers),
            ("GET", "upscalers", self.get_upscalers), ("GET", "sd-models", self.get_sd_models),
            ("GET", "sd-vae", self.get_sd_vaes), ("GET", "latent-upscale-modes", self.get_latent_upscale_modes),
            ("POST", "refresh-checkpoints", self.refresh_checkpoints), ("POST", "refresh-vae", self.refresh_vae),
            ("POST", "unload-checkpoint", self.nothing), ("POST", "reload-checkpoint", self.nothing),
            ("GET", "extensions", self.get_extensions), ("GET", "loras", self.get_loras),
            ("POST", "refresh-loras", self.nothing), ("GET", "prompt-styles", self.get_prompt_styles),
            ("GET", "scripts", self.get_scripts_list), ("GET", "script-info", self.get_script_info),
        ):  # fmt: skip
            self.add_api_route(f"/sdapi/v1/{path}", endpoint, methods=[method], response_model=None)
        self.defaults = {
            "txt2img": self.init_default_script_args(scripts.scripts_txt2img),
            "img2img": self.init_default_script_args(scripts.scripts_img2img),
        }

    def add_api_route(self, path: str, endpoint, **kwargs):
        gate = {"dependencies": [Depends(self.auth)]} if shared.cmd_opts.api_auth else {}
        return self.app.add_api_route(path, endpoint, **gate, **kwargs)

    def auth(self, credentials: HTTPBasicCredentials = Depends(HTTPBasic())):  # noqa: B008 (fastapi's way)
        password = self.credentials.get(credentials.username)
        if password is not None and compare_digest(credentials.password, password):
            return True
        raise HTTPException(401, "Incorrect username or password", headers={"WWW-Authenticate": "Basic"})

    # Script arguments

    def init_default_script_args(self, script_runner):
        found = [None] * max([1, *(script.args_to for script in script_runner.scripts)])
        found[0] = 0
        with gr.Blocks():
            for script in script_runner.scripts:
                # Every script is asked for its components once more, and then once again for their values.
                if script.ui(script.is_img2img):
                    values = [component.value for component in script.ui(script.is_img2img)]
                    found[script.args_from : script.args_to] = values
        return found

    def get_selectable_script(self, script_name, script_runner):
        if not script_name:
            return None, None
        index = script_name_to_index(script_name, script_runner.selectable_scripts)
        return script_runner.selectable_scripts[index], index

    def init_script_args(self, request, defaults, selectable, selectable_idx, runner, *, input_script_args=None):
        found = defaults.copy()
        for index, value in (input_script_args or {}).items():
            found[index] = value
        if selectable:
            found[selectable.args_from : selectable.args_to] = request.script_args
            found[0] = selectable_idx + 1
        for name, told in (request.alwayson_scripts or {}).items():
            script = runner.scripts[script_name_to_index(name, runner.scripts)]
            if not script.alwayson:
                raise HTTPException(422, "Cannot have a selectable script in the always on scripts params")
            if "args" in told:
                # The shorter of the two decides, without a word.
                for index in range(min(script.args_to - script.args_from, len(told["args"]))):
                    found[script.args_from + index] = told["args"][index]
        return found

    def apply_infotext(self, request, tabname, *, script_runner=None, mentioned_script_args=None):
        if not request.infotext:
            return {}
        fields = infotext_utils.paste_fields[tabname]["fields"]
        set_fields = request.dict(exclude_unset=True)
        params = infotext_utils.parse_generation_parameters(request.infotext)

        def value_of(field):
            value = field.function(params) if field.function else params.get(field.label)
            if value is None:
                return None
            known = models.FIELDS[tabname].get(field.api)
            kind = known[0] if known else type(field.component.value)
            if kind is type(None):
                return None
            if isinstance(value, dict) and "__type__" in value:
                value = value.get("value")
            kind = getattr(kind, "__origin__", kind)
            return value if value is None or isinstance(value, kind) else kind(value)

        for field in fields:
            if field.api and field.api not in set_fields:
                value = value_of(field)
                if value is not None:
                    setattr(request, field.api, value)
        if request.override_settings is None:
            request.override_settings = {}
        for _, setting, value in infotext_utils.get_override_settings(params):
            request.override_settings.setdefault(setting, value)
        places = {component: index for index, component in enumerate(script_runner.inputs)}
        for field in fields:
            if field.component in places:
                value = value_of(field)
                if value is not None:
                    mentioned_script_args[places[field.component]] = value
        return params

    # Generating

    def text2imgapi(self, txt2imgreq: models.StableDiffusionTxt2ImgProcessingAPI):
        return self._generate("txt2img", txt2imgreq, StableDiffusionProcessingTxt2Img)

    def img2imgapi(self, img2imgreq: models.StableDiffusionImg2ImgProcessingAPI):
        if img2imgreq.init_images is None:
            raise HTTPException(status_code=404, detail="Init image not found")
        return self._generate("img2img", img2imgreq, StableDiffusionProcessingImg2Img)

    def _generate(self, tab, request, kind):
        task = request.force_task_id or progress.create_task_id(tab)
        mask = decode_base64_to_image(request.mask) if getattr(request, "mask", None) else None
        runner = scripts.scripts_txt2img if tab == "txt2img" else scripts.scripts_img2img
        mentioned: dict[int, Any] = {}
        self.apply_infotext(request, tab, script_runner=runner, mentioned_script_args=mentioned)
        chosen, index = self.get_selectable_script(request.script_name, runner)
        sampler, scheduler = sd_samplers.get_sampler_and_scheduler(
            request.sampler_name or request.sampler_index, request.scheduler
        )
        if sampler not in sd_samplers.all_samplers_map:
            raise HTTPException(status_code=400, detail="Sampler not found")
        told = {name: getattr(request, name) for name in models.FIELDS[tab]}
        told.update(
            sampler_name=sampler, sampler_index=None, do_not_save_samples=not request.save_images,
            do_not_save_grid=not request.save_images,
        )  # fmt: skip
        if not told["scheduler"] and scheduler != "Automatic":
            told["scheduler"] = scheduler
        if tab == "img2img":
            told["mask"] = mask
        arguments = self.init_script_args(
            request, self.defaults[tab], chosen, index, runner, input_script_args=mentioned
        )  # fmt: skip
        for name in _NOT_FOR_P:
            told.pop(name, None)
        progress.add_task_to_queue(task)
        with self.queue_lock, closing(kind(sd_model=shared.sd_model, **told)) as p:
            if tab == "img2img":
                p.init_images = [decode_base64_to_image(item) for item in request.init_images]
            p.is_api = True
            p.scripts = runner
            p.outpath_grids = getattr(opts, f"outdir_{tab}_grids")
            p.outpath_samples = getattr(opts, f"outdir_{tab}_samples")
            try:
                shared.state.begin(job=f"scripts_{tab}")
                progress.start_task(task)
                p.script_args = arguments if chosen else tuple(arguments)
                done = runner.run(p, *p.script_args) if chosen else process_images(p)
                progress.finish_task(task)
            finally:
                shared.state.end()
                shared.total_tqdm.clear()
        pictures = [encode_pil_to_base64(image) for image in done.images] if request.send_images else []
        if tab == "img2img" and not request.include_init_images:
            request.init_images = request.mask = None
        return JSONResponse(jsonable_encoder({"images": pictures, "parameters": vars(request), "info": done.js()}))

    def pnginfoapi(self, req: dict[str, Any]):
        text, items = images.read_info_from_image(decode_base64_to_image(req["image"]))
        return {
            "info": text or "", "items": items, "parameters": infotext_utils.parse_generation_parameters(text or "")
        }  # fmt: skip

    # State and settings

    def progressapi(self, skip_current_image: bool = False):
        state = shared.state
        told = {"state": state.dict(), "textinfo": state.textinfo, "current_image": None}
        if state.job_count == 0:
            return {"progress": 0, "eta_relative": 0, **told}
        done = 0.01
        if state.job_count > 0:
            done += state.job_no / state.job_count
        if state.sampling_steps > 0:
            done += 1 / state.job_count * state.sampling_step / state.sampling_steps
        passed = time.time() - state.time_start
        state.set_current_image()
        if state.current_image and not skip_current_image:
            told["current_image"] = encode_pil_to_base64(state.current_image)
        return {"progress": min(done, 1), "eta_relative": passed / done - passed, **told}

    def interruptapi(self):
        shared.state.interrupt()
        return {}

    def skip(self):
        shared.state.skip()

    def get_config(self):
        return JSONResponse(jsonable_encoder(dict(opts.data)))

    def set_config(self, req: dict[str, Any]):
        name = req.get("sd_model_checkpoint")
        if name is not None and name not in sd_models.checkpoint_aliases:
            raise RuntimeError(f"model {name!r} not found")
        for key, value in req.items():
            opts.set(key, value, is_api=True)
        opts.save(shared.config_filename)

    def get_cmd_flags(self):
        return vars(shared.cmd_opts)
