"""Generating from a text, with the hires fix."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from modules import extra_networks, images, prompt_parser, rng, sd_models, sd_samplers, shared
from modules.processing_object import StableDiffusionProcessing
from modules.sd_samplers_common import images_tensor_to_samples
from modules.shared import opts, state

_CELL = 8


@dataclass(repr=False)
class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    enable_hr: bool = False
    denoising_strength: float = 0.75
    firstphase_width: int = 0
    firstphase_height: int = 0
    hr_scale: float = 2.0
    hr_upscaler: str = None
    hr_second_pass_steps: int = 0
    hr_resize_x: int = 0
    hr_resize_y: int = 0
    hr_checkpoint_name: str = None
    hr_sampler_name: str = None
    hr_scheduler: str = None
    hr_prompt: str = ""
    hr_negative_prompt: str = ""
    force_task_id: str = None

    cached_hr_uc = [None, None]  # noqa: RUF012
    cached_hr_c = [None, None]  # noqa: RUF012

    hr_checkpoint_info: dict = field(default=None, init=False)
    hr_upscale_to_x: int = field(default=0, init=False)
    hr_upscale_to_y: int = field(default=0, init=False)
    truncate_x: int = field(default=0, init=False)
    truncate_y: int = field(default=0, init=False)
    applied_old_hires_behavior_to: tuple = field(default=None, init=False)
    latent_scale_mode: dict = field(default=None, init=False)
    hr_c: tuple | None = field(default=None, init=False)
    hr_uc: tuple | None = field(default=None, init=False)
    all_hr_prompts: list = field(default=None, init=False)
    all_hr_negative_prompts: list = field(default=None, init=False)
    hr_prompts: list = field(default=None, init=False)
    hr_negative_prompts: list = field(default=None, init=False)
    hr_extra_network_data: list = field(default=None, init=False)

    def __post_init__(self):
        super().__post_init__()
        if self.firstphase_width or self.firstphase_height:
            self.hr_upscale_to_x, self.hr_upscale_to_y = self.width, self.height
            self.width, self.height = self.firstphase_width, self.firstphase_height
        self.cached_hr_uc = StableDiffusionProcessingTxt2Img.cached_hr_uc
        self.cached_hr_c = StableDiffusionProcessingTxt2Img.cached_hr_c

    def calculate_target_resolution(self):
        wanted_x, wanted_y = self.hr_resize_x, self.hr_resize_y
        if not wanted_x and not wanted_y:
            self.extra_generation_params["Hires upscale"] = self.hr_scale
            self.hr_upscale_to_x, self.hr_upscale_to_y = (
                int(side * self.hr_scale) for side in (self.width, self.height)
            )
            return
        self.extra_generation_params["Hires resize"] = f"{wanted_x}x{wanted_y}"
        wider = wanted_x and (not wanted_y or self.width / self.height < wanted_x / wanted_y)
        if wider:
            self.hr_upscale_to_x, self.hr_upscale_to_y = wanted_x, wanted_x * self.height // self.width
        else:
            self.hr_upscale_to_x, self.hr_upscale_to_y = wanted_y * self.width // self.height, wanted_y
        if wanted_x and wanted_y:
            self.truncate_x = (self.hr_upscale_to_x - wanted_x) // _CELL
            self.truncate_y = (self.hr_upscale_to_y - wanted_y) // _CELL

    def init(self, all_prompts, all_seeds, all_subseeds):
        if not self.enable_hr:
            return
        told = self.extra_generation_params
        told["Denoising strength"] = self.denoising_strength
        if self.hr_checkpoint_name and self.hr_checkpoint_name != "Use same checkpoint":
            self.hr_checkpoint_info = sd_models.get_closet_checkpoint_match(self.hr_checkpoint_name)
            if self.hr_checkpoint_info is None:
                raise Exception(f"Could not find checkpoint with name {self.hr_checkpoint_name}")
            told["Hires checkpoint"] = self.hr_checkpoint_info.short_title
        if self.hr_sampler_name is not None and self.hr_sampler_name != self.sampler_name:
            told["Hires sampler"] = self.hr_sampler_name

        def other_prompt(p, index, prompt_text, **kwargs):
            return p.all_hr_prompts[index] if p.all_hr_prompts[index] != prompt_text else None

        def other_negative(p, index, negative_prompt, **kwargs):
            return p.all_hr_negative_prompts[index] if p.all_hr_negative_prompts[index] != negative_prompt else None

        told["Hires prompt"], told["Hires negative prompt"] = other_prompt, other_negative
        told["Hires schedule type"] = None
        self.hr_scheduler = self.scheduler if self.hr_scheduler is None else self.hr_scheduler
        modes = shared.latent_upscale_modes
        self.latent_scale_mode = modes.get(self.hr_upscaler or shared.latent_upscale_default_mode)
        if self.latent_scale_mode is None and not any(item.name == self.hr_upscaler for item in shared.sd_upscalers):
            raise Exception(f"could not find upscaler named {self.hr_upscaler}")
        self.calculate_target_resolution()
        if not state.processing_has_refined_job_count:
            if state.job_count == -1:
                state.job_count = self.n_iter
            state.job_count *= 2
            state.processing_has_refined_job_count = True
        if self.hr_second_pass_steps:
            told["Hires steps"] = self.hr_second_pass_steps
        if self.hr_upscaler is not None:
            told["Hires upscaler"] = self.hr_upscaler

    def sample(self, conditioning, unconditional_conditioning, seeds, subseeds, subseed_strength, prompts):
        self.sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        if self.firstpass_image is not None and self.enable_hr:
            picture = torch.from_numpy(np.moveaxis(np.array(self.firstpass_image).astype(np.float32) / 255, 2, 0))[None]
            samples = images_tensor_to_samples(picture, None, self.sd_model)
        else:
            x = self.rng.next()
            if self.scripts is not None:
                self.scripts.process_before_every_sampling(
                    p=self, x=x, noise=x, c=conditioning, uc=unconditional_conditioning
                )
            samples = self.sampler.sample(
                self, x, conditioning, unconditional_conditioning,
                image_conditioning=self.txt2img_image_conditioning(x),
            )  # fmt: skip
            if not self.enable_hr:
                return samples
        decoded = None
        if self.latent_scale_mode is None:
            decoded = self.sd_model.decode_first_stage(samples).float()
        with sd_models.SkipWritingToConfig():
            sd_models.reload_model_weights(info=self.hr_checkpoint_info)
        return self.sample_hr_pass(samples, decoded, seeds, subseeds, subseed_strength, prompts)

    def sample_hr_pass(self, samples, decoded_samples, seeds, subseeds, subseed_strength, prompts):
        from modules.processing import decode_latent_batch

        if state.interrupted:
            return samples
        self.is_hr_pass = True
        width, height = self.hr_upscale_to_x, self.hr_upscale_to_y
        self.sampler = sd_samplers.create_sampler(self.hr_sampler_name or self.sampler_name, self.sd_model)
        if self.latent_scale_mode is not None:
            samples = torch.nn.functional.interpolate(
                samples, size=(height // _CELL, width // _CELL), mode=self.latent_scale_mode["mode"],
                antialias=self.latent_scale_mode["antialias"],
            )  # fmt: skip
        else:
            enlarged = []
            for item in torch.clamp((decoded_samples + 1) / 2, 0, 1):
                picture = Image.fromarray((255.0 * np.moveaxis(item.numpy(), 0, 2)).astype(np.uint8))
                picture = images.resize_image(0, picture, width, height, upscaler_name=self.hr_upscaler)
                enlarged.append(np.moveaxis(np.array(picture).astype(np.float32) / 255, 2, 0))
            samples = images_tensor_to_samples(torch.from_numpy(np.array(enlarged)))
        conditioning = self.txt2img_image_conditioning(samples)
        state.nextjob()
        rows, columns = samples.shape[2:]
        y, x = self.truncate_y, self.truncate_x
        samples = samples[:, :, y // 2 : rows - (y + 1) // 2, x // 2 : columns - (x + 1) // 2]
        self.rng = rng.ImageRNG(
            samples.shape[1:], self.seeds, subseeds=self.subseeds, subseed_strength=self.subseed_strength,
            seed_resize_from_h=self.seed_resize_from_h, seed_resize_from_w=self.seed_resize_from_w,
        )  # fmt: skip
        noise = self.rng.next()
        if not self.disable_extra_networks:
            extra_networks.activate(self, self.hr_extra_network_data)
        self.calculate_hr_conds()
        sd_models.apply_token_merging(self.sd_model, self.get_token_merging_ratio(for_hr=True))
        if self.scripts is not None:
            self.scripts.before_hr(self)
            self.scripts.process_before_every_sampling(p=self, x=samples, noise=noise, c=self.hr_c, uc=self.hr_uc)
        samples = self.sampler.sample_img2img(
            self, samples, noise, self.hr_c, self.hr_uc, steps=self.hr_second_pass_steps or self.steps,
            image_conditioning=conditioning,
        )  # fmt: skip
        sd_models.apply_token_merging(self.sd_model, self.get_token_merging_ratio())
        self.sampler = None
        decoded = decode_latent_batch(self.sd_model, samples)
        self.is_hr_pass = False
        return decoded

    def close(self):
        super().close()
        self.hr_c = self.hr_uc = None

    def setup_prompts(self):
        super().setup_prompts()
        if not self.enable_hr:
            return
        self.hr_prompt = self.prompt if self.hr_prompt == "" else self.hr_prompt
        self.hr_negative_prompt = self.negative_prompt if self.hr_negative_prompt == "" else self.hr_negative_prompt
        count = self.batch_size * self.n_iter
        given, against = (
            text if isinstance(text, list) else [text] * count for text in (self.hr_prompt, self.hr_negative_prompt)
        )
        styles = shared.prompt_styles
        self.all_hr_prompts = [styles.apply_styles_to_prompt(text, self.styles) for text in given]
        self.all_hr_negative_prompts = [styles.apply_negative_styles_to_prompt(text, self.styles) for text in against]

    def calculate_hr_conds(self):
        if self.hr_c is not None:
            return
        size = {"width": self.hr_upscale_to_x, "height": self.hr_upscale_to_y}
        prompts = prompt_parser.SdConditioning(self.hr_prompts, **size)
        negatives = prompt_parser.SdConditioning(self.hr_negative_prompts, is_negative_prompt=True, **size)
        config = sd_samplers.find_sampler_config(self.hr_sampler_name or self.sampler_name)
        steps = self.hr_second_pass_steps or self.steps
        common = self.hr_extra_network_data, config.total_steps(steps) if config else steps
        self.hr_uc = self.get_conds_with_caching(
            prompt_parser.get_learned_conditioning, negatives, self.firstpass_steps,
            [self.cached_hr_uc, self.cached_uc], *common,
        )  # fmt: skip
        self.hr_c = self.get_conds_with_caching(
            prompt_parser.get_multicond_learned_conditioning, prompts, self.firstpass_steps,
            [self.cached_hr_c, self.cached_c], *common,
        )  # fmt: skip

    def setup_conds(self):
        if self.is_hr_pass:
            self.hr_c = None
            self.calculate_hr_conds()
            return
        super().setup_conds()
        self.hr_uc = self.hr_c = None
        if self.enable_hr and self.hr_checkpoint_info is None and opts.hires_fix_use_firstpass_conds:
            self.calculate_hr_conds()

    def get_conds(self):
        return (self.hr_c, self.hr_uc) if self.is_hr_pass else super().get_conds()

    def parse_extra_network_prompts(self):
        super().parse_extra_network_prompts()
        if self.enable_hr:
            mine = slice(self.iteration * self.batch_size, (self.iteration + 1) * self.batch_size)
            self.hr_negative_prompts = self.all_hr_negative_prompts[mine]
            self.hr_prompts, self.hr_extra_network_data = extra_networks.parse_prompts(self.all_hr_prompts[mine])
