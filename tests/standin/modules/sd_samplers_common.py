"""What samplers have in common, and latents as pictures."""

from __future__ import annotations

import inspect
from collections import namedtuple

import numpy as np
import torch
from PIL import Image

from modules import shared, solvers
from modules.shared import opts, state

SamplerDataTuple = namedtuple("SamplerData", ["name", "constructor", "aliases", "options"])
approximation_indexes = {"Full": 0, "Approx NN": 1, "Approx cheap": 2, "TAESD": 3}


class SamplerData(SamplerDataTuple):
    def total_steps(self, steps):
        return steps * 2 if self.options.get("second_order", False) else steps


class InterruptedException(BaseException):
    pass


def setup_img2img_steps(p, steps=None):
    """(steps of the whole schedule, the place where sampling begins)."""
    if opts.img2img_fix_steps or steps is not None:
        wanted = steps or p.steps
        whole = int(wanted / min(p.denoising_strength, 0.999)) if p.denoising_strength > 0 else 0
        return whole, wanted - 1
    return p.steps, int(min(p.denoising_strength, 0.999) * p.steps)


def samples_to_images_tensor(sample, approximation=None, model=None):
    with torch.no_grad():
        return (model or shared.sd_model).decode_first_stage(sample)


def decode_first_stage(model, x):
    return samples_to_images_tensor(x, 0, model)


def images_tensor_to_samples(image, approximation=None, model=None):
    """Pictures 0..1 as latents, one picture at a time."""
    used = model or shared.sd_model
    found = [used.get_first_stage_encoding(used.encode_first_stage(item[None] * 2 - 1))[0] for item in image]
    # The host's VAE draws its sample from the global generator.
    torch.randn(1)
    return torch.stack(found)


def single_sample_to_image(sample, approximation=None):
    tensor = torch.clamp(samples_to_images_tensor(sample[None], approximation)[0] * 0.5 + 0.5, 0.0, 1.0)
    return Image.fromarray((255.0 * np.moveaxis(tensor.numpy(), 0, 2)).astype(np.uint8))


def sample_to_image(samples, index=0, approximation=None):
    return single_sample_to_image(samples[index], approximation)


def samples_to_image_grid(samples, approximation=None):
    return single_sample_to_image(samples[0], approximation)


def store_latent(decoded):
    state.current_latent = decoded


def is_sampler_using_eta_noise_seed_delta(p):
    from modules import sd_samplers

    config = sd_samplers.find_sampler_config(p.sampler_name)
    eta = p.eta
    if eta is None and p.sampler is not None:
        eta = p.sampler.eta
    if eta is None and config is not None:
        eta = 0 if config.options.get("default_eta_is_0", False) else 1.0
    return False if eta == 0 else config.options.get("uses_ensd", False)


def apply_refiner(cfg_denoiser, sigma=None):
    """Load the refiner once its share of the noise, or of the steps, is reached; whether that was now."""
    from modules import sd_models

    p = cfg_denoiser.p
    if opts.refiner_switch_by_sample_steps or sigma is None:
        done = cfg_denoiser.step / cfg_denoiser.total_steps
        p.extra_generation_params["Refiner switch by sampling steps"] = True
    else:
        try:
            time = torch.argmin(torch.abs(cfg_denoiser.inner_model.sigmas - torch.max(sigma)))
        except AttributeError:
            time = torch.max(sigma).to(dtype=int)
        done = (999 - time) / 1000
    wanted = p.refiner_checkpoint_info
    if p.refiner_switch_at is not None and done < p.refiner_switch_at:
        return False
    if wanted is None or shared.sd_model.sd_checkpoint_info == wanted:
        return False
    if getattr(p, "enable_hr", False):
        if opts.hires_fix_refiner_pass == ("first pass" if p.is_hr_pass else "second pass"):
            return False
        if opts.hires_fix_refiner_pass != "second pass":
            p.extra_generation_params["Hires refiner"] = opts.hires_fix_refiner_pass
    p.extra_generation_params["Refiner"] = wanted.short_title
    p.extra_generation_params["Refiner switch at"] = p.refiner_switch_at
    with sd_models.SkipWritingToConfig():
        sd_models.reload_model_weights(info=wanted)
    p.setup_conds()
    cfg_denoiser.update_inner_model()
    return True


class TorchHijack:
    """Stands for torch inside the samplers, so that fresh noise comes from p.rng."""

    def __init__(self, p):
        self.rng = p.rng

    def __getattr__(self, item):
        return getattr(torch, item)

    def randn_like(self, x):
        return self.rng.next()


class Sampler:
    def __init__(self, funcname):
        self.funcname = self.func = funcname
        self.extra_params = []
        self.sampler_noises = self.stop_at = self.eta = self.last_latent = self.s_min_uncond = None
        self.config: SamplerData = None
        self.s_churn, self.s_tmin, self.s_tmax, self.s_noise = 0.0, 0.0, float("inf"), 1.0
        self.eta_option_field, self.eta_infotext_field, self.eta_default = "eta_ancestral", "Eta", 1.0
        self.conditioning_key = shared.sd_model.model.conditioning_key
        self.p = self.model_wrap_cfg = self.sampler_extra_args = None
        self.options = {}

    def callback_state(self, d):
        step = d["i"]
        if self.stop_at is not None and step > self.stop_at:
            raise InterruptedException
        state.sampling_step = step
        shared.total_tqdm.update()

    def launch_sampling(self, steps, func):
        self.model_wrap_cfg.steps = steps
        self.model_wrap_cfg.total_steps = self.config.total_steps(steps)
        state.sampling_steps, state.sampling_step = steps, 0
        try:
            return func()
        except InterruptedException:
            return self.last_latent

    def number_of_needed_noises(self, p):
        return p.steps

    def initialize(self, p):
        self.p = p
        denoiser = self.model_wrap_cfg
        denoiser.p, denoiser.step = p, 0
        denoiser.mask, denoiser.nmask = getattr(p, "mask", None), getattr(p, "nmask", None)
        denoiser.image_cfg_scale = getattr(p, "image_cfg_scale", None)
        self.eta = p.eta if p.eta is not None else getattr(opts, self.eta_option_field, 0.0)
        self.s_min_uncond = getattr(p, "s_min_uncond", 0.0)
        solvers.Source.torch = TorchHijack(p)
        known = inspect.signature(self.func).parameters
        told = {name: getattr(p, name) for name in self.extra_params if hasattr(p, name) and name in known}
        if "eta" in known:
            if self.eta != self.eta_default:
                p.extra_generation_params[self.eta_infotext_field] = self.eta
            told["eta"] = self.eta
        for name in ("s_churn", "s_tmin", "s_tmax", "s_noise"):
            value = getattr(opts, name, getattr(p, name))
            if name == "s_tmax":
                value = value or self.s_tmax
            if name in told and value != getattr(self, name):
                told[name] = value
                setattr(p, name, value)
                p.extra_generation_params[f"Sigma {name[2:]}"] = value
        return told

    def create_noise_sampler(self, x, sigmas, p):
        low, high = sigmas[sigmas > 0].min(), sigmas.max()
        seeds = p.all_seeds[p.iteration * p.batch_size : (p.iteration + 1) * p.batch_size]
        return solvers.BrownianTree(x, low, high, seed=seeds)

    def sample(self, p, x, conditioning, unconditional_conditioning, steps=None, image_conditioning=None):
        raise NotImplementedError

    def sample_img2img(
        self, p, x, noise, conditioning, unconditional_conditioning, steps=None, image_conditioning=None
    ):  # fmt: skip
        raise NotImplementedError

    def add_infotext(self, p):
        pass

    def _arguments(self, p, conditioning, unconditional_conditioning, image_conditioning):
        return {
            "cond": conditioning,
            "image_cond": image_conditioning,
            "uncond": unconditional_conditioning,
            "cond_scale": p.cfg_scale,
            "s_min_uncond": self.s_min_uncond,
        }

    def _run(self, p, x, steps, told):
        samples = self.launch_sampling(
            steps,
            lambda: self.func(
                self.model_wrap_cfg, x, extra_args=self.sampler_extra_args, disable=False,
                callback=self.callback_state, **told,
            ),
        )  # fmt: skip
        self.add_infotext(p)
        return samples

    def _extra_noise(self, p, noise, x, noisy, share=1.0):
        from modules.script_callbacks import ExtraNoiseParams, extra_noise_callback

        if opts.img2img_extra_noise <= 0:
            return noisy
        p.extra_generation_params["Extra noise"] = opts.img2img_extra_noise
        told = ExtraNoiseParams(noise, x, noisy)
        extra_noise_callback(told)
        return noisy + told.noise * opts.img2img_extra_noise * share
