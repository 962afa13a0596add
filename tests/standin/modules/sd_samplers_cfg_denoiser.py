"""Guidance: the model asked with and without the prompt, the callbacks, and the blending of masks."""

from __future__ import annotations

import torch

from modules import prompt_parser, sd_samplers_common
from modules.script_callbacks import (
    AfterCFGCallbackParams,
    CFGDenoisedParams,
    CFGDenoiserParams,
    cfg_after_cfg_callback,
    cfg_denoised_callback,
    cfg_denoiser_callback,
)
from modules.shared import opts, state


class CFGDenoiser(torch.nn.Module):
    def __init__(self, sampler):
        super().__init__()
        self.model_wrap = self.mask = self.nmask = self.init_latent = self.p = None
        self.steps = self.total_steps = self.image_cfg_scale = self.last_noise_uncond = None
        self.step = 0
        self.padded_cond_uncond = self.padded_cond_uncond_v0 = self.need_last_noise_uncond = False
        self.sampler = sampler
        self.cond_scale_miltiplier = 1.0
        self.mask_before_denoising = False

    @property
    def inner_model(self):
        raise NotImplementedError

    def update_inner_model(self):
        self.model_wrap = None
        told = self.sampler.sampler_extra_args
        told["cond"], told["uncond"] = self.p.get_conds()

    def get_pred_x0(self, x_in, x_out, sigma):
        return x_out

    def _blended(self, latent, sigma):
        blended = latent * self.nmask + self.init_latent * self.mask
        if self.p.scripts is None:
            return blended
        from modules import scripts

        told = scripts.MaskBlendArgs(
            latent, self.nmask, self.init_latent, self.mask, blended, denoiser=self, sigma=sigma
        )  # fmt: skip
        self.p.scripts.on_mask_blend(self.p, told)
        return told.blended_latent

    def forward(self, x, sigma, uncond, cond, cond_scale, s_min_uncond, image_cond):
        if state.interrupted or state.skipped:
            raise sd_samplers_common.InterruptedException
        if sd_samplers_common.apply_refiner(self, sigma):
            cond, uncond = (self.sampler.sampler_extra_args[name] for name in ("cond", "uncond"))
        places, tensor = prompt_parser.reconstruct_multicond_batch(cond, self.step)
        uncond = prompt_parser.reconstruct_cond_batch(uncond, self.step)
        if self.mask_before_denoising and self.mask is not None:
            x = self._blended(x, sigma)
        count = len(places)
        twice = [torch.cat([item, item]) for item in (x, image_cond, sigma)]
        params = CFGDenoiserParams(*twice, state.sampling_step, state.sampling_steps, tensor, uncond, self)
        cfg_denoiser_callback(params)
        texts = torch.cat([params.text_cond, params.text_uncond])
        condition = {"c_crossattn": [texts], "c_concat": [params.image_cond]}
        out = self.inner_model(params.x, params.sigma, cond=condition)
        cfg_denoised_callback(CFGDenoisedParams(out, state.sampling_step, state.sampling_steps, self.inner_model))
        with_prompt, without = out[:count], out[count:]
        if self.need_last_noise_uncond:
            self.last_noise_uncond = without.clone()
        denoised = without + (with_prompt - without) * (cond_scale * self.cond_scale_miltiplier)
        if not self.mask_before_denoising and self.mask is not None:
            denoised = self._blended(denoised, sigma)
        # What an interruption leaves is the part with the prompt, before any callback has seen it.
        self.sampler.last_latent = self.get_pred_x0(params.x[:count], with_prompt, sigma)
        if opts.live_previews_enable:
            sd_samplers_common.store_latent(self.sampler.last_latent)
        told = AfterCFGCallbackParams(denoised, state.sampling_step, state.sampling_steps)
        cfg_after_cfg_callback(told)
        self.step += 1
        return told.x
