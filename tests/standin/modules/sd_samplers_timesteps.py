"""Samplers over timesteps. Their callbacks see the predicted noise, and masks are blended before the step."""

from __future__ import annotations

import inspect

import torch

from modules import sd_samplers_common, shared, solvers_timesteps
from modules.sd_samplers_cfg_denoiser import CFGDenoiser

samplers_timesteps = [
    ("DDIM", solvers_timesteps.ddim, ["ddim"], {}),
    ("PLMS", solvers_timesteps.plms, ["plms"], {}),
    ("UniPC", solvers_timesteps.unipc, ["unipc"], {}),
]


class CompVisTimestepsDenoiser(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.inner_model = model

    def forward(self, input, timesteps, **kwargs):
        return self.inner_model.apply_model(input, timesteps, **kwargs)


class CFGDenoiserTimesteps(CFGDenoiser):
    def __init__(self, sampler):
        super().__init__(sampler)
        self.alphas = shared.sd_model.alphas_cumprod
        self.mask_before_denoising = True

    def get_pred_x0(self, x_in, x_out, sigma):
        share = self.alphas[sigma.to(dtype=int)][:, None, None, None]
        return (x_in - (1 - share).sqrt() * x_out) / share.sqrt()

    @property
    def inner_model(self):
        if self.model_wrap is None:
            self.model_wrap = CompVisTimestepsDenoiser(shared.sd_model)
        return self.model_wrap


class CompVisSampler(sd_samplers_common.Sampler):
    def __init__(self, funcname, sd_model):
        super().__init__(funcname)
        self.eta_option_field, self.eta_infotext_field, self.eta_default = "eta_ddim", "Eta DDIM", 0.0
        self.model_wrap_cfg = CFGDenoiserTimesteps(self)
        self.model_wrap = self.model_wrap_cfg.inner_model

    def get_timesteps(self, p, steps):
        return torch.clip(torch.asarray(list(range(0, 1000, 1000 // steps))) + 1, 0, 999)

    def sample_img2img(
        self, p, x, noise, conditioning, unconditional_conditioning, steps=None, image_conditioning=None
    ):  # fmt: skip
        steps, encoded = sd_samplers_common.setup_img2img_steps(p, steps)
        timesteps = self.get_timesteps(p, steps)
        share = shared.sd_model.alphas_cumprod[timesteps[encoded]]
        noisy = x * share.sqrt() + noise * (1 - share).sqrt()
        noisy = self._extra_noise(p, noise, x, noisy, share.sqrt())
        told = self.initialize(p)
        known = inspect.signature(self.func).parameters
        told.update({"timesteps": timesteps[:encoded]} if "timesteps" in known else {})
        told.update({"is_img2img": True} if "is_img2img" in known else {})
        self.model_wrap_cfg.init_latent = self.last_latent = x
        self.sampler_extra_args = self._arguments(p, conditioning, unconditional_conditioning, image_conditioning)
        return self._run(p, noisy, encoded + 1, told)

    def sample(self, p, x, conditioning, unconditional_conditioning, steps=None, image_conditioning=None):
        steps = steps or p.steps
        told = {**self.initialize(p), "timesteps": self.get_timesteps(p, steps)}
        self.last_latent = x
        self.sampler_extra_args = self._arguments(p, conditioning, unconditional_conditioning, image_conditioning)
        return self._run(p, x, steps, told)


samplers_data_timesteps = [
    sd_samplers_common.SamplerData(label, lambda model, func=func: CompVisSampler(func, model), aliases, options)
    for label, func, aliases, options in samplers_timesteps
]
VanillaStableDiffusionSampler = CompVisSampler
