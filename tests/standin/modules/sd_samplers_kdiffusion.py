"""Samplers over noise levels."""

from __future__ import annotations

import inspect

import torch

from modules import sd_samplers_cfg_denoiser, sd_samplers_common, sd_schedulers, shared, solvers
from modules.model import share_at
from modules.sd_samplers_cfg_denoiser import CFGDenoiser

__all__ = ["CFGDenoiser"]

samplers_k_diffusion = [
    ("DPM++ 2M", "sample_dpmpp_2m", ["k_dpmpp_2m"], {"scheduler": "karras"}),
    ("DPM++ SDE", "sample_dpmpp_sde", ["k_dpmpp_sde"],
     {"scheduler": "karras", "second_order": True, "brownian_noise": True}),
    ("DPM++ 2M SDE", "sample_dpmpp_2m_sde", ["k_dpmpp_2m_sde"], {"scheduler": "exponential", "brownian_noise": True}),
    ("DPM++ 2M SDE Heun", "sample_dpmpp_2m_sde", ["k_dpmpp_2m_sde_heun"],
     {"scheduler": "exponential", "brownian_noise": True, "solver_type": "heun"}),
    ("DPM++ 2S a", "sample_dpmpp_2s_ancestral", ["k_dpmpp_2s_a"],
     {"scheduler": "karras", "uses_ensd": True, "second_order": True}),
    ("Euler a", "sample_euler_ancestral", ["k_euler_a", "k_euler_ancestral"], {"uses_ensd": True}),
    ("Euler", "sample_euler", ["k_euler"], {}),
    ("Heun", "sample_heun", ["k_heun"], {"second_order": True}),
]  # fmt: skip
_CHURN = ["s_churn", "s_tmin", "s_tmax", "s_noise"]
sampler_extra_params = {
    "sample_euler": _CHURN, "sample_heun": _CHURN, "sample_dpmpp_2s_ancestral": ["s_noise"],
    "sample_dpmpp_sde": ["s_noise"], "sample_dpmpp_2m_sde": ["s_noise"],
}  # fmt: skip


class Denoiser:
    """The model as a function of noise levels."""

    def __init__(self, inner_model):
        self.inner_model = inner_model
        share = inner_model.alphas_cumprod
        self.sigmas = ((1 - share) / share).sqrt()

    def get_sigmas(self, n):
        share = share_at(self.inner_model.alphas_cumprod, torch.linspace(999, 0, n))
        return torch.cat([((1 - share) / share).sqrt(), torch.zeros(1)])

    def __call__(self, x, sigma, cond):
        return self.inner_model.predict(x, sigma, cond["c_crossattn"][0])


class CFGDenoiserKDiffusion(sd_samplers_cfg_denoiser.CFGDenoiser):
    @property
    def inner_model(self):
        if self.model_wrap is None:
            self.model_wrap = Denoiser(shared.sd_model)
        return self.model_wrap


class KDiffusionSampler(sd_samplers_common.Sampler):
    def __init__(self, funcname, sd_model, options=None):
        super().__init__(funcname)
        self.extra_params = sampler_extra_params.get(funcname, [])
        self.options = options or {}
        self.func = funcname if callable(funcname) else getattr(solvers, funcname)
        self.model_wrap_cfg = CFGDenoiserKDiffusion(self)
        self.model_wrap = self.model_wrap_cfg.inner_model

    def get_sigmas(self, p, steps):
        name = (p.hr_scheduler if p.is_hr_pass else p.scheduler) or "Automatic"
        if name == "Automatic":
            name = self.config.options.get("scheduler")
        scheduler = sd_schedulers.schedulers_map.get(name)
        if p.sampler_noise_scheduler_override:
            return p.sampler_noise_scheduler_override(steps).cpu()
        if scheduler is None or scheduler.function is None:
            return self.model_wrap.get_sigmas(steps).cpu()
        if scheduler.label != "Automatic" and not p.is_hr_pass:
            p.extra_generation_params["Schedule type"] = scheduler.label
        elif scheduler.label != p.extra_generation_params.get("Schedule type"):
            p.extra_generation_params["Hires schedule type"] = scheduler.label
        told = {"sigma_min": self.model_wrap.sigmas[0].item(), "sigma_max": self.model_wrap.sigmas[-1].item()}
        if scheduler.need_inner_model:
            told["inner_model"] = self.model_wrap
        return scheduler.function(n=steps, **told, device="cpu").cpu()

    def _told(self, p, x, sigmas, used):
        told = self.initialize(p)
        if "sigmas" in inspect.signature(self.func).parameters:
            told["sigmas"] = used
        if self.config.options.get("brownian_noise", False):
            told["noise_sampler"] = self.create_noise_sampler(x, sigmas, p)
        if self.config.options.get("solver_type") == "heun":
            told["solver_type"] = "heun"
        return told

    def sample_img2img(
        self, p, x, noise, conditioning, unconditional_conditioning, steps=None, image_conditioning=None
    ):  # fmt: skip
        steps, encoded = sd_samplers_common.setup_img2img_steps(p, steps)
        sigmas = self.get_sigmas(p, steps)
        used = sigmas[steps - encoded - 1 :]
        noisy = self._extra_noise(p, noise, x, x + noise * used[0])
        told = self._told(p, x, sigmas, used)
        self.model_wrap_cfg.init_latent = self.last_latent = x
        self.sampler_extra_args = self._arguments(p, conditioning, unconditional_conditioning, image_conditioning)
        return self._run(p, noisy, encoded + 1, told)

    def sample(self, p, x, conditioning, unconditional_conditioning, steps=None, image_conditioning=None):
        steps = steps or p.steps
        sigmas = self.get_sigmas(p, steps)
        x = x * sigmas[0]
        told = self._told(p, x, sigmas, sigmas)
        self.last_latent = x
        self.sampler_extra_args = self._arguments(p, conditioning, unconditional_conditioning, image_conditioning)
        return self._run(p, x, steps, told)


samplers_data_k_diffusion = [
    sd_samplers_common.SamplerData(label, lambda model, name=name: KDiffusionSampler(name, model), aliases, options)
    for label, name, aliases, options in samplers_k_diffusion
]
k_diffusion_samplers_map = {item.name: item for item in samplers_data_k_diffusion}
