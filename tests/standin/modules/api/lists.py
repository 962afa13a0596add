"""The routes that list what there is."""

from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse

from modules import drawing, extensions, scripts, sd_models, sd_samplers, sd_schedulers, sd_vae, shared


class Lists:
    queue_lock = None

    def nothing(self):
        return {}

    def get_samplers(self):
        return [
            {"name": item.name, "aliases": item.aliases, "options": item.options} for item in sd_samplers.all_samplers
        ]

    def get_schedulers(self):
        names = ("name", "label", "aliases", "default_rho", "need_inner_model")
        return [{name: getattr(item, name) for name in names} for item in sd_schedulers.schedulers]

    def get_upscalers(self):
        return [
            {"name": item.name, "model_name": item.scaler.model_name, "model_path": item.data_path, "model_url": None,
             "scale": item.scale}
            for item in shared.sd_upscalers
        ]  # fmt: skip

    def get_sd_models(self):
        return [
            {"title": item.title, "model_name": item.model_name, "hash": item.shorthash, "sha256": item.sha256,
             "filename": item.filename, "config": None}
            for item in sd_models.checkpoints_list.values()
        ]  # fmt: skip

    def get_sd_vaes(self):
        return [{"model_name": name, "filename": file} for name, file in sd_vae.vae_dict.items()]

    def get_loras(self):
        return [{"name": name, "alias": name, "path": name, "metadata": {}} for name in drawing.LORAS]

    def get_latent_upscale_modes(self):
        return [{"name": name} for name in shared.latent_upscale_modes]

    def refresh_checkpoints(self):
        with self.queue_lock:
            sd_models.list_models()

    def refresh_vae(self):
        with self.queue_lock:
            sd_vae.refresh_vae_list()

    def get_extensions(self):
        return [{"name": item.name, "enabled": item.enabled, "version": ""} for item in extensions.extensions]

    def get_prompt_styles(self):
        return [
            {"name": item.name, "prompt": item.prompt, "negative_prompt": item.negative_prompt}
            for item in shared.prompt_styles.styles.values()
        ]

    def get_scripts_list(self):
        tabs = {"txt2img": scripts.scripts_txt2img, "img2img": scripts.scripts_img2img}
        return {tab: [script.name for script in runner.scripts if script.name] for tab, runner in tabs.items()}

    def get_script_info(self):
        runners = (scripts.scripts_txt2img, scripts.scripts_img2img)
        found = [script.api_info for runner in runners for script in runner.scripts if script.api_info is not None]
        return JSONResponse(jsonable_encoder(found))
